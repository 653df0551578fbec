// cpu_local.h - what the machine layer keeps for each CPU, reached through GS. Only its own CPU touches it, interrupts off.
#pragma once

#include <cstddef>

#include "arch/x86_64/layout.h"
#include "core/context.h"
#include "core/types.h"

namespace capos::kernel {
struct Cpu;
class Kernel;
}  // namespace capos::kernel

namespace capos::kernel::x86 {

struct [[gnu::packed]] TaskState {  // SDM vol. 3A §8.7, figure 8-11
    u32 reserved0;
    u64 rsp[3];
    u64 reserved1;
    u64 ist[7];
    u64 reserved2;
    u16 reserved3;
    u16 io_map;
};
static_assert(sizeof(TaskState) == 104);

struct CpuLocal {
    CpuLocal* self{};          // LOCAL_SELF: GS:0 gives this structure's address
    UserContext* current{};    // LOCAL_CURRENT: where the entry code saves user registers
    u64 stack{};               // LOCAL_STACK: top of the kernel stack
    u64 user_rsp{};            // LOCAL_USER_RSP: scratch of the SYSCALL entry
    Cpu* cpu{};                // the core's view
    Kernel* kernel{};
    // Whose FPU state, FS base, user GS base and page tables this CPU holds, changed since by nobody but that thread. Null
    // after port::save_extended: then the context has the truth.
    UserContext* loaded{};
    u64 loaded_cr3{};
    u64 user_gs_base{};        // what IA32_KERNEL_GS_BASE holds while `loaded` is null
    Time deadline{kNever};     // what port::set_timer asked for; the counter may be shorter
    CpuId id;
    u32 apic_id{};
    u32 device_interrupts{};   // at vectors that nobody asked for
    bool kick{};               // an interrupt for the core arrived while the kernel ran
    alignas(16) u64 gdt[7]{};
    TaskState task{};
};
static_assert(offsetof(CpuLocal, self) == LOCAL_SELF && offsetof(CpuLocal, current) == LOCAL_CURRENT);
static_assert(offsetof(CpuLocal, stack) == LOCAL_STACK && offsetof(CpuLocal, user_rsp) == LOCAL_USER_RSP);
static_assert(offsetof(UserContext, rip) == CONTEXT_RIP && offsetof(UserContext, return_path) == CONTEXT_RETURN_PATH);

inline CpuLocal& this_cpu() {
    CpuLocal* local;
    asm("mov %%gs:0, %0" : "=r"(local));
    return *local;
}

}  // namespace capos::kernel::x86
