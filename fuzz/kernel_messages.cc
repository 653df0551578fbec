// The kernel's flat decoders against libcapnp (test/codegen/differential.h). The input: which message, how many capabilities
// came with it, its bytes.
#include "idl/kernel_messages.h"

#include "differential.h"
#include "kernel_request.h"
#include "support/target.h"

namespace capos::fuzz {

namespace {

constexpr usize kPrefixBytes = 3;

const test::Oracle& oracle() {
    static const test::Oracle instance{kKernelRequest};
    return instance;
}

const std::vector<test::Case>& cases() {
    static const std::vector<test::Case> all = idl::AllMethods<test::CaseList>::all();
    return all;
}

u64 next(void* state) {
    u64& value = *static_cast<u64*>(state);
    value = value * 6364136223846793005u + 1442695040888963407u;
    return value >> 11;
}

}  // namespace

void run(Bytes input) {
    if (input.size() < kPrefixBytes) return;
    const usize which = static_cast<usize>(input[0]) | static_cast<usize>(input[1]) << 8;
    const u8 capability_count = static_cast<u8>(input[2]) % (abi::kCapabilitiesMax + 1);
    const test::Case& one = cases()[which % cases().size()];
    const std::string difference = test::compare(oracle(), one, input.subspan(kPrefixBytes), capability_count);
    check(difference.empty(), difference.c_str());
}

std::vector<ByteVector> seeds() {
    std::vector<ByteVector> result;
    u64 state = 1;
    for (usize i = 0; i < cases().size(); ++i) {
        ByteVector seed = oracle().draw(cases()[i].message, 2, next, &state);
        seed.insert(seed.begin(), {static_cast<std::byte>(i), static_cast<std::byte>(i >> 8), std::byte{2}});
        result.push_back(std::move(seed));
    }
    return result;
}

}  // namespace capos::fuzz
