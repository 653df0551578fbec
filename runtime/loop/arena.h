// arena.h - blocks of a ring's message arena: what calls and answers are built in. Pure; used by one thread.
//
// Units of 64 bytes and one bit for each. A block of up to 4 KiB lies within one word of bits, so that finding it looks at
// each word once; larger blocks are searched bit by bit, which only large messages need.
#pragma once

#include <vector>

#include "abi/types.h"
#include "runtime/ring/entries.h"

namespace capos::runtime {

class Arena {
public:
    // Manages [first_offset, first_offset + bytes); both are multiples of 8, and the rest of a unit is left out.
    Arena(u32 first_offset, u32 bytes);

    // A range of `bytes`, of length 0 when there is no room. `bytes` above 0.
    ArenaRange allocate(u32 bytes);
    void free(ArenaRange range);

    u32 free_bytes() const { return free_units_ * kUnitBytes; }

private:
    static constexpr u32 kUnitBytes = 64, kWordUnits = 64;

    static u32 units_of(u32 bytes) { return (bytes + kUnitBytes - 1) / kUnitBytes; }
    i64 find_in_word(u32 units) const;
    i64 find_long(u32 units) const;
    void set(u32 first, u32 units, bool used);
    bool used(u32 unit) const { return (words_[unit / kWordUnits] >> unit % kWordUnits & 1) != 0; }

    u32 start_;
    u32 unit_count_;
    u32 free_units_;
    std::vector<u64> words_;  // 1 = used; units beyond the end count as used
};

}  // namespace capos::runtime
