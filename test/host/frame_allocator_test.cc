// The buddy allocator against a model that knows each frame: no overlap, alignment, full coalescing, exhaustion.
#include <new>

#include <catch2/catch.hpp>
#include <random>
#include <set>
#include <vector>

#include "core/frame_allocator.h"
#include "host/support/machine.h"

using namespace capos;
using namespace capos::kernel;
using test::AssertionFailed;

namespace {

PhysicalRange frames(u64 first, u64 count) {
    return {PhysicalAddress{first * kPageBytes}, PhysicalAddress{(first + count) * kPageBytes}};
}

// An allocator over the ranges, its metadata, and which frames it may give.
struct Fixture {
    explicit Fixture(std::vector<PhysicalRange> memory)
        : ranges{std::move(memory)}, metadata(FrameAllocator::metadata_bytes(ranges).value / 8) {
        allocator.initialise(ranges.front().start, ranges.back().end, std::as_writable_bytes(std::span{metadata}));
        for (const PhysicalRange& range : ranges) {
            allocator.add_range(range);
            for (u64 f = range.start.value; f < range.end.value; f += kPageBytes) free.insert(f >> kPageShift);
        }
    }

    // Takes a block and checks that the model has all its frames free.
    std::optional<PhysicalAddress> take(unsigned order) {
        const auto block = allocator.allocate(order);
        if (!block) return block;
        REQUIRE(block->value % (kPageBytes << order) == 0);
        for (u64 i = 0; i < u64{1} << order; ++i) REQUIRE(free.erase((block->value >> kPageShift) + i) == 1);
        REQUIRE(allocator.free_frames() == free.size());
        return block;
    }
    void give(PhysicalAddress block, unsigned order) {
        allocator.free(block, order);
        for (u64 i = 0; i < u64{1} << order; ++i) REQUIRE(free.insert((block.value >> kPageShift) + i).second);
        REQUIRE(allocator.free_frames() == free.size());
    }
    // How many blocks of each order there are when taken greedily from the largest: the same exactly when all has coalesced.
    std::vector<u64> shape() {
        std::vector<u64> counts;
        std::vector<std::pair<PhysicalAddress, unsigned>> taken;
        for (unsigned order = FrameAllocator::kOrders; order-- > 0;) {
            counts.push_back(0);
            while (const auto block = take(order)) {
                taken.emplace_back(*block, order);
                ++counts.back();
            }
        }
        for (const auto& [block, order] : taken) give(block, order);
        return counts;
    }

    std::vector<PhysicalRange> ranges;
    std::vector<u64> metadata;
    FrameAllocator allocator;
    std::set<u64> free;
};

std::vector<PhysicalRange> odd_memory() { return {frames(1, 158), frames(256, 1000), frames(1537, 511), frames(5000, 3)}; }

}  // namespace

TEST_CASE("blocks never overlap, are aligned, and coalesce back to the first state") {
    std::mt19937_64 random{8};
    Fixture f{odd_memory()};
    const u64 total = f.allocator.total_frames();
    CHECK(total == 158 + 1000 + 511 + 3);
    CHECK(f.allocator.free_frames() == total);
    const std::vector<u64> shape = f.shape();
    std::vector<std::pair<PhysicalAddress, unsigned>> held;
    for (int round = 0; round < 6000; ++round) {
        if (random() % 2 != 0) {
            const auto order = static_cast<unsigned>(random() % (random() % 4 != 0 ? 3 : FrameAllocator::kOrders));
            if (const auto block = f.take(order)) held.emplace_back(*block, order);
        } else if (!held.empty()) {
            std::swap(held[random() % held.size()], held.back());
            f.give(held.back().first, held.back().second);
            held.pop_back();
        }
    }
    for (const auto& [block, order] : held) f.give(block, order);
    CHECK(f.allocator.free_frames() == total);
    CHECK(f.shape() == shape);
}

TEST_CASE("every frame of odd memory can be allocated, and then there is nothing") {
    Fixture f{odd_memory()};
    u64 count = 0;
    while (f.take(0)) ++count;
    CHECK(count == f.allocator.total_frames());
    for (unsigned order = 0; order < FrameAllocator::kOrders; ++order) CHECK_FALSE(f.allocator.allocate(order));
    CHECK(f.allocator.free_frames() == 0);
}

TEST_CASE("a large block is not given while only fragments are free") {
    Fixture f{{frames(512, 512)}};
    std::vector<PhysicalAddress> all;
    while (const auto frame = f.take(0)) all.push_back(*frame);
    for (const PhysicalAddress frame : all) {
        if ((frame.value >> kPageShift) % 2 == 0) f.give(frame, 0);
    }
    CHECK(f.allocator.free_frames() == 256);
    CHECK_FALSE(f.allocator.allocate(1));
    for (const PhysicalAddress frame : all) {
        if ((frame.value >> kPageShift) % 2 != 0) f.give(frame, 0);
    }
    CHECK(f.take(FrameAllocator::kOrderMax));
}

TEST_CASE("memory that starts high needs metadata for its span only") {
    const std::vector<PhysicalRange> high{frames(0x10'0000, 512)};
    CHECK(FrameAllocator::metadata_bytes(high) == ByteCount{512 * 8});
    CHECK(FrameAllocator::metadata_bytes({}) == ByteCount{0});
    Fixture f{high};
    CHECK(f.take(FrameAllocator::kOrderMax) == high[0].start);
}

TEST_CASE("an injected failure hits exactly the chosen allocation") {
    Fixture f{{frames(0, 64)}};
    f.allocator.fail_allocation(3);
    CHECK(f.take(0));
    CHECK(f.take(0));
    CHECK_FALSE(f.take(0));
    CHECK(f.take(0));
    f.allocator.fail_allocation(0);
    for (int i = 0; i < 10; ++i) CHECK(f.take(0));
}

TEST_CASE("freeing what was not allocated is an assertion") {
    Fixture f{{frames(512, 512)}};
    const auto block = f.take(2);
    REQUIRE(block);
    CHECK_THROWS_AS(f.allocator.free(*block, 1), AssertionFailed);                           // another order
    CHECK_THROWS_AS(f.allocator.free(*block + PageCount{1}, 0), AssertionFailed);            // inside the block
    CHECK_THROWS_AS(f.allocator.free(*block + ByteCount{8}, 2), AssertionFailed);            // not a page
    CHECK_THROWS_AS(f.allocator.free(PhysicalAddress{kPageBytes * 4096}, 0), AssertionFailed);  // beyond all memory
    CHECK_THROWS_AS(f.allocator.free(PhysicalAddress{0}, 0), AssertionFailed);               // below all memory
    f.allocator.free(*block, 2);
    CHECK_THROWS_AS(f.allocator.free(*block, 2), AssertionFailed);  // twice
    CHECK_THROWS_AS(f.allocator.allocate(FrameAllocator::kOrders), AssertionFailed);
}
