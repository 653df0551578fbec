// differential_walk.h - finds what idl/flat.h and idl/wire.h refuse and libcapnp takes, in the raw words of a message, by its
// schema. Shares nothing with the decoders. For messages that libcapnp accepted: what it refuses is not looked for.
#pragma once

#include <string>
#include <vector>

#include "differential.h"

namespace capos::test {

// The documented reason, or nothing.
std::string walk(capnp::StructSchema root, const std::vector<u64>& words, u8 capability_count, const Limits& limits);

}  // namespace capos::test
