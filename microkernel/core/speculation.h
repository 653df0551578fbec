// speculation.h - indices that a user chooses, before they index a table of the kernel (Spectre variant 1).
#pragma once

#include "core/types.h"

namespace capos::kernel {

// `index` where it is below `size`, else 0, without a branch: what runs ahead of a mispredicted range check cannot read
// beyond the table with it. The check itself stays. In assembly, because a compiler turns any expression of the comparison
// into the branch.
inline u64 clamp_index(u64 index, u64 size) {
    u64 mask;
    asm("cmp %2, %1\n\tsbb %0, %0" : "=r"(mask) : "r"(index), "r"(size) : "cc");
    return index & mask;
}

}  // namespace capos::kernel
