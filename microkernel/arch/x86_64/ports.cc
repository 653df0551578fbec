// What the core asks of the machine (core/ports.h, core/log.h, core/shared.h), and the other half of it: loading what
// save_extended has saved. The kernel links with LTO, so the short ones inline.

#include "core/ports.h"

#include <cstring>

#include "arch/x86_64/instructions.h"
#include "arch/x86_64/machine.h"
#include "core/invalidation.h"
#include "core/shared.h"

namespace capos::kernel {

namespace {

constexpr u32 kMsrGsBase = 0xc000'0101, kMsrKernelGsBase = 0xc000'0102;
constexpr u64 kCr4Pge = 1 << 7;
constexpr u64 kFlagsAlways = 0x202;     // interrupts on, and the bit that is always 1
constexpr u64 kFlagsOfUser = 0x25'4dd5;  // ID AC RF NT OF DF TF SF ZF AF PF CF; neither IOPL nor VM
constexpr unsigned kRandomTries = 10;   // SDM vol. 1 §7.3.17.1: more failures in a row mean a broken generator

// Selectors that a thread has loaded into DS to GS are not kept for it, and the next thread does not see them.
void drop_selectors(const x86::CpuLocal& local) {
    if ((x86::read_selectors() & 0xffff) == 0) [[likely]] return;
    asm volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%fs; mov %0, %%gs" : : "r"(0));
    x86::write_msr(kMsrGsBase, reinterpret_cast<u64>(&local));  // loading GS has changed it
}

}  // namespace

std::byte* port::direct_map(PhysicalAddress frame) { return x86::direct(frame.value); }

u64 port::read_entry(PhysicalAddress table, unsigned index) {
    return __atomic_load_n(reinterpret_cast<u64*>(direct_map(table)) + index, __ATOMIC_RELAXED);
}

void port::write_entry(PhysicalAddress table, unsigned index, u64 value) {
    __atomic_store_n(reinterpret_cast<u64*>(direct_map(table)) + index, value, __ATOMIC_RELAXED);
}

// INVLPG drops GLOBAL entries too (SDM vol. 3A §4.10.4.1).
void port::flush_page(VirtualAddress page) { x86::invlpg(page); }

// A change of CR4.PGE drops everything, which a write to CR3 does not: GLOBAL entries would stay (§4.10.4.1).
void port::flush_all() {
    const u64 cr4 = x86::read_cr4();
    x86::write_cr4(cr4 & ~kCr4Pge);
    x86::write_cr4(cr4);
}

void port::use_kernel_tables(Cpu&) { x86::load_tables(x86::this_cpu(), x86::kernel_table().root().value); }

void port::send_ipi(CpuId cpu) {
    const std::optional<u32> apic_id = x86::cpu_table().apic_id(cpu);
    KERNEL_ASSERT(apic_id.has_value());
    x86::send_vector(*apic_id, x86::kIpiVector);
}

void port::lock_spin(Cpu& cpu) {
    acknowledge_invalidations(cpu);
    x86::pause();
}

u64 port::ticks() { return x86::read_tsc(); }

void port::set_timer(Time deadline) {
    x86::this_cpu().deadline = deadline;
    x86::set_timer_deadline(deadline);
}

bool x86::timer_due(CpuLocal& local) {
    if (local.deadline == kNever) return false;
    if (now() >= local.deadline) return true;
    set_timer_deadline(local.deadline);
    return false;
}

void port::save_extended(UserContext& context) {
    x86::CpuLocal& local = x86::this_cpu();
    if (local.loaded != &context) return;  // it did not run since it was saved
    if (x86::cpu_features().xsaveopt) {
        asm volatile("xsaveopt64 (%0)" : : "r"(context.fpu), "a"(~0u), "d"(~0u) : "memory");
    } else {
        asm volatile("xsave64 (%0)" : : "r"(context.fpu), "a"(~0u), "d"(~0u) : "memory");
    }
    context.fs_base = x86::read_fs_base();
    // While the kernel runs, SWAPGS has put the user's GS base there.
    context.gs_base = local.user_gs_base = x86::read_msr(kMsrKernelGsBase);
    local.loaded = nullptr;
    drop_selectors(local);
}

void x86::load_tables(CpuLocal& local, u64 root) {
    if (local.loaded_cr3 == root) return;
    // Read before: a request that comes later is not answered by this load.
    const u64 wanted = local.cpu->flush_wanted.load(std::memory_order_acquire);  // pairs with Invalidation::request()
    write_cr3(root);
    local.loaded_cr3 = root;
    tables_loaded(*local.cpu, PhysicalAddress{root}, wanted);
}

void x86::load_context(CpuLocal& local, UserContext& context) {
    load_tables(local, context.cr3);
    asm volatile("xrstor64 (%0)" : : "r"(context.fpu), "a"(~0u), "d"(~0u) : "memory");
    write_fs_base(context.fs_base);
    if (local.user_gs_base != context.gs_base) {
        write_msr(kMsrKernelGsBase, context.gs_base);
        local.user_gs_base = context.gs_base;
    }
    context.rflags = (context.rflags & kFlagsOfUser) | kFlagsAlways;
    // IRET to a non-canonical address would fault in the kernel, on some processors with the user's stack. Address 0 is never
    // mapped, so the thread faults where it should.
    if (context.rip >= PageTable::kUserEnd) context.rip = 0;
    local.loaded = local.current = &context;
}

bool port::random_bytes(std::byte* out, usize bytes) {
    if (!x86::cpu_features().rdrand) return false;
    while (bytes > 0) {
        u64 value = 0;
        bool good = false;
        for (unsigned i = 0; i < kRandomTries && !good; ++i) good = x86::read_random(value);
        if (!good) return false;
        const usize part = bytes < sizeof value ? bytes : sizeof value;
        std::memcpy(out, &value, part);
        out += part;
        bytes -= part;
    }
    return true;
}

u32 port::read_port(u16 port, u8 width) {
    switch (width) {
        case 1: return x86::in8(port);
        case 2: return x86::in16(port);
        default: return x86::in32(port);
    }
}

void port::write_port(u16 port, u8 width, u32 value) {
    switch (width) {
        case 1: return x86::out8(port, static_cast<u8>(value));
        case 2: return x86::out16(port, static_cast<u16>(value));
        default: return x86::out32(port, value);
    }
}

// Memory that a user can write changes by itself on a real machine.
void port::before_shared_read(const void*, usize) {}

}  // namespace capos::kernel
