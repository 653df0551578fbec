// Processes and threads: how they come to be, and what ends them. Taking them down is the reaper's (reaper.cc).

#include <algorithm>
#include <bit>

#include "core/kernel.h"

namespace capos::kernel {

namespace {

constexpr u64 kInitialFlags = 0x202;  // interrupts on; bit 1 is always set (SDM vol. 1 §3.4.3)
constexpr u64 kStandingFrames = 1;    // of each thread, for the frame that a fault prepares
constexpr u32 kProcessUnits = 16;     // of making one

constexpr u32 align_up(usize value, usize alignment) { return static_cast<u32>((value + alignment - 1) & ~(alignment - 1)); }

u8 order_for(u32 bytes) {
    const u64 pages = pages_for(ByteCount{bytes}).value;
    return static_cast<u8>(std::bit_width(pages - 1));
}

}  // namespace

KernelResult<Process*> Kernel::make_process(Account& account, u32 slots, std::string_view name) {
    const u32 table_frames = (slots + CapabilityTable::kSlotsPerFrame - 1) / CapabilityTable::kSlotsPerFrame;
    // The process's own frame, its table, the root of its page tables, and a spare one; the process and its address space.
    TRY(account.charge({.frames = 3 + u64{table_frames}, .objects = 2, .nodes = 2}));

    // Point of no return.
    spend(kProcessUnits);
    const PhysicalAddress root = frames_.allocate_charged();
    std::memset(port::direct_map(root), 0, kPageBytes / 2);
    PageTable table{root};
    table.share_kernel_half(kernel_table_);
    auto* space = new (cells_.take()) AddressSpace(table);
    adopt(*space, Interface::address_space, account);

    const PhysicalAddress block = frames_.allocate_charged();
    auto* process = new (port::direct_map(block)) Process(*space);
    adopt(*process, Interface::process, account);
    space->process = process;
    process->block = block;
    process->pid = next_pid_++;
    process->name.set(name);
    for (u32 i = 0; i < table_frames; ++i) process->table.add_frame(frames_.allocate_charged());
    return process;
}

// The thread's block: the Thread, its tables of records, its FPU state.
Kernel::ThreadLayout Kernel::thread_layout(const RingGeometry& geometry) {
    ThreadLayout layout;
    layout.pending = align_up(sizeof(Thread), 16);
    layout.received = align_up(layout.pending + geometry.cq_entries * sizeof(Pending), 16);
    layout.fpu = align_up(layout.received + geometry.cq_entries * sizeof(Received), 64);
    layout.bytes = layout.fpu + port::fpu_bytes();
    layout.order = order_for(layout.bytes);
    return layout;
}

// `region_block` is zeroed and becomes the thread's ring region; on an error it stays the caller's.
KernelResult<Thread*> Kernel::make_thread(Process& process, const RingGeometry& geometry, u8 priority, std::string_view name,
                                          PhysicalAddress region_block) {
    const ThreadLayout layout = thread_layout(geometry);
    Account& account = *process.account;
    const Resources charge{.frames = (u64{1} << layout.order) + kStandingFrames, .objects = 1, .nodes = 1};
    TRY(account.charge(charge));
    const std::optional<PhysicalAddress> block = frames_.allocate(layout.order);
    if (!block) {
        account.refund(charge);
        return fail(Status::quota);
    }
    const auto region = map_ring(*process.space, region_block, order_for(geometry.region_bytes));
    if (!region) {
        frames_.free(*block, layout.order);
        account.refund(charge);
        return fail(region.error());
    }

    // Point of no return.
    std::byte* memory = port::direct_map(*block);
    auto* thread = new (memory) Thread(process, priority);
    adopt(*thread, Interface::thread, account);
    auto* pending = reinterpret_cast<Pending*>(memory + layout.pending);
    auto* received = reinterpret_cast<Received*>(memory + layout.received);
    thread->ring.initialise(geometry, port::direct_map(region_block), {pending, geometry.cq_entries},
                            {received, geometry.cq_entries});
    thread->block = *block;
    thread->block_order = layout.order;
    thread->region = *region;
    (*region)->thread = thread;
    thread->name.set(name);
    thread->fault_call.owner = thread;
    thread->context.cr3 = process.space->table.root().value;
    thread->context.fpu = memory + layout.fpu;
    port::initialise_fpu(thread->context.fpu);
    process.threads.push_back(*thread);
    ++process.thread_count;
    return thread;
}

void Kernel::start(Thread& thread, u64 entry, u64 stack, u64 argument, u32 start_offset, u32 start_length) {
    thread.context.rip = entry;
    thread.context.rsp = stack;
    thread.context.rflags = kInitialFlags;
    thread.context.rdi = argument;
    thread.context.rsi = thread.region->start.value;
    thread.context.return_path = ReturnPath::iret;
    abi::RingHeader& header = thread.ring.header();
    header.start_offset = start_offset;
    header.start_length = start_length;
    scheduler_.make_ready(thread, *here_, now_);
}

// Sees to it that the thread has a zeroed block. Errors: quota.
KernelResult<Kernel::Restart> Kernel::prepare(Thread& thread, u8 order) {
    PreparedBlock& prepared = thread.prepared;
    if (prepared.reserved && prepared.order != order) drop_prepared(thread);
    if (!prepared.reserved) {
        const u32 charged = order == 0 ? 0 : u32{1} << order;
        Account& account = *thread.process().account;
        TRY(account.charge({.frames = charged}));
        const std::optional<PhysicalAddress> block = order == 0 ? frames_.allocate_charged() : frames_.allocate(order);
        if (!block) {
            account.refund({.frames = charged});
            return fail(Status::quota);
        }
        prepared = {.address = *block, .charged = charged, .order = order, .reserved = true};
    }
    return prepared.zeroed ? Restart::none : Restart::zero;
}

// The block becomes what it was prepared for, which has been paid for separately.
PhysicalAddress Kernel::take_prepared(Thread& thread) {
    KERNEL_ASSERT(thread.prepared.reserved && thread.prepared.zeroed);
    thread.process().account->refund({.frames = thread.prepared.charged});
    const PhysicalAddress block = thread.prepared.address;
    thread.prepared = {};
    return block;
}

void Kernel::drop_prepared(Thread& thread) {
    if (!thread.prepared.reserved) return;
    frames_.free(thread.prepared.address, thread.prepared.order);
    thread.process().account->refund({.frames = thread.prepared.charged});
    thread.prepared = {};
}

// From here on the thread does not run. Idempotent.
void Kernel::end_thread(Thread& thread) {
    if (thread.ended()) return;
    switch (thread.state) {
        case ThreadState::running:
            if (thread.cpu != here_) port::send_ipi(thread.cpu->id);
            break;
        case ThreadState::ready:
            if (thread.run_link.linked()) {
                scheduler_.remove(thread);
            } else {
                KERNEL_ASSERT(thread.cpu->next == &thread);
                thread.cpu->next = nullptr;
            }
            break;
        case ThreadState::waiting:
        case ThreadState::throttled:
        case ThreadState::faulted: Scheduler::stop_sleeping(thread); break;
        case ThreadState::stalled:
        case ThreadState::created:
        case ThreadState::ended: break;
    }
    Scheduler::reclaim(thread);
    if (thread.active != &thread.own) Scheduler::reclaim(*thread.active->owner);
    thread.state = ThreadState::ended;
    thread.continuation = Continuation::none;
    consequences_.reap(thread);
    Process& process = thread.process();
    process.threads.remove(thread);
    process.threads.push_back(thread);
    if (--process.thread_count == 0) end_process(process);
    if (!process.space->lost.empty()) report_lost(process);
}

void Kernel::end_process(Process& process) {
    if (process.state != Process::State::alive) return;
    process.state = Process::State::ending;
    if (&process == boot_process_) fail_machine(process);
    consequences_.reap(process);
    // The others of its threads may run until the reaper comes to them; a thread that ends its own process must not.
    if (here_->current != nullptr && &here_->current->process() == &process) end_thread(*here_->current);
}

// Nobody is left who could start anything. The crash record, if there is one, is on the log already.
void Kernel::fail_machine(const Process& process) {
    machine_action_ = Action::Kind::failed;
    regain_console();
    LogLine line = log(LogLevel::error, "kernel");
    line << "the first process, " << process.name.view() << ", has ended";
    if (process.crashed) {
        line << " by fault " << process.crash.cause;
    } else if (process.thread_count == 0) {
        line << " with exit code " << process.exit_code;
    }
    line << ": the machine restarts";
}

abi::CrashRecord Kernel::record_of(const Thread& thread, u32 cause, u32 error_code, u64 address) {
    const UserContext& c = thread.context;
    return {.cause = cause, .error_code = error_code, .address = address,
            .rip = c.rip, .rsp = c.rsp, .rflags = c.rflags,
            .rax = c.rax, .rbx = c.rbx, .rcx = c.rcx, .rdx = c.rdx, .rsi = c.rsi, .rdi = c.rdi, .rbp = c.rbp,
            .r8 = c.r8, .r9 = c.r9, .r10 = c.r10, .r11 = c.r11, .r12 = c.r12, .r13 = c.r13, .r14 = c.r14, .r15 = c.r15,
            .fs_base = c.fs_base, .sq_head = thread.ring.sq_head(), .cq_tail = thread.ring.cq_tail()};
}

// A fault that nobody handles: the process ends and leaves a record.
void Kernel::crash(Thread& thread, abi::CrashCause cause, u32 error_code, u64 address) {
    Process& process = thread.process();
    if (process.state == Process::State::alive) {  // what a thread of a process that ends runs into is no crash
        process.crashed = true;
        port::save_extended(thread.context);
        process.crash = record_of(thread, static_cast<u32>(cause), error_code, address);
        if (&process == boot_process_) regain_console();
        log(LogLevel::warn, "crash") << process.name.view() << " (" << process.pid << ") ended by fault "
                                     << static_cast<u32>(cause) << ", error " << Hex{error_code} << ", address "
                                     << Hex{address} << ", rip " << Hex{thread.context.rip} << ", rsp "
                                     << Hex{thread.context.rsp};
    }
    end_process(process);
    end_thread(thread);
}

}  // namespace capos::kernel
