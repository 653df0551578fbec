// differential_test.h - draws messages for differential.h: well-formed ones and what mutations make of them. Seeded.
#pragma once

#include <new>

#include <catch2/catch.hpp>
#include <random>

#include "differential.h"

namespace capos::test {

class Mutator {
public:
    explicit Mutator(u64 seed) : random_{seed} {}

    u64 below(u64 bound) { return random_() % bound; }
    static u64 next(void* self) { return static_cast<Mutator*>(self)->random_(); }

    void mutate(std::vector<std::byte>& message) {
        switch (below(7)) {
            case 0:
                if (!message.empty()) message[below(message.size())] ^= static_cast<std::byte>(1u << below(8));
                return;
            case 1: return message.resize(message.size() / 8 * below(9));  // shorter, or longer with zeros
            case 2: return message.resize(below(message.size() + 9));
            case 3: return set_word(message, random_());
            case 4: return set_word(message, pointer());
            case 5: return set_word(message, pointer());
            default: message.insert(message.end(), 8, std::byte{0});
        }
    }

private:
    // A pointer of any kind that is nearly plausible.
    u64 pointer() {
        const u64 offset = (below(12) - 3) & 0x3fff'ffff;
        const u64 high = below(2) == 0 ? (below(4) | below(4) << 16) : (below(2) == 0 ? 2 : below(8)) | below(40) << 3;
        return below(4) | (below(4) == 0 ? 0 : offset << 2) | high << 32;
    }

    void set_word(std::vector<std::byte>& message, u64 value) {
        if (message.size() >= 8) idl::flat::store(&message[below(message.size() / 8) * 8], value);
    }

    std::mt19937_64 random_;
};

// `rounds` messages for each case. Both outcomes must occur, or the test shows nothing.
inline void compare_drawn(const Oracle& oracle, const std::vector<Case>& cases, u64 seed, u32 rounds) {
    Mutator mutator{seed};
    usize accepted = 0, refused = 0;
    for (const Case& one : cases) {
        for (u32 round = 0; round < rounds; ++round) {
            const u8 capability_count = static_cast<u8>(mutator.below(4));
            std::vector<std::byte> message = oracle.draw(one.message, capability_count, Mutator::next, &mutator);
            for (u64 i = mutator.below(4); i > 0; --i) mutator.mutate(message);
            bool ours = false;
            const std::string difference = compare(oracle, one, message, capability_count, &ours);
            ++(ours ? accepted : refused);
            if (difference.empty()) continue;
            INFO("seed " << seed << ", interface " << std::hex << one.message.interface_id << std::dec << ", method "
                         << one.message.method << (one.message.results ? ", results" : ", parameters") << ", round " << round);
            FAIL(difference);
        }
    }
    CHECK(accepted > rounds * cases.size() / 10);
    CHECK(refused > rounds * cases.size() / 10);
}

}  // namespace capos::test
