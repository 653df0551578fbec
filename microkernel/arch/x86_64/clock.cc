// The monotonic clock: the TSC, measured once against a timer of known rate. All CPUs' counters are compared at start (smp.cc).
// ACPI 6.5 §4.8.3.3 (PM timer, 3.579545 MHz); Intel 8254 data sheet (PIT, 1.193182 MHz).

#include "arch/x86_64/instructions.h"
#include "arch/x86_64/machine.h"
#include "core/log.h"
#include "core/ports.h"

namespace capos::kernel {

namespace x86 {

namespace {

constexpr u64 kPmTimerHz = 3'579'545, kPitHz = 1'193'182;
constexpr u64 kWindowUs = 2'000;
constexpr u64 kNsPerSecond = 1'000'000'000;
constexpr u64 kApicStart = 0xffff'ffff;
constexpr unsigned kSampleTries = 5;
constexpr unsigned kReadsMax = 10'000'000;  // more than any timer that works needs

struct Scale {
    u64 zero{};          // TSC at time 0
    u64 ns_per_tick{};   // 32.32 fixed point
    u64 ticks_per_ns{};  // 32.32 fixed point
};
constinit Scale scale{};

u64 scaled(u64 value, u64 factor) { return static_cast<u64>(static_cast<unsigned __int128>(value) * factor >> 32); }

u16 read_pit() {
    out8(0x43, 0x80);  // latch counter 2
    const u8 low = in8(0x42);
    return static_cast<u16>(low | in8(0x42) << 8);
}

void start_pit() {
    out8(0x61, static_cast<u8>((in8(0x61) & ~2) | 1));  // gate of counter 2 on, speaker off
    out8(0x43, 0xb0);                                   // counter 2, low and high byte, mode 0
    out8(0x42, 0xff);
    out8(0x42, 0xff);
}

// The three counters at one moment.
struct Sample {
    u64 reference, tsc, apic;
};

// The most closely packed of a few readings: an SMI, or a host that runs something else, may come between.
template <typename Read>
Sample take_sample(Read read) {
    Sample best{};
    u64 best_spread = ~u64{0};
    for (unsigned i = 0; i < kSampleTries; ++i) {
        const u64 before = read_tsc(), reference = read(), apic = apic_timer_remaining(), spread = read_tsc() - before;
        if (spread >= best_spread) continue;
        best_spread = spread;
        best = {reference, before + spread / 2, apic};
    }
    return best;
}

// `read` counts up and wraps below `mask`. A tsc_hz of 0: it does not count.
template <typename Read>
ClockRates measure(u64 hz, u64 mask, Read read) {
    start_one_shot(kApicStart);
    const Sample first = take_sample(read);
    const u64 window = hz * kWindowUs / 1'000'000;
    for (unsigned reads = 0; reads < kReadsMax; ++reads) {
        if (((read() - first.reference) & mask) < window) continue;
        const Sample last = take_sample(read);
        start_one_shot(0);
        const u64 ticks = (last.reference - first.reference) & mask;
        return {(last.tsc - first.tsc) * hz / ticks, (first.apic - last.apic) * hz / ticks};
    }
    return {};
}

}  // namespace

ClockRates calibrate_clock(u32 pm_timer_port) {
    ClockRates rates{};
    if (pm_timer_port != 0) {  // of its 24 or 32 bits, 24 are always there
        rates = measure(kPmTimerHz, 0xff'ffff, [port = static_cast<u16>(pm_timer_port)] { return u64{in32(port)}; });
    }
    if (rates.tsc_hz == 0) {
        start_pit();
        rates = measure(kPitHz, 0xffff, [] { return u64{0xffff} - read_pit(); });
    }
    if (rates.tsc_hz == 0 || rates.apic_hz == 0) panic("no timer works: neither the ACPI timer nor the PIT");
    return rates;
}

void start_clock(u64 tsc_hz, u64 tsc_zero) {
    scale.ns_per_tick = (kNsPerSecond << 32) / tsc_hz;
    scale.ticks_per_ns = (tsc_hz / kNsPerSecond << 32) + (tsc_hz % kNsPerSecond << 32) / kNsPerSecond;
    scale.zero = tsc_zero;
}

u64 ns_of_ticks(u64 tsc_ticks) { return scaled(tsc_ticks, scale.ns_per_tick); }
Time now() { return Time{ns_of_ticks(read_tsc() - scale.zero)}; }

// Rounded up, so that an interrupt at that tick is not before `time`.
u64 tsc_at(Time time) { return scale.zero + scaled(time.ns, scale.ticks_per_ns) + 1; }

void delay(Duration duration) {
    const Time end = now() + duration;
    while (now() < end) pause();
}

}  // namespace x86

port::ClockScale port::clock_scale() { return {x86::scale.zero, x86::scale.ns_per_tick}; }
Time port::log_time() { return x86::scale.ns_per_tick == 0 ? Time{} : x86::now(); }

}  // namespace capos::kernel
