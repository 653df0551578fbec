// The kernel's side of a ring: index games of the user, wrap-around at 2^32, completion slots owned before they are used.
#include <new>

#include <catch2/catch.hpp>
#include <deque>
#include <random>
#include <vector>

#include "core/ring.h"
#include "host/support/machine.h"

using namespace capos;
using namespace capos::kernel;
using test::AssertionFailed;

namespace {

// Names private members in a way the language allows: indices that have nearly wrapped cannot be reached by running.
template <typename Tag, auto Member>
struct Expose {
    friend constexpr auto member_of(Tag) { return Member; }
};
struct SqHead { friend constexpr auto member_of(SqHead); };
struct CqTail { friend constexpr auto member_of(CqTail); };
struct CqHead { friend constexpr auto member_of(CqHead); };
template struct Expose<SqHead, &Ring::sq_head_>;
template struct Expose<CqTail, &Ring::cq_tail_>;
template struct Expose<CqHead, &Ring::cq_head_>;

constexpr RingGeometry kSmall{.region_bytes = 16384, .sq_entries = 4, .cq_entries = 8};

// A ring, and the user's view of its region.
struct Fixture {
    explicit Fixture(u32 start_index = 0, RingGeometry geometry = kSmall)
        : geometry{geometry}, region(geometry.region_bytes / 8), pending(geometry.cq_entries), received(4) {
        ring.initialise(geometry, reinterpret_cast<std::byte*>(region.data()), pending, received);
        ring.*member_of(SqHead{}) = ring.*member_of(CqTail{}) = ring.*member_of(CqHead{}) = start_index;
        header().sq_tail = header().sq_head = header().cq_tail = header().cq_head = start_index;
    }
    ~Fixture() {
        for (Pending& p : pending) {
            if (p.queue_link.linked()) p.queue_link.unlink();
        }
    }
    abi::RingHeader& header() { return *reinterpret_cast<abi::RingHeader*>(region.data()); }
    std::byte* bytes() { return reinterpret_cast<std::byte*>(region.data()); }
    void submit(u64 user_data) {
        abi::Submission entry{};
        entry.user_data = user_data;
        const u32 slot = header().sq_tail % geometry.sq_entries;
        std::memcpy(bytes() + geometry.sq_offset() + slot * sizeof entry, &entry, sizeof entry);
        ++header().sq_tail;
    }
    abi::Completion read_completion() {
        abi::Completion entry;
        const u32 slot = header().cq_head % geometry.cq_entries;
        std::memcpy(&entry, bytes() + geometry.cq_offset() + slot * sizeof entry, sizeof entry);
        ++header().cq_head;
        return entry;
    }

