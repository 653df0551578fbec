// GDT, TSS and IDT (Intel SDM vol. 3A §3.4.5, §6.14, §8.7). All CPUs share one IDT; each has a GDT and a TSS of its own.

#include "arch/x86_64/instructions.h"
#include "arch/x86_64/machine.h"

namespace capos::kernel::x86 {

namespace {

struct [[gnu::packed]] TablePointer {
    u16 limit;
    u64 base;
};

struct Gate {
    u64 low;
    u64 high;
};

constexpr u32 kMsrGsBase = 0xc000'0101, kMsrKernelGsBase = 0xc000'0102;
constexpr u64 kInterruptGate = 0x8e;      // present, ring 0: interrupts stay off
constexpr u64 kUserInterruptGate = 0xee;  // the same, and INT3 and INTO from ring 3 may use it

constinit Gate idt[256]{};

u64 ist_of(unsigned vector) {
    switch (vector) {
        case 1: return static_cast<u64>(IstStack::debug) + 1;
        case 2: return static_cast<u64>(IstStack::nmi) + 1;
        case 8: return static_cast<u64>(IstStack::double_fault) + 1;
        case 18: return static_cast<u64>(IstStack::machine_check) + 1;
        default: return 0;
    }
}

void fill_idt() {
    for (unsigned vector = 0; vector < 256; ++vector) {
        const u64 address = x86_vector_stubs[vector];
        const u64 type = vector == 3 || vector == 4 ? kUserInterruptGate : kInterruptGate;
        idt[vector].low = (address & 0xffff) | u64{KERNEL_CODE} << 16 | ist_of(vector) << 32 | type << 40 |
                          (address >> 16 & 0xffff) << 48;
        idt[vector].high = address >> 32;
    }
}

}  // namespace

void load_descriptors(CpuLocal& local, std::span<const u64, kIstStacks> ist) {
    if (idt[0].low == 0) fill_idt();  // the boot CPU, before there are others

    local.self = &local;
    local.task.rsp[0] = local.stack;
    for (unsigned i = 0; i < kIstStacks; ++i) {
        // The word at the top of an IST stack tells its handler which CPU this is (entry.S, trap_ist).
        const u64 top = ist[i] - 16;
        *reinterpret_cast<u64*>(top) = reinterpret_cast<u64>(&local);
        local.task.ist[i] = top;
    }
    local.task.io_map = sizeof(TaskState);  // beyond the limit: no port is open to user mode

    const u64 task = reinterpret_cast<u64>(&local.task);
    local.gdt[1] = 0x00af'9b00'0000'ffff;  // kernel code, 64-bit
    local.gdt[2] = 0x00af'9300'0000'ffff;  // kernel data
    local.gdt[3] = 0x00af'f300'0000'ffff;  // user data
    local.gdt[4] = 0x00af'fb00'0000'ffff;  // user code, 64-bit
    local.gdt[5] = (sizeof(TaskState) - 1) | (task & 0xff'ffff) << 16 | u64{0x89} << 40 | (task >> 24 & 0xff) << 56;
    local.gdt[6] = task >> 32;

    const TablePointer gdt_pointer{sizeof local.gdt - 1, reinterpret_cast<u64>(local.gdt)};
    asm volatile("lgdt %0" : : "m"(gdt_pointer));
    asm volatile(
        "pushq %0\n lea 1f(%%rip), %%rax\n push %%rax\n lretq\n"
        "1: mov %1, %%eax\n mov %%eax, %%ss\n"
        "xor %%eax, %%eax\n mov %%eax, %%ds\n mov %%eax, %%es\n mov %%eax, %%fs\n mov %%eax, %%gs"
        :
        : "i"(KERNEL_CODE), "i"(KERNEL_DATA)
        : "rax", "memory");
    asm volatile("ltr %w0" : : "r"(TSS_SELECTOR));
    const TablePointer idt_pointer{sizeof idt - 1, reinterpret_cast<u64>(idt)};
    asm volatile("lidt %0" : : "m"(idt_pointer));
    write_msr(kMsrGsBase, reinterpret_cast<u64>(&local));
    write_msr(kMsrKernelGsBase, 0);  // what user mode sees until it sets its own
}

}  // namespace capos::kernel::x86
