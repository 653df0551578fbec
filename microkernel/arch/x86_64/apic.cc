// The local APIC (Intel SDM vol. 3A chapter 10): xAPIC registers in memory, or x2APIC MSRs where the CPU has them. One-shot
// timer: TSC-deadline where the CPU has it.

#include <algorithm>

#include "arch/x86_64/instructions.h"
#include "arch/x86_64/machine.h"

namespace capos::kernel::x86 {

namespace {

enum Register : u32 {  // byte offset in memory; the MSR is 0x800 + offset / 16 (SDM table 10-6)
    kId = 0x020,
    kTaskPriority = 0x080,
    kEndOfInterrupt = 0x0b0,
    kSpurious = 0x0f0,
    kCommandLow = 0x300,
    kCommandHigh = 0x310,
    kTimer = 0x320,
    kPerformance = 0x340,
    kLint0 = 0x350,
    kLint1 = 0x360,
    kError = 0x370,
    kInitialCount = 0x380,
    kCurrentCount = 0x390,
    kDivide = 0x3e0,
};
constexpr u32 kMasked = 1 << 16, kNmiDelivery = 4 << 8, kTscDeadline = 2 << 17, kSoftwareEnable = 1 << 8;
constexpr u32 kInit = 5 << 8, kStartup = 6 << 8, kAssert = 1 << 14, kAllButSelf = 3 << 18, kDeliveryPending = 1 << 12;
constexpr u32 kMsrApicBase = 0x1b, kMsrTscDeadline = 0x6e0, kMsrX2Apic = 0x800, kMsrX2ApicCommand = 0x830;
constexpr u64 kApicEnable = 1 << 11, kX2ApicEnable = 1 << 10;
constexpr u32 kBroadcast = 0xff;  // the highest of 8-bit ids
constexpr u64 kNsPerSecond = 1'000'000'000;

struct LocalApic {
    volatile std::byte* registers{};
    bool x2apic{};
    bool tsc_deadline{};
    u64 ticks_per_ns{};  // of the timer, 32.32 fixed point; 0 until it is known
};
constinit LocalApic apic{};

u32 read(Register r) {
    if (apic.x2apic) return static_cast<u32>(read_msr(kMsrX2Apic + r / 16));
    return *reinterpret_cast<volatile u32*>(apic.registers + r);
}
void write(Register r, u32 value) {
    if (apic.x2apic) return write_msr(kMsrX2Apic + r / 16, value);
    *reinterpret_cast<volatile u32*>(apic.registers + r) = value;
}

void command(u32 apic_id, u32 low) {
    if (apic.x2apic) {
        serialise();  // the write is not: what the other CPU shall see must be out before it (SDM vol. 3A §10.12.3)
        return write_msr(kMsrX2ApicCommand, u64{apic_id} << 32 | low);
    }
    for (unsigned i = 0; i < 1'000'000 && (read(kCommandLow) & kDeliveryPending) != 0; ++i) pause();
    write(kCommandHigh, apic_id << 24);
    write(kCommandLow, low);
}

}  // namespace

void map_local_apic(u64 physical, bool may_use_x2apic) {
    // There is no way back from x2APIC mode but a reset, so firmware's choice of it stands.
    const bool chosen = cpu_features().x2apic && (read_msr(kMsrApicBase) & kX2ApicEnable) != 0;
    apic.x2apic = chosen || (cpu_features().x2apic && may_use_x2apic);
    apic.tsc_deadline = cpu_features().tsc_deadline;
    if (!apic.x2apic) apic.registers = map_device(PhysicalAddress{physical}, kPageBytes);
    if (!apic.x2apic && apic.registers == nullptr) panic("no memory for the local APIC's registers");
}

void enable_local_apic() {
    const u64 base = read_msr(kMsrApicBase);
    write_msr(kMsrApicBase, base | kApicEnable | (apic.x2apic ? kX2ApicEnable : 0));
    // First: while the APIC is disabled by software, all entries of the vector table stay masked (SDM vol. 3A §10.4.7.2).
    write(kSpurious, kSoftwareEnable | kSpuriousVector);
    write(kTaskPriority, 0);
    write(kLint0, kMasked);
    write(kLint1, kNmiDelivery);
    write(kPerformance, kMasked);
    write(kError, kMasked);
    write(kDivide, 0xb);  // divide by 1
    write(kTimer, apic.ticks_per_ns == 0 ? kMasked : apic.tsc_deadline ? kTimerVector | kTscDeadline : u32{kTimerVector});
    // In deadline mode the write to a register in memory must come before any write of the MSR (§10.5.4.1).
    serialise();
}

void set_apic_timer_rate(u64 hz) {
    apic.ticks_per_ns = (hz / kNsPerSecond << 32) + (hz % kNsPerSecond << 32) / kNsPerSecond;
    enable_local_apic();
}

bool reaches(u32 apic_id) { return apic.x2apic || apic_id < kBroadcast; }
u32 local_apic_id() { return apic.x2apic ? read(kId) : read(kId) >> 24; }
void end_of_interrupt() { write(kEndOfInterrupt, 0); }
void start_one_shot(u64 apic_ticks) { write(kInitialCount, static_cast<u32>(std::min<u64>(apic_ticks, 0xffff'ffff))); }
u64 apic_timer_remaining() { return read(kCurrentCount); }

void set_timer_deadline(Time deadline) {
    if (apic.tsc_deadline) return write_msr(kMsrTscDeadline, deadline == kNever ? 0 : tsc_at(deadline));
    if (deadline == kNever) return start_one_shot(0);
    const Time current = now();
    const u64 ns = deadline > current ? (deadline - current).value : 0;
    // Rounded up. A wait longer than the counter holds fires early; timer_due() then sets it again.
    start_one_shot(static_cast<u64>(static_cast<unsigned __int128>(ns) * apic.ticks_per_ns >> 32) + 1);
}

void send_vector(u32 apic_id, u8 vector) { command(apic_id, kAssert | vector); }
void send_init(u32 apic_id) { command(apic_id, kInit | kAssert); }
void send_startup(u32 apic_id, u8 page) { command(apic_id, kStartup | kAssert | page); }
void send_nmi_to_others() { command(0, kNmiDelivery | kAssert | kAllButSelf); }

void mask_legacy_pic() {
    // Remapped away from the exceptions first: a masked PIC can still raise a spurious interrupt 7 or 15.
    out8(0x20, 0x11), out8(0xa0, 0x11);
    out8(0x21, 0x20), out8(0xa1, 0x28);
    out8(0x21, 0x04), out8(0xa1, 0x02);
    out8(0x21, 0x01), out8(0xa1, 0x01);
    out8(0x21, 0xff), out8(0xa1, 0xff);
}

}  // namespace capos::kernel::x86
