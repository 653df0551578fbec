// Reading memory that a user can write: once, whole words, and whatever the user does meanwhile stays within the copy.
#include <new>

#include <array>
#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "core/shared.h"
#include "host/support/machine.h"

using namespace capos;
using namespace capos::kernel;

namespace {

struct Entry {
    u64 first, second;
};

}  // namespace

TEST_CASE("an arena copy has every byte, zeros up to the next word, and nothing beyond") {
    test::Machine machine;
    std::mt19937_64 random{12};
    for (u32 bytes = 0; bytes <= 600; ++bytes) {
        std::vector<u64> from(80), to(80, ~u64{0});
        for (u64& word : from) word = random();
        copy_message(reinterpret_cast<std::byte*>(to.data()), reinterpret_cast<const std::byte*>(from.data()), bytes);
        const auto* source = reinterpret_cast<const u8*>(from.data());
        const auto* copy = reinterpret_cast<const u8*>(to.data());
        const u32 padded = (bytes + 7) / 8 * 8;
        bool same = true;
        for (u32 i = 0; i < 640; ++i) {
            const u8 expected = i < bytes ? source[i] : i < padded ? u8{0} : u8{0xff};
            same &= copy[i] == expected;
        }
        REQUIRE(same);
    }
}

TEST_CASE("an arena copy touches no word beyond the last one, on either side") {
    test::Machine machine;
    for (const u32 bytes : {1u, 8u, 9u, 128u, 129u, 136u, 8192u}) {
        // Exactly as large as allowed: the address sanitizer sees any access beyond.
        const std::vector<u64> from((bytes + 7) / 8, 0x1122334455667788);
        std::vector<u64> to(from.size());
        copy_message(reinterpret_cast<std::byte*>(to.data()), reinterpret_cast<const std::byte*>(from.data()), bytes);
        CHECK(to.front() == (bytes >= 8 ? from.front() : from.front() & 0xff));
    }
}

TEST_CASE("the adversary is asked once for each message, entry or index, with its whole extent") {
    test::Machine machine;
    std::vector<std::pair<const void*, usize>> reads;
    machine.before_shared_read = [&](void* address, usize bytes) { reads.emplace_back(address, bytes); };
    alignas(8) std::array<std::byte, 512> from{}, to{};
    for (const u32 bytes : {5u, 100u, 500u}) copy_message(to.data(), from.data(), bytes);
    Entry entry{};
    (void)snapshot_shared<Entry>(reinterpret_cast<const std::byte*>(&entry));
    u32 index = 0;
    (void)read_shared_acquire(index);
    const std::vector<std::pair<const void*, usize>> expected{
        {from.data(), 5}, {from.data(), 100}, {from.data(), 500}, {&entry, sizeof entry}, {&index, sizeof index}};
    CHECK(reads == expected);
}

TEST_CASE("what the adversary changes after a snapshot does not change the snapshot") {
    test::Machine machine;
    Entry shared{1, 2};
    machine.before_shared_read = [&](void*, usize) { shared.second = 3; };
    const Entry copy = snapshot_shared<Entry>(reinterpret_cast<const std::byte*>(&shared));
    shared = {9, 9};
    CHECK(copy.first == 1);
    CHECK(copy.second == 3);
}

TEST_CASE("a word of a list is read once, as it then was") {
    test::Machine machine;
    u64 word = 1;
    int reads = 0;
    machine.before_shared_read = [&](void*, usize bytes) {
        REQUIRE(bytes == sizeof word);
        word = 2 + static_cast<u64>(reads++);
    };
    CHECK(read_shared_word(reinterpret_cast<const std::byte*>(&word)) == 2);
    CHECK(reads == 1);
}

TEST_CASE("an index written for the user is the index") {
    u32 word = 0;
    write_shared_release(word, 0xfffffffe);
    CHECK(word == 0xfffffffe);
}
