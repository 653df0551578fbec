// instructions.h - the instructions that C++ has no words for. Each is one instruction or a fixed pair; no policy here.
#pragma once

#include "core/types.h"

namespace capos::kernel::x86 {

inline void out8(u16 port, u8 value) { asm volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
inline void out32(u16 port, u32 value) { asm volatile("outl %0, %1" : : "a"(value), "Nd"(port)); }
inline void out16(u16 port, u16 value) { asm volatile("outw %0, %1" : : "a"(value), "Nd"(port)); }
inline u8 in8(u16 port) {
    u8 value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
inline u16 in16(u16 port) {
    u16 value;
    asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
inline u32 in32(u16 port) {
    u32 value;
    asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

struct CpuidResult {
    u32 eax, ebx, ecx, edx;
};
inline CpuidResult cpuid(u32 leaf, u32 subleaf = 0) {
    CpuidResult r;
    asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
    return r;
}

inline u64 read_msr(u32 msr) {
    u32 low, high;
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return u64{high} << 32 | low;
}
inline void write_msr(u32 msr, u64 value) {
    asm volatile("wrmsr" : : "c"(msr), "a"(static_cast<u32>(value)), "d"(static_cast<u32>(value >> 32)) : "memory");
}
inline u64 read_tsc() {
    u32 low, high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return u64{high} << 32 | low;
}

inline u64 read_cr0() { u64 v; asm volatile("mov %%cr0, %0" : "=r"(v)); return v; }
inline u64 read_cr2() { u64 v; asm volatile("mov %%cr2, %0" : "=r"(v)); return v; }
inline u64 read_cr3() { u64 v; asm volatile("mov %%cr3, %0" : "=r"(v) : : "memory"); return v; }
inline u64 read_cr4() { u64 v; asm volatile("mov %%cr4, %0" : "=r"(v)); return v; }
inline void write_debug_control(u64 v) { asm volatile("mov %0, %%dr7" : : "r"(v)); }
inline void write_cr0(u64 v) { asm volatile("mov %0, %%cr0" : : "r"(v) : "memory"); }
inline void write_cr3(u64 v) { asm volatile("mov %0, %%cr3" : : "r"(v) : "memory"); }
inline void write_cr4(u64 v) { asm volatile("mov %0, %%cr4" : : "r"(v) : "memory"); }
inline void invlpg(VirtualAddress page) { asm volatile("invlpg (%0)" : : "r"(page.value) : "memory"); }

inline u64 read_fs_base() { u64 v; asm volatile("rdfsbase %0" : "=r"(v)); return v; }
inline void write_fs_base(u64 v) { asm volatile("wrfsbase %0" : : "r"(v)); }

// Everything written before is visible to other CPUs before anything that follows.
inline void serialise() { asm volatile("mfence; lfence" : : : "memory"); }

inline void interrupts_on() { asm volatile("sti" : : : "memory"); }
inline void interrupts_off() { asm volatile("cli" : : : "memory"); }
inline void pause() { asm volatile("pause"); }
// Waits for an interrupt without losing one that arrives before: the STI takes effect only after the HLT began.
inline void wait_for_interrupt() { asm volatile("sti; hlt; cli" : : : "memory"); }
[[noreturn]] inline void halt_forever() {
    while (true) asm volatile("cli; hlt");
}

// DS, ES, FS and GS, or'ed.
inline u32 read_selectors() {
    u32 ds, es, fs, gs;
    asm volatile("mov %%ds, %0; mov %%es, %1; mov %%fs, %2; mov %%gs, %3" : "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs));
    return ds | es | fs | gs;
}

inline bool read_random(u64& value) {
    bool good;
    asm volatile("rdrand %0" : "=r"(value), "=@ccc"(good));
    return good;
}

inline void zero_quadwords(void* address, u64 count) {
    asm volatile("rep stosq" : "+D"(address), "+c"(count) : "a"(u64{0}) : "memory");
}

}  // namespace capos::kernel::x86
