// What the processor can do (Intel SDM vol. 2A, CPUID) and how it is set up (vol. 3A chapter 2).

#include <cstring>

#include "arch/x86_64/instructions.h"
#include "arch/x86_64/machine.h"
#include "core/ports.h"

namespace capos::kernel::x86 {

namespace {

constexpr bool bit(u32 word, unsigned n) { return (word >> n & 1) != 0; }

constexpr u64 kCr0 = 1u << 31 | 1 << 18 | 1 << 16 | 1 << 5 | 1 << 4 | 1 << 1 | 1;  // PG AM WP NE ET MP PE
constexpr u64 kCr4Pae = 1 << 5, kCr4Mce = 1 << 6, kCr4Pge = 1 << 7, kCr4Osfxsr = 1 << 9, kCr4Osxmmexcpt = 1 << 10;
constexpr u64 kCr4Umip = 1 << 11, kCr4Fsgsbase = 1 << 16, kCr4Osxsave = 1 << 18, kCr4Smep = 1 << 20, kCr4Smap = 1 << 21;

constexpr u32 kMsrEfer = 0xc000'0080, kMsrStar = 0xc000'0081, kMsrLstar = 0xc000'0082, kMsrSfmask = 0xc000'0084;
constexpr u64 kEfer = 1 << 11 | 1 << 8 | 1;             // NXE LME SCE
constexpr u64 kSyscallClears = 0x257fd5;                // every flag but the reserved ones: IF, TF, DF, AC, NT, ...
constexpr u64 kDebugControl = 0x400;                    // no breakpoint; bit 10 is always 1
constexpr u32 kMsrArchCapabilities = 0x10a;

constinit CpuFeatures read_features{};

bool intel() {
    const CpuidResult vendor = cpuid(0);
    return vendor.ebx == 0x756e'6547 && vendor.edx == 0x4965'6e69 && vendor.ecx == 0x6c65'746e;  // "GenuineIntel"
}

}  // namespace

const char* missing_feature() {
    const CpuidResult one = cpuid(1), seven = cpuid(7), extended = cpuid(0x8000'0001);
    if (!bit(one.edx, 4)) return "a time-stamp counter (TSC)";
    if (!bit(one.edx, 9)) return "a local APIC";
    if (!bit(one.edx, 13)) return "global pages (PGE)";
    if (!bit(one.edx, 24) || !bit(one.edx, 26)) return "SSE2";
    if (!bit(one.ecx, 26)) return "XSAVE";
    if (cpuid(0).eax < 7 || !bit(seven.ebx, 0)) return "FSGSBASE";
    if (!bit(extended.edx, 11)) return "SYSCALL";
    if (!bit(extended.edx, 20)) return "no-execute pages (NX)";
    return nullptr;
}

const CpuFeatures& read_cpu_features() {
    const CpuidResult one = cpuid(1), seven = cpuid(7), extended = cpuid(0x8000'0001), xsave = cpuid(0xd, 1);
    CpuFeatures& f = read_features;
    f.smep = bit(seven.ebx, 7);
    f.smap = bit(seven.ebx, 20);
    f.umip = bit(seven.ecx, 2);
    f.x2apic = bit(one.ecx, 21);
    f.tsc_deadline = bit(one.ecx, 24);
    f.pages_1g = bit(extended.edx, 26);
    f.xsaveopt = bit(xsave.eax, 0);
    f.avx = bit(one.ecx, 28);
    f.rdrand = bit(one.ecx, 30);
    f.invariant_tsc = cpuid(0x8000'0000).eax >= 0x8000'0007 && bit(cpuid(0x8000'0007).edx, 8);
    // Rogue data cache load: Intel's CPUs that do not say RDCL_NO (SDM vol. 4, IA32_ARCH_CAPABILITIES).
    f.leaks_kernel_pages = intel() && !(bit(seven.edx, 29) && (read_msr(kMsrArchCapabilities) & 1) != 0);
    f.xcr0 = f.avx ? 7 : 3;                  // x87, SSE, AVX
    f.fpu_bytes = f.avx ? 512 + 64 + 256 : 512 + 64;  // standard format: legacy area, header, AVX at 576 (SDM vol. 1 §13.4)
    return f;
}

const CpuFeatures& cpu_features() { return read_features; }

void enable_cpu_features() {
    const CpuFeatures& f = read_features;
    write_cr0(kCr0);
    u64 cr4 = kCr4Pae | kCr4Mce | kCr4Pge | kCr4Osfxsr | kCr4Osxmmexcpt | kCr4Fsgsbase | kCr4Osxsave;
    if (f.umip) cr4 |= kCr4Umip;
    if (f.smep) cr4 |= kCr4Smep;
    if (f.smap) cr4 |= kCr4Smap;
    write_cr4(cr4);
    write_debug_control(kDebugControl);
    asm volatile("xsetbv" : : "c"(0), "a"(static_cast<u32>(f.xcr0)), "d"(0));
    write_msr(kMsrEfer, kEfer);
    write_msr(kMsrStar, u64{KERNEL_DATA} << 48 | u64{KERNEL_CODE} << 32);
    write_msr(kMsrLstar, reinterpret_cast<u64>(&x86_syscall_entry));
    write_msr(kMsrSfmask, kSyscallClears);
}

}  // namespace capos::kernel::x86

namespace capos::kernel {

u32 port::fpu_bytes() { return x86::cpu_features().fpu_bytes; }

void port::initialise_fpu(std::byte* area) {
    std::memset(area, 0, fpu_bytes());
    const u16 control = 0x37f;      // x87: all exceptions masked, extended precision (SDM vol. 1 §8.1.5)
    const u32 mxcsr = 0x1f80;       // SSE: all exceptions masked (§10.2.3)
    std::memcpy(area, &control, sizeof control);
    std::memcpy(area + 24, &mxcsr, sizeof mxcsr);
    // XSTATE_BV: x87 and SSE state come from this image, so that MXCSR is loaded; AVX is in its initial state.
    const u64 present = 3;
    std::memcpy(area + 512, &present, sizeof present);
}

}  // namespace capos::kernel
