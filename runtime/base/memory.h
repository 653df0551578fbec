// memory.h - pages, and how a page is mapped (AddressSpace.map in idl/kernel.capnp).
#pragma once

#include "abi/types.h"

namespace capos::runtime {

inline constexpr u64 kPageBytes = 4096;
constexpr u64 whole_pages(u64 bytes) { return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes; }

enum Protection : u8 { kRead = 1, kWrite = 2, kExecute = 4 };

}  // namespace capos::runtime