    test::Machine machine;
    RingGeometry geometry;
    std::vector<u64> region;
    std::vector<Pending> pending;
    std::vector<Received> received;
    Ring ring;
};

abi::Completion completion(u64 user_data) {
    abi::Completion entry{};
    entry.user_data = user_data;
    return entry;
}

const u32 kStarts[] = {0, ~u32{0} - 5, ~u32{0}, 0x8000'0000 - 3};

}  // namespace

TEST_CASE("a ring's header describes its region to the user") {
    Fixture f;
    const abi::RingHeader& h = f.header();
    CHECK(h.magic == abi::kRingMagic);
    CHECK((h.clock_zero == 7 && h.clock_ns_per_tick == u64{1} << 32));
    CHECK(h.sq_offset == 256);
    CHECK(h.cq_offset == 256 + 4 * 64);
    CHECK(h.arena_offset == 4096);
    CHECK(h.arena_bytes == 16384 - 4096);
    CHECK(f.ring.arena(0) == f.bytes() + 4096);
}

TEST_CASE("a ring geometry must be of powers of two, have a page of arena, and stay within bounds") {
    CHECK(RingGeometry{}.valid());
    CHECK(kSmall.valid());
    CHECK(RingGeometry{.region_bytes = abi::kRegionBytesMax}.valid());
    for (const u32 bytes : {0u, 1u, 4096u, 12288u, abi::kRegionBytesMax * 2, ~0u}) {
        CHECK_FALSE(RingGeometry{.region_bytes = bytes}.valid());
    }
    for (const u32 entries : {0u, 3u, 15u, 8192u, 1u << 31, ~0u}) {
        CHECK_FALSE(RingGeometry{.region_bytes = abi::kRegionBytesMax, .sq_entries = entries}.valid());
        CHECK_FALSE(RingGeometry{.region_bytes = abi::kRegionBytesMax, .cq_entries = entries}.valid());
    }
    CHECK_FALSE(RingGeometry{.region_bytes = 8192, .sq_entries = 64}.valid());  // no room for the arena
}

TEST_CASE("submissions come out in order, also when the indices wrap at 2^32") {
    for (const u32 start : kStarts) {
        Fixture f{start};
        u64 next_in = 100, next_out = 100;
        for (int round = 0; round < 40; ++round) {
            for (int i = 0; i < round % 5; ++i) {
                if (f.header().sq_tail - f.header().sq_head < 4) f.submit(next_in++);
            }
            REQUIRE(f.ring.submissions() == f.header().sq_tail - f.header().sq_head);
            for (u32 i = *f.ring.submissions() - *f.ring.submissions() / 3; i > 0; --i) {
                REQUIRE(f.ring.next_submission().user_data == next_out++);
                f.ring.consume_submission();
            }
        }
        CHECK(next_in - next_out == *f.ring.submissions());
        CHECK(f.header().sq_head == start + static_cast<u32>(next_out - 100));
    }
}

TEST_CASE("a submission tail that no correct thread could write is a fault") {
    for (const u32 start : kStarts) {
        Fixture f{start};
        f.header().sq_tail = start + 4;  // full
        CHECK(f.ring.submissions() == 4u);
        for (const u32 tail : {start + 5, start - 1, start + 0x8000'0000}) {
            f.header().sq_tail = tail;
            CHECK_FALSE(f.ring.submissions());
        }
    }
}

TEST_CASE("what a user writes over the kernel's own indices and geometry is ignored") {
    Fixture f;
    f.submit(1);
    f.submit(2);
    abi::RingHeader& h = f.header();
    h.sq_head = 77, h.cq_tail = 88, h.sq_offset = 1 << 30, h.sq_entries = ~u32{0}, h.cq_offset = 1 << 30, h.arena_offset = 0;
    CHECK(f.ring.submissions() == 2u);
    CHECK(f.ring.next_submission().user_data == 1);
    f.ring.consume_submission();
    CHECK(h.sq_head == 1);
    f.ring.post(completion(9));
    CHECK(h.cq_tail == 1);
    CHECK(f.read_completion().user_data == 9);
}

TEST_CASE("a submission is read once: what the user changes afterwards is not seen") {
    Fixture f;
    f.submit(5);
    int reads = 0;
    f.machine.before_shared_read = [&](void*, usize bytes) { reads += bytes == sizeof(abi::Submission); };
    const abi::Submission copy = f.ring.next_submission();
    std::memset(f.bytes() + f.geometry.sq_offset(), 0xff, sizeof copy);
    CHECK(copy.user_data == 5);
    CHECK(reads == 1);
}

TEST_CASE("a completion head that no correct thread could write is a fault") {
    for (const u32 start : kStarts) {
        Fixture f{start};
        for (u64 i = 0; i < 5; ++i) f.ring.post(completion(i));
        f.header().cq_head = start + 3;
        CHECK(f.ring.unread() == 2u);
        for (const u32 head : {start + 6, start + 2, start - 1, start + 0x8000'0000}) {  // beyond the tail; back again
            f.header().cq_head = head;
            CHECK_FALSE(f.ring.unread());
            CHECK(f.ring.unread_known() == 2);
        }
        f.header().cq_head = start + 5;
        CHECK(f.ring.unread() == 0u);
    }
}

TEST_CASE("every accepted entry owns a completion slot, so that posting never fails, through random use") {
    std::mt19937_64 random{14};
    for (const u32 start : kStarts) {
        Fixture f{start};
        std::vector<Pending*> open;
        std::deque<u64> unread;
        u64 number = 0;
        for (int round = 0; round < 3000; ++round) {
            switch (random() % 5) {
                case 0:
                case 1: {
                    const bool room = f.ring.free_slots() > 0;
                    Pending* taken = f.ring.take_pending();
                    REQUIRE((taken != nullptr) == room);
                    if (taken != nullptr) {
                        taken->user_data = ++number;
                        open.push_back(taken);
                    }
                    break;
                }
                case 2:
                    if (!open.empty()) {
                        std::swap(open[random() % open.size()], open.back());
                        if (random() % 3 != 0) {
                            unread.push_back(open.back()->user_data);
                            f.ring.complete(*open.back(), completion(0));
                        } else {
                            f.ring.drop_pending(*open.back());
                        }
                        open.pop_back();
                    }
                    break;
                case 3:
                    if (f.ring.free_slots() > 0) {
                        f.ring.post(completion(++number));
                        unread.push_back(number);
                    } else {
                        REQUIRE_THROWS_AS(f.ring.post(completion(0)), AssertionFailed);
                    }
                    break;
                default:
                    while (!unread.empty() && random() % 4 != 0) {
                        REQUIRE(f.read_completion().user_data == unread.front());
                        unread.pop_front();
                    }
                    REQUIRE(f.ring.unread() == unread.size());
            }
            REQUIRE(f.ring.free_slots() == 8 - f.ring.unread_known() - open.size());
        }
        for (Pending* p : open) f.ring.drop_pending(*p);
    }
}

TEST_CASE("a reply token names one received call, once") {
    Fixture f;
    std::vector<u64> tokens;
    for (int i = 0; i < 4; ++i) tokens.push_back(f.ring.token_of(*f.ring.take_received()));
    CHECK(f.ring.take_received() == nullptr);
    for (const u64 token : tokens) CHECK(f.ring.token_of(*f.ring.find_received(token)) == token);
    Received* first = f.ring.find_received(tokens[0]);
    f.ring.free_received(*first);
    CHECK(f.ring.find_received(tokens[0]) == nullptr);
    Received* again = f.ring.take_received();
    CHECK(again == first);
    CHECK(f.ring.find_received(tokens[0]) == nullptr);  // the same record, a later call
    CHECK(f.ring.token_of(*again) != tokens[0]);
    for (const u64 forged : {u64{0}, ~u64{0}, tokens[1] + 4, tokens[1] ^ 1 << 16, tokens[1] | u64{1} << 63}) {
        CHECK(f.ring.find_received(forged) == nullptr);
    }
    CHECK_THROWS_AS((f.ring.free_received(*again), f.ring.free_received(*again)), AssertionFailed);
}

TEST_CASE("a received record whose generation would wrap is retired") {
    Fixture f;
    Received* record = f.ring.take_received();
    record->generation = ~u32{0};
    f.ring.free_received(*record);
    for (int i = 0; i < 3; ++i) CHECK(f.ring.take_received() != record);
    CHECK(f.ring.take_received() == nullptr);
}

TEST_CASE("an arena range fits exactly when its words lie in the arena") {
    Fixture f;
    const u32 size = f.ring.arena_bytes();
    CHECK(f.ring.arena_fits(0, size));
    CHECK(f.ring.arena_fits(size, 0));
    CHECK(f.ring.arena_fits(size - 8, 8));
    CHECK(f.ring.arena_fits(size - 8, 1));
    CHECK_FALSE(f.ring.arena_fits(size - 8, 9));
    CHECK_FALSE(f.ring.arena_fits(0, size + 1));
    CHECK_FALSE(f.ring.arena_fits(size + 8, 0));
    for (u32 offset = 1; offset < 8; ++offset) CHECK_FALSE(f.ring.arena_fits(offset, 0));
    for (const u64 bytes : {u64{size} + 1, u64{1} << 32, ~u64{0} - 7, ~u64{0} - 6, ~u64{0}}) {
        CHECK_FALSE(f.ring.arena_fits(0, bytes));
    }
    CHECK_FALSE(f.ring.arena_fits(~u32{0} - 7, 8));
}
