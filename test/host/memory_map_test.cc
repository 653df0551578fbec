// normalise_memory_map against a model that decides byte by byte and then page by page what may be used.
#include <new>

#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "formats/multiboot2.h"

using namespace capos;
using namespace capos::formats;

namespace {

constexpr u64 kPage = 4096;
constexpr u64 kGrain = 512;  // all boundaries of the random maps are multiples of it
constexpr u64 kPages = 64;

std::vector<MemoryRange> normalised(std::vector<MemoryRange> ranges) {
    ranges.resize(normalise_memory_map(ranges));
    return ranges;
}

// A page is usable if each of its grains is in an available range and in no other kind of range.
bool usable(const std::vector<MemoryRange>& map, u64 page) {
    for (u64 grain = page * kPage; grain < (page + 1) * kPage; grain += kGrain) {
        bool available = false;
        for (const MemoryRange& range : map) {
            if (grain < range.start || grain >= range.end) continue;
            if (range.kind != MemoryKind::available) return false;
            available = true;
        }
        if (!available) return false;
    }
    return true;
}

bool contains(const std::vector<MemoryRange>& map, u64 page) {
    for (const MemoryRange& range : map) {
        if (range.start <= page * kPage && range.end >= (page + 1) * kPage) return true;
    }
    return false;
}

}  // namespace

TEST_CASE("a normalised memory map has exactly the pages that no firmware range forbids") {
    std::mt19937_64 random{1};
    for (int round = 0; round < 1000; ++round) {
        std::vector<MemoryRange> map;
        for (u64 i = random() % 12; i > 0; --i) {
            const u64 start = random() % (kPages * kPage / kGrain) * kGrain, bytes = (1 + random() % 128) * kGrain;
            const auto kind = random() % 3 != 0 ? MemoryKind::available : static_cast<MemoryKind>(random() % 7);
            map.push_back({start, start + bytes, kind});
        }
        const std::vector<MemoryRange> result = normalised(map);
        u64 previous_end = 0;
        for (const MemoryRange& range : result) {
            REQUIRE(range.kind == MemoryKind::available);
            REQUIRE(range.start % kPage == 0);
            REQUIRE(range.end % kPage == 0);
            REQUIRE(range.start < range.end);
            REQUIRE((range.start > previous_end || previous_end == 0));
            previous_end = range.end;
        }
        for (u64 page = 0; page < kPages + 32; ++page) REQUIRE(contains(result, page) == usable(map, page));
        REQUIRE(normalised(result) == result);
    }
}

TEST_CASE("neighbouring ranges merge before they are shrunk to pages") {
    CHECK(normalised({{0x1000, 0x1800, MemoryKind::available}, {0x1800, 0x3000, MemoryKind::available}}) ==
          std::vector<MemoryRange>{{0x1000, 0x3000, MemoryKind::available}});
}

TEST_CASE("unknown kinds of memory count as not available") {
    CHECK(normalised({{0x1000, 0x4000, MemoryKind::available}, {0x2000, 0x3000, static_cast<MemoryKind>(99)}}) ==
          std::vector<MemoryRange>{{0x1000, 0x2000, MemoryKind::available}, {0x3000, 0x4000, MemoryKind::available}});
}

TEST_CASE("a full memory map of 128 ranges that split each other gives no more than 128") {
    std::vector<MemoryRange> map{{0, 0x10'0000'0000, MemoryKind::available}};
    while (map.size() < kMemoryRangesMax) {
        map.push_back({map.size() * 0x10000, map.size() * 0x10000 + 0x1000, MemoryKind::reserved});
    }
    CHECK(normalised(map).size() == kMemoryRangesMax);
}

TEST_CASE("memory at the very end of the address space is handled without wrapping") {
    CHECK(normalised({{~u64{0} - 0x2000, ~u64{0}, MemoryKind::available}}) ==
          std::vector<MemoryRange>{{~u64{0} - 0x1fff, ~u64{0} - 0xfff, MemoryKind::available}});
    CHECK(normalised({{~u64{0} - 0x10, ~u64{0}, MemoryKind::available}}).empty());
    CHECK(normalised({}).empty());
}
