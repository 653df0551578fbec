// boot_memory.h - which memory the kernel may use, before there is an allocator: the firmware's map, less what is in use.
//
// Pure; boot/main.cc fills it in this order: firmware map, reservations, settle(), take_low_page(), carve().
#pragma once

#include <array>
#include <optional>
#include <span>

#include "core/frame_allocator.h"
#include "formats/multiboot2.h"

namespace capos::kernel {

class BootMemory {
public:
    static constexpr u64 kLowEnd = u64{1} << 20;    // below: real-mode memory, never handed to the allocator
    static constexpr u64 kCarveEnd = u64{1} << 32;  // carve() gives addresses below: the early direct map reaches them

    // `end` bounds what can be used. False: more ranges than there is room for.
    [[nodiscard]] bool add_firmware_map(std::span<const formats::MemoryRange> map, u64 end);
    // [start, end) is in use. False: more ranges than there is room for.
    [[nodiscard]] bool reserve(u64 start, u64 end);
    // True if something in [start, end) is reserved.
    bool reserved(u64 start, u64 end) const;
    // From here on free() has what is available and not reserved.
    void settle();

    // All RAM, ACPI tables included: what the direct map covers. Ascending and apart.
    std::span<const PhysicalRange> ram() const { return std::span{ram_}.first(ram_count_); }
    ByteCount ram_bytes() const;
    std::span<const PhysicalRange> free() const { return std::span{free_}.first(free_count_); }

    // Takes a page that real-mode code can run in, and everything else below kLowEnd out of free().
    std::optional<PhysicalAddress> take_low_page();
    // Takes whole pages for good, from the top of the largest free range below kCarveEnd; their contents are unknown.
    std::optional<PhysicalAddress> carve(ByteCount bytes);

private:
    using Ranges = std::array<PhysicalRange, formats::kMemoryRangesMax>;
    std::array<formats::MemoryRange, formats::kMemoryRangesMax> map_{};
    usize map_count_{};
    Ranges ram_{};
    usize ram_count_{};
    Ranges free_{};
    usize free_count_{};
};

}  // namespace capos::kernel
