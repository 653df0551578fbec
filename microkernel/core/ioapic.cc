#include "core/ioapic.h"

#include <algorithm>

namespace capos::kernel {

namespace {

// Register indices (82093AA §3.2). Each line has a redirection entry of two registers.
constexpr u8 kVersion = 0x01;
constexpr u8 kRedirection = 0x10;
constexpr u32 kLinesMax = 120;  // whose registers an 8-bit index reaches
static_assert(kRedirection + 2 * kLinesMax - 1 == 0xff);

// Low half of a redirection entry (§3.2.4). Delivery status (12) and remote IRR (14) are read-only.
constexpr u32 kVectorMask = 0xff, kDeliveryMode = 7 << 8, kLogicalDestination = 1 << 11, kActiveLow = 1 << 13;
constexpr u32 kLevelTriggered = 1 << 15, kMasked = 1 << 16;
constexpr u32 kRouteMask = kVectorMask | kDeliveryMode | kLogicalDestination | kActiveLow | kLevelTriggered;
// High half: bits 24 to 31 are the destination.
constexpr unsigned kDestinationShift = 24;
constexpr u32 kDestinationMask = u32{0xff} << kDestinationShift;

constexpr u8 kVectorLowest = 16;

constexpr u8 low_of(u32 line) { return static_cast<u8>(kRedirection + 2 * line); }
constexpr u8 high_of(u32 line) { return static_cast<u8>(kRedirection + 2 * line + 1); }

}  // namespace

InterruptSource isa_interrupt_source(std::span<const formats::MadtOverride> overrides, u8 isa_interrupt) {
    for (const formats::MadtOverride& entry : overrides) {
        if (entry.isa_interrupt == isa_interrupt) return {entry.interrupt, entry.active_low, entry.level_triggered};
    }
    return {isa_interrupt, false, false};
}

IoApic::IoApic(IoApicPort port, u32 first_interrupt) : port_{port}, first_interrupt_{first_interrupt} {
    for (u32 line = 0; line < lines(); ++line) set_mask(line, true);
}

u32 IoApic::lines() const { return std::min((port_.read(kVersion) >> 16 & 0xff) + 1, kLinesMax); }

std::optional<u32> IoApic::line_of(u32 interrupt) const {
    if (interrupt < first_interrupt_ || interrupt - first_interrupt_ >= lines()) return std::nullopt;
    return interrupt - first_interrupt_;
}

bool IoApic::route(u32 line, const InterruptRoute& route) {
    if (line >= lines() || route.vector < kVectorLowest) return false;
    // Masked first: the two halves are written one after the other, and no interrupt may see one old and one new.
    set_mask(line, true);
    const u32 high = port_.read(high_of(line)) & ~kDestinationMask;
    port_.write(high_of(line), high | u32{route.destination} << kDestinationShift);
    const u32 low = port_.read(low_of(line)) & ~kRouteMask;
    port_.write(low_of(line), low | route.vector | (route.active_low ? kActiveLow : 0) |
                                  (route.level_triggered ? kLevelTriggered : 0));
    return true;
}

bool IoApic::mask(u32 line) { return line < lines() && set_mask(line, true); }
bool IoApic::unmask(u32 line) { return line < lines() && set_mask(line, false); }

bool IoApic::set_mask(u32 line, bool masked) {
    const u32 low = port_.read(low_of(line));
    port_.write(low_of(line), masked ? low | kMasked : low & ~kMasked);
    return true;
}

std::optional<bool> IoApic::masked(u32 line) const {
    if (line >= lines()) return std::nullopt;
    return (port_.read(low_of(line)) & kMasked) != 0;
}

std::optional<InterruptRoute> IoApic::current_route(u32 line) const {
    if (line >= lines()) return std::nullopt;
    const u32 low = port_.read(low_of(line)), high = port_.read(high_of(line));
    return InterruptRoute{.vector = static_cast<u8>(low & kVectorMask),
                          .destination = static_cast<u8>(high >> kDestinationShift),
                          .active_low = (low & kActiveLow) != 0,
                          .level_triggered = (low & kLevelTriggered) != 0};
}

}  // namespace capos::kernel
