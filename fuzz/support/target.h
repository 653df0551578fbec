// target.h - what each fuzz target defines, and what it may use. The glue to libFuzzer is in target.cc.
#pragma once

#include <new>

#include <source_location>
#include <span>

#include "host/support/byte_writer.h"

namespace capos::fuzz {

using test::ByteVector;
using test::ByteWriter;
using Bytes = std::span<const std::byte>;

// Defined by the target: one execution on hostile input. Not only must it survive; whatever is accepted must be right.
void run(Bytes input);
// Defined by the target: valid inputs, and near misses, to start from.
std::vector<ByteVector> seeds();

// A property that holds for every input: otherwise says which, and stops, so that libFuzzer keeps the input.
void check(bool holds, const char* property, std::source_location where = std::source_location::current());

// True if `part` lies inside `whole`, as memory.
inline bool inside(Bytes whole, Bytes part) {
    return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

}  // namespace capos::fuzz
