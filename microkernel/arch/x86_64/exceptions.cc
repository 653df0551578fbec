// From an event of the processor to the core and back: the loop around Kernel that kernel.h describes. entry.S calls the
// functions below with interrupts off and all user registers saved; each returns the context to go on with.
//
// Interrupts reach the kernel itself only where perform() lets them in: while it idles, zeroes, or has been told to try again.
// Their handler then answers invalidations and leaves a mark (`kick`), and perform() calls the core before it returns to a
// user. A device's interrupt stays in service at the local APIC until the core has seen it: then its line is masked if it
// signals by its level, and does not fire again at once. The timer and other CPUs have higher vectors and get through.

#include "arch/x86_64/instructions.h"
#include "arch/x86_64/machine.h"
#include "core/kernel.h"

namespace capos::kernel::x86 {

namespace {

// Vectors of Intel SDM vol. 3A, table 6-1.
constexpr u64 kDebug = 1, kNmi = 2, kDoubleFault = 8, kPageFault = 14, kMachineCheck = 18, kExceptions = 32;
constexpr u64 kTrapFlag = 1 << 8;
constexpr const char* kExceptionNames[] = {
    "divide error", "debug exception", "NMI", "breakpoint", "overflow", "bound range exceeded", "invalid opcode",
    "device not available", "double fault", "coprocessor overrun", "invalid TSS", "segment not present", "stack fault",
    "general protection fault", "page fault", "reserved exception", "x87 error", "alignment check", "machine check",
    "SIMD error"};

// The core has seen `count` interrupts of devices.
void end_device_interrupts(u32 count) {
    for (; count > 0; --count) end_of_interrupt();
}

Action interrupt_step(CpuLocal& local) {
    Kernel& kernel = *local.kernel;
    const u32 arrived = local.cpu->arrived.count();
    kernel.lock.acquire(*local.cpu);
    const Action action = kernel.interrupt(*local.cpu, now());
    kernel.lock.release();
    end_device_interrupts(arrived);
    return action;
}

Action proceed_step(CpuLocal& local) {
    Kernel& kernel = *local.kernel;
    const u32 arrived = local.cpu->arrived.count();
    kernel.lock.acquire(*local.cpu);
    const Action action = kernel.proceed(*local.cpu, now());
    kernel.lock.release();
    end_device_interrupts(arrived);
    return action;
}

void zero_block(PhysicalAddress block, unsigned order) {
    const PhysicalAddress end = block + PageCount{u64{1} << order};
    for (; block < end; block = block + PageCount{1}) {
        interrupts_on();
        zero_quadwords(direct(block.value), kPageBytes / 8);
        interrupts_off();
    }
}

void idle(CpuLocal& local) {
    load_tables(local, kernel_table().root().value);
    while (!local.kick) wait_for_interrupt();
    local.kick = false;
}

// Does what the core asked for until it is to run a thread, and makes that thread's context the loaded one.
UserContext* perform(CpuLocal& local, Action action) {
    while (true) {
        switch (action.kind) {
            case Action::Kind::run:
                if (local.kick) {
                    local.kick = false;
                    action = interrupt_step(local);
                    break;
                }
                if (action.context != local.loaded) load_context(local, *action.context);
                return action.context;
            case Action::Kind::idle:
                idle(local);
                action = interrupt_step(local);
                break;
            case Action::Kind::zero:
                zero_block(action.block, action.order);
                action = proceed_step(local);
                break;
            case Action::Kind::again:
                interrupts_on();
                asm volatile("nop");  // interrupts are let in after the instruction that follows STI
                interrupts_off();
                action = proceed_step(local);
                break;
            case Action::Kind::off: stop_other_cpus(); power_off(Exit::orderly);
            case Action::Kind::reset: stop_other_cpus(); reset(Exit::orderly);
            case Action::Kind::failed: stop_other_cpus(); reset(Exit::fatal);
        }
    }
}

// An interrupt, from user or kernel mode: true when the core has to look.
bool accept_interrupt(CpuLocal& local, u64 vector) {
    if (vector == kSpuriousVector) return false;  // has no end of interrupt (SDM vol. 3A §10.9)
    if (vector - kFirstDeviceVector < kInterruptsMax) {
        local.cpu->arrived.add(static_cast<u32>(vector - kFirstDeviceVector));
        return true;
    }
    end_of_interrupt();
    if (vector == kTimerVector) return timer_due(local);
    if (vector == kIpiVector) {
        acknowledge_invalidations(*local.cpu);
        return true;
    }
    ++local.device_interrupts;
    return false;
}

const char* exception_name(u64 vector) { return vector < std::size(kExceptionNames) ? kExceptionNames[vector] : "exception"; }

}  // namespace

extern "C" {

bool x86_on_quick_syscall() {
    CpuLocal& local = this_cpu();
    Kernel& kernel = *local.kernel;
    kernel.lock.acquire(*local.cpu);
    const bool done = kernel.enter_at_once(*local.cpu);
    kernel.lock.release();
    return done;
}

UserContext* x86_on_syscall() {
    CpuLocal& local = this_cpu();
    Kernel& kernel = *local.kernel;
    kernel.lock.acquire(*local.cpu);
    if (UserContext* peer = kernel.hand_over_at_once(*local.cpu)) {
        kernel.lock.release();
        load_context(local, *peer);
        return peer;
    }
    const Action action = kernel.system_call(*local.cpu, now());
    kernel.lock.release();
    if (action.kind == Action::Kind::run && action.context == local.loaded) [[likely]] return action.context;
    return perform(local, action);
}

UserContext* x86_on_user_trap(u64 vector, u64 error_code) {
    CpuLocal& local = this_cpu();
    if (vector >= kExceptions) {
        if (!accept_interrupt(local, vector)) return local.current;
        return perform(local, interrupt_step(local));
    }
    const u64 address = vector == kPageFault ? read_cr2() : 0;
    const Fault fault{.vector = static_cast<u8>(vector), .error_code = error_code, .address = address};
    Kernel& kernel = *local.kernel;
    kernel.lock.acquire(*local.cpu);
    const Action action = kernel.fault(*local.cpu, fault, now());
    kernel.lock.release();
    return perform(local, action);
}

void x86_on_kernel_trap(KernelFrame& frame) {
    if (frame.vector < kExceptions) panic(exception_name(frame.vector), &frame);
    CpuLocal& local = this_cpu();
    if (accept_interrupt(local, frame.vector)) local.kick = true;
}

// NMI, #DF, #MC, and #DB in the kernel: on a stack of its own, at any instruction, also of code that holds the lock.
void x86_on_ist_trap(KernelFrame& frame) {
    // A user can have a debug exception delivered at the first instruction of the SYSCALL entry: MOV SS holds one back until
    // after the next instruction (SDM vol. 3A §6.8.3). It means nothing there.
    if (frame.vector == kDebug && frame.rip == reinterpret_cast<u64>(&x86_syscall_entry)) {
        frame.rflags &= ~kTrapFlag;
        return;
    }
    if (frame.vector == kNmi) {
        stop_if_told();
        if (log_settings().to_console) port::console_write("\nunexpected NMI: a hardware error, or a button\n");
        return;
    }
    panic(exception_name(frame.vector), &frame);
}

UserContext* x86_on_start() {
    CpuLocal& local = this_cpu();
    return perform(local, interrupt_step(local));
}

}  // extern "C"

static_assert(kDoubleFault == 8 && kMachineCheck == 18);  // entry.S gives these, NMI and #DB stacks of their own

}  // namespace capos::kernel::x86
