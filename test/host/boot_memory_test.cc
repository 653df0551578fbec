// boot_memory_test.cc - nothing that is in use is ever handed to the allocator.
#include "boot/boot_memory.h"

#include <new>

#include <catch2/catch.hpp>

namespace capos::kernel {

namespace {

using formats::MemoryKind;
using formats::MemoryRange;

constexpr u64 kMiB = 1 << 20, kGiB = 1 << 30;
constexpr u64 kEverything = ~u64{0};

// A small BIOS machine: conventional memory, RAM with ACPI tables at its end, RAM above 4 GiB.
constexpr MemoryRange kMap[] = {{0, 0x9'fc00, MemoryKind::available},
                                {0x9'fc00, 0x10'0000, MemoryKind::reserved},
                                {kMiB, 127 * kMiB, MemoryKind::available},
                                {127 * kMiB, 128 * kMiB, MemoryKind::acpi_reclaimable},
                                {4 * kGiB, 5 * kGiB, MemoryKind::available}};

bool is_free(const BootMemory& memory, u64 start, u64 end) {
    for (const PhysicalRange& range : memory.free()) {
        if (range.start.value < end && start < range.end.value) return true;
    }
    return false;
}

}  // namespace

TEST_CASE("boot memory: reservations and ACPI tables are never free, and all of RAM is known") {
    BootMemory memory;
    REQUIRE(memory.add_firmware_map(kMap, kEverything));
    REQUIRE(memory.reserve(2 * kMiB + 5, 2 * kMiB + 9000));
    memory.settle();
    CHECK_FALSE(is_free(memory, 2 * kMiB, 2 * kMiB + 3 * kPageBytes));
    CHECK(is_free(memory, 2 * kMiB + 3 * kPageBytes, 2 * kMiB + 4 * kPageBytes));
    CHECK_FALSE(is_free(memory, 127 * kMiB, 128 * kMiB));
    CHECK_FALSE(is_free(memory, 0x9'f000, kMiB));
    // Whole pages only: the last 3 KiB below the firmware's data are lost.
    CHECK(memory.ram_bytes().value == 0x9'f000 + 127 * kMiB + kGiB);
}

TEST_CASE("boot memory: what lies above the limit is not used") {
    BootMemory memory;
    REQUIRE(memory.add_firmware_map(kMap, 4 * kGiB + 16 * kMiB));
    memory.settle();
    CHECK(memory.free().back().end.value == 4 * kGiB + 16 * kMiB);
    CHECK(memory.ram().back().end.value == 4 * kGiB + 16 * kMiB);
}

TEST_CASE("boot memory: the low page is free, not page 0, and below the reserved start-up vectors; nothing low stays free") {
    BootMemory memory;
    REQUIRE(memory.add_firmware_map(kMap, kEverything));
    REQUIRE(memory.reserve(0x1000, 0x2000));
    memory.settle();
    const auto page = memory.take_low_page();
    REQUIRE(page.has_value());
    CHECK(page->value == 0x2000);
    CHECK_FALSE(is_free(memory, 0, BootMemory::kLowEnd));

    constexpr MemoryRange no_low_memory[] = {{kMiB, 64 * kMiB, MemoryKind::available}};
    BootMemory other;
    REQUIRE(other.add_firmware_map(no_low_memory, kEverything));
    other.settle();
    CHECK_FALSE(other.take_low_page().has_value());
}

TEST_CASE("boot memory: carving takes whole pages below 4 GiB, once, and never all of a range") {
    BootMemory memory;
    REQUIRE(memory.add_firmware_map(kMap, kEverything));
    memory.settle();
    const auto first = memory.carve(ByteCount{kPageBytes + 1}), second = memory.carve(ByteCount{1});
    REQUIRE((first.has_value() && second.has_value()));
    CHECK(first->value == 127 * kMiB - 2 * kPageBytes);
    CHECK(second->value == first->value - kPageBytes);
    CHECK_FALSE(is_free(memory, second->value, 127 * kMiB));
    CHECK_FALSE(memory.carve(ByteCount{126 * kMiB}).has_value());
    CHECK_FALSE(memory.carve(ByteCount{512 * kMiB}).has_value());  // the range above 4 GiB is not looked at
}

TEST_CASE("boot memory: a range too many is refused, not dropped") {
    BootMemory memory;
    for (usize i = 0; i < formats::kMemoryRangesMax; ++i) REQUIRE(memory.reserve(i * kPageBytes, (i + 1) * kPageBytes));
    CHECK_FALSE(memory.reserve(0, kPageBytes));
    CHECK_FALSE(memory.add_firmware_map(kMap, kEverything));
}

TEST_CASE("boot memory: a module's tail is clear only of what is reserved") {
    BootMemory memory;
    REQUIRE(memory.add_firmware_map(kMap, kEverything));
    REQUIRE(memory.reserve(3 * kMiB, 3 * kMiB + 100));
    CHECK_FALSE(memory.reserved(3 * kMiB + 100, 3 * kMiB + kPageBytes));
    CHECK(memory.reserved(3 * kMiB + 99, 3 * kMiB + kPageBytes));
    CHECK_FALSE(memory.reserved(3 * kMiB - 10, 3 * kMiB));
}

}  // namespace capos::kernel
