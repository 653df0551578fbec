// messages.h - what the targets that compare decoders with libcapnp share.
#pragma once

#include "differential.h"
#include "support/target.h"

namespace capos::fuzz {

class Messages {
public:
    Messages(std::span<const unsigned char> request, std::vector<test::Case> cases)
        : oracle_{request}, cases_{std::move(cases)} {}

    void run(Bytes input) const {
        if (input.size() < kPrefixBytes) return;
        const usize which = static_cast<usize>(input[0]) | static_cast<usize>(input[1]) << 8;
        const u8 capability_count = static_cast<u8>(input[2]) % (abi::kCapabilitiesMax + 1);
        const std::string difference =
            test::compare(oracle_, cases_[which % cases_.size()], input.subspan(kPrefixBytes), capability_count);
        check(difference.empty(), difference.c_str());
    }

    // A message for each case, to be read as the case `shift` further on.
    std::vector<ByteVector> seeds(usize shift) const {
        std::vector<ByteVector> result;
        u64 state = 1;
        for (usize i = 0; i < cases_.size(); ++i) {
            const usize read_as = (i + shift) % cases_.size();
            ByteVector seed = oracle_.draw(cases_[i].message, 2, next, &state);
            seed.insert(seed.begin(), {static_cast<std::byte>(read_as), static_cast<std::byte>(read_as >> 8), std::byte{2}});
            result.push_back(std::move(seed));
        }
        return result;
    }

private:
    static constexpr usize kPrefixBytes = 3;

    static u64 next(void* state) {
        u64& value = *static_cast<u64*>(state);
        value = value * 6364136223846793005u + 1442695040888963407u;
        return value >> 11;
    }

    test::Oracle oracle_;
    std::vector<test::Case> cases_;
};

}  // namespace capos::fuzz
