#include "boot/boot_memory.h"

#include <algorithm>

namespace capos::kernel {

namespace {

using formats::MemoryKind;
using formats::MemoryRange;

constexpr u64 kRealModeEnd = 0xa'0000;  // of what a start-up IPI can name: vectors A0 to BF are reserved (SDM vol. 3A §8.4.3)

bool is_ram(MemoryKind kind) {
    return kind == MemoryKind::available || kind == MemoryKind::acpi_reclaimable || kind == MemoryKind::acpi_nvs;
}

template <typename Ranges>
usize normalised(std::span<MemoryRange> map, Ranges& into) {
    const usize count = formats::normalise_memory_map(map);
    for (usize i = 0; i < count; ++i) into[i] = {PhysicalAddress{map[i].start}, PhysicalAddress{map[i].end}};
    return count;
}

u64 bytes_of(const PhysicalRange& range) { return (range.end - range.start).value; }

}  // namespace

bool BootMemory::add_firmware_map(std::span<const MemoryRange> map, u64 end) {
    for (MemoryRange range : map) {
        range.end = std::min(range.end, end);
        if (range.start >= range.end) continue;
        if (map_count_ == map_.size()) return false;
        map_[map_count_++] = range;
    }
    auto memory = map_;
    usize count = 0;
    for (const MemoryRange& range : std::span{map_}.first(map_count_)) {
        if (is_ram(range.kind)) memory[count++] = {range.start, range.end, MemoryKind::available};
    }
    ram_count_ = normalised(std::span{memory}.first(count), ram_);
    return true;
}

bool BootMemory::reserve(u64 start, u64 end) {
    if (start >= end) return true;
    if (map_count_ == map_.size()) return false;
    map_[map_count_++] = {start, end, MemoryKind::reserved};
    return true;
}

bool BootMemory::reserved(u64 start, u64 end) const {
    return std::ranges::any_of(std::span{map_}.first(map_count_), [&](const MemoryRange& range) {
        return range.kind == MemoryKind::reserved && range.start < end && start < range.end;
    });
}

void BootMemory::settle() { free_count_ = normalised(std::span{map_}.first(map_count_), free_); }

ByteCount BootMemory::ram_bytes() const {
    ByteCount sum{};
    for (const PhysicalRange& range : ram()) sum += range.end - range.start;
    return sum;
}

std::optional<PhysicalAddress> BootMemory::take_low_page() {
    std::optional<PhysicalAddress> page;
    usize kept = 0;
    for (PhysicalRange range : free()) {
        // Page 0 holds the real-mode interrupt table, which some firmware still uses.
        const PhysicalAddress first{std::max(range.start.value, kPageBytes)};
        if (!page && first.value + kPageBytes <= std::min(range.end.value, kRealModeEnd)) page = first;
        range.start.value = std::max(range.start.value, kLowEnd);
        if (range.start < range.end) free_[kept++] = range;
    }
    free_count_ = kept;
    return page;
}

std::optional<PhysicalAddress> BootMemory::carve(ByteCount bytes) {
    const u64 size = kernel::bytes_of(pages_for(bytes)).value;
    PhysicalRange* best = nullptr;
    for (PhysicalRange& range : std::span{free_}.first(free_count_)) {
        if (range.end.value <= kCarveEnd && (best == nullptr || bytes_of(range) > bytes_of(*best))) best = &range;
    }
    // What would be left must still be a range.
    if (best == nullptr || bytes_of(*best) <= size) return std::nullopt;
    best->end.value -= size;
    return best->end;
}

}  // namespace capos::kernel
