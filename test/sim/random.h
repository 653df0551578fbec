// random.h - the one source of chance in a simulation: the same seed gives the same run. Or a fuzzer's bytes, first; when
// they are used up the numbers go on from a seed, so that every input is a whole run.
#pragma once

#include <cstddef>
#include <span>

#include "abi/types.h"

namespace capos::sim {

class Random {
public:
    explicit Random(u64 seed) : state_{seed * 0x9e37'79b9'7f4a'7c15 + 1} {}
    explicit Random(std::span<const std::byte> input) : Random{input.size()} { input_ = input; }

    u64 next() {
        if (!input_.empty()) {
            const u64 value = static_cast<u64>(input_.front());  // one byte makes a choice: small inputs say much
            input_ = input_.subspan(1);
            return value * 0x0101'0101'0101'0101;
        }
        u64 x = state_ += 0x9e37'79b9'7f4a'7c15;  // splitmix64
        x = (x ^ (x >> 30)) * 0xbf58'476d'1ce4'e5b9;
        x = (x ^ (x >> 27)) * 0x94d0'49bb'1331'11eb;
        return x ^ (x >> 31);
    }
    // 0 .. bound - 1.
    u64 below(u64 bound) { return bound == 0 ? 0 : (next() >> 16) % bound; }
    u32 below32(u32 bound) { return static_cast<u32>(below(bound)); }
    bool percent(u64 chance) { return below(100) < chance; }
    bool one_in(u64 n) { return below(n) == 0; }
    template <typename Container>
    auto& pick(Container& container) {
        return container[below(container.size())];
    }
    bool exhausted() const { return input_.empty(); }

private:
    u64 state_;
    std::span<const std::byte> input_;
};

}  // namespace capos::sim
