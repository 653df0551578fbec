// start.h - the start-up message: what a process is given. It lies in the arena of the first thread's ring region, where the
// ring header's start_offset and start_length say; there is no other authority and no other input.
//
//      StartHeader
//      StartCapability[capability_count]
//      arguments, then environment entries ("NAME=value"): NUL-terminated texts, one after another
//
// Whoever makes the process writes it (the kernel for init, else a spawner), the process reads it once. Version 1.
#pragma once

#include <cstddef>
#include <type_traits>

#include "abi/types.h"

namespace capos::abi {

inline constexpr u32 kStartMagic = 0x53504143;  // "CAPS"
inline constexpr u16 kStartVersion = 1;
inline constexpr usize kStartNameBytes = 32;    // of a capability's name, with its NUL

struct StartHeader {
    u32 magic;
    u16 version;
    u16 capability_count;
    u16 argument_count;
    u16 environment_count;
    u32 text_bytes;  // of all texts together
};
static_assert(sizeof(StartHeader) == 16 && std::is_trivially_copyable_v<StartHeader>);

struct StartCapability {
    char name[kStartNameBytes];  // NUL-terminated
    u64 interface_id;            // Cap'n Proto id
    u64 id;                      // CapId in the process's table
};
static_assert(sizeof(StartCapability) == 48 && std::is_trivially_copyable_v<StartCapability>);

}  // namespace capos::abi
