// interrupt.h - interrupts of devices, on their way from the machine to whoever receives them.
//
//                    arrives                  delivered                acknowledged
//      (quiet) ------------------> pending ------------------> in service -------------> (quiet)
//                                                              in service, and pending  -> delivered again
//
// Rules (R16: whether a line is masked stands in its register alone; here is only what it has to be, after each step):
//  - a line that signals by its level is masked while `pending || in_service`: it would fire again at once;
//  - one that signals by edges is masked while `pending`: another edge could say nothing new, and costs nothing this way. The
//    receiver looks at the device after delivery, and so after the line was unmasked;
//  - the line of a claim that is dead is masked when the claim is released.
// So a driver that never acknowledges, or a device that never stops, costs two interrupts and no more.
//
// The machine layer knows an interrupt by its number, a place in Kernel::interrupts_, and turns it into a vector. It notes each
// arrival in Cpu::arrived, on the CPU that took it and with interrupts off; the next step of that CPU takes them in. Until that
// step is over it withholds the end of interrupt. An arrival that was on its way when its number got a new owner is the new
// owner's: a signal without cause.
//
// Guarded by the kernel lock, except Cpu::arrived, which is its own CPU's.
#pragma once

#include <bit>
#include <optional>

#include "core/endpoint.h"
#include "core/ioapic.h"

namespace capos::kernel {

inline constexpr u32 kInterruptsMax = 128;

class Interrupt : public SignalSource {
public:
    Interrupt(const InterruptSource& from, u32 place) : SignalSource{ObjectType::interrupt}, source{from}, number{place} {}

    InterruptSource source;
    u32 number;           // in Kernel::interrupts_ until it is released
    bool pending{};       // has arrived, and nobody has been told
    bool in_service{};    // delivered, not acknowledged
};

// Numbers of interrupts.
class InterruptSet {
public:
    bool empty() const { return (words_[0] | words_[1]) == 0; }
    u32 count() const { return static_cast<u32>(std::popcount(words_[0]) + std::popcount(words_[1])); }
    void add(u32 number) { words_[number / 64] |= u64{1} << number % 64; }
    // Takes the lowest one out; nothing when there is none.
    std::optional<u32> take() {
        for (u32 i = 0; i < 2; ++i) {
            if (words_[i] == 0) continue;
            const auto bit = static_cast<u32>(std::countr_zero(words_[i]));
            words_[i] &= words_[i] - 1;
            return 64 * i + bit;
        }
        return std::nullopt;
    }

private:
    u64 words_[kInterruptsMax / 64]{};
};

}  // namespace capos::kernel
