// Queues in shared memory: order, bounds, doorbells that are never missed, and peers that lie.
#include <new>

#include <catch2/catch.hpp>

#include <random>
#include <thread>
#include <vector>

#include "runtime/queue/queue.h"

using namespace capos;
using namespace capos::runtime::queue;

namespace {

struct Item {
    u64 number;
    u64 check;
    bool operator==(const Item&) const = default;
};
Item item(u64 n) { return {n, n * 0x9e37'79b9'7f4a'7c15}; }

template <u32 Entries>
struct Shared {
    alignas(64) std::byte bytes[ring_bytes<Item>(Entries)]{};
    u32& word(usize offset) { return *reinterpret_cast<u32*>(bytes + offset); }
};

}  // namespace

TEST_CASE("entries come out in order, as many as fit, and indices wrap") {
    Shared<4> shared;
    Producer<Item> in{shared.bytes, 4};
    Consumer<Item> out{shared.bytes, 4};
    u64 put = 0, taken = 0;
    for (int round = 0; round < 100; ++round) {
        while (in.write(item(put))) ++put;
        CHECK(put - taken == 4);
        if (round == 0) CHECK(out.take() == std::nullopt);  // not published
        in.publish();
        for (int n = 0; n < 1 + round % 4; ++n) CHECK(out.take() == item(taken++));
    }
}

TEST_CASE("a consumer that says it sleeps is rung exactly then") {
    Shared<4> shared;
    Producer<Item> in{shared.bytes, 4};
    Consumer<Item> out{shared.bytes, 4};
    CHECK(in.write(item(1)));
    CHECK_FALSE(in.publish());
    CHECK_FALSE(out.sleep());  // there is something
    CHECK(out.take());
    CHECK(out.sleep());
    CHECK(in.write(item(2)));
    CHECK(in.publish());
    out.awake();
    CHECK(in.write(item(3)));
    CHECK_FALSE(in.publish());
}

TEST_CASE("an impossible index breaks the ring for the side that sees it, and stays broken") {
    Shared<4> shared;
    Consumer<Item> out{shared.bytes, 4};
    shared.word(kTailOffset) = 5;
    CHECK(out.take() == std::nullopt);
    CHECK(out.broken());
    shared.word(kTailOffset) = 1;
    CHECK(out.take() == std::nullopt);
    CHECK_FALSE(out.sleep());

    Shared<4> other;
    Producer<Item> in{other.bytes, 4};
    for (int i = 0; i < 4; ++i) CHECK(in.write(item(1)));
    other.word(kHeadOffset) = 9;  // took what was never put
    CHECK_FALSE(in.write(item(1)));
    CHECK(in.broken());
}

TEST_CASE("a head that goes back is noticed") {
    Shared<4> shared;
    Producer<Item> in{shared.bytes, 4};
    for (int i = 0; i < 4; ++i) REQUIRE(in.write(item(1)));
    shared.word(kHeadOffset) = 2;
    for (int i = 0; i < 2; ++i) REQUIRE(in.write(item(1)));
    shared.word(kHeadOffset) = 1;
    CHECK_FALSE(in.write(item(1)));
    CHECK(in.broken());
}

TEST_CASE("a hostile peer never makes a side take more than there is, or go out of bounds") {
    std::mt19937_64 random{7};
    for (int run = 0; run < 200; ++run) {
        Shared<8> shared;
        Producer<Item> in{shared.bytes, 8};
        Consumer<Item> out{shared.bytes, 8};
        u64 put = 0;
        for (int step = 0; step < 200; ++step) {
            switch (random() % 4) {
                case 0: put += in.write(item(put)) ? 1 : 0; break;
                case 1: in.publish(); break;
                case 2: (void)out.take(); break;
                default: shared.word(random() % 3 * 64) = static_cast<u32>(random() % 20); break;
            }
            CHECK(in.room() <= 8);
            CHECK(out.available() <= 8);
        }
    }
}

TEST_CASE("two threads pass a million entries and no doorbell is missed") {
    Shared<64> shared;
    constexpr u64 kItems = 1'000'000;
    std::atomic<u32> doorbell{0};
    std::thread consumer{[&] {
        Consumer<Item> out{shared.bytes, 64};
        for (u64 n = 0; n < kItems;) {
            if (const auto got = out.take()) {
                if (!(*got == item(n))) std::abort();
                ++n;
            } else if (out.sleep()) {
                doorbell.wait(0);
                doorbell.store(0);
                out.awake();
            }
        }
    }};
    Producer<Item> in{shared.bytes, 64};
    for (u64 n = 0; n < kItems;) {
        if (!in.write(item(n))) {
            std::this_thread::yield();
            continue;
        }
        ++n;
        if (in.publish()) {
            doorbell.store(1);
            doorbell.notify_one();
        }
    }
    consumer.join();
    CHECK_FALSE(in.broken());
}

TEST_CASE("a queue is laid out from checked numbers, and its data ranges are checked") {
    using Places = Layout<Item, Item>;
    CHECK(Places::of({.entries = 3, .data_bytes = 0}).error() == QueueError::bad_geometry);
    CHECK(Places::of({.entries = 8192, .data_bytes = 0}).error() == QueueError::bad_geometry);
    CHECK(Places::of({.entries = 4, .data_bytes = 100}).error() == QueueError::bad_geometry);
    CHECK(Places::of({.entries = 4, .data_bytes = ~u64{4095}}).error() == QueueError::bad_geometry);
    const Geometry geometry{.entries = 16, .data_bytes = 8192};
    const auto layout = Places::of(geometry);
    REQUIRE(layout);
    std::vector<u64> memory(layout->total_bytes / 8 + 8);
    auto* start = reinterpret_cast<std::byte*>((reinterpret_cast<std::uintptr_t>(memory.data()) + 63) & ~std::uintptr_t{63});
    using Side = runtime::queue::Client<Item, Item>;
    CHECK(Side::create(start, layout->total_bytes - 1, geometry, 1).error() == QueueError::too_small);
    auto client = Side::create(start, layout->total_bytes, geometry, 1);
    auto server = Server<Item, Item>::attach(start, layout->total_bytes, geometry);
    REQUIRE((client && server));
    CHECK(client->requests().write(item(5)));
    client->requests().publish();
    CHECK(server->requests().take() == item(5));
    CHECK(server->completions().write(item(6)));
    server->completions().publish();
    CHECK(client->completions().take() == item(6));
    CHECK(server->data({.offset = 8192, .bytes = 0}) == start + layout->data_offset + 8192);
    CHECK(server->data({.offset = 4096, .bytes = 4096}) != nullptr);
    CHECK(server->data({.offset = 4096, .bytes = 4097}) == nullptr);
    CHECK(server->data({.offset = ~u64{0}, .bytes = 2}) == nullptr);
}
