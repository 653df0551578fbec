#include "core/address_space.h"

namespace capos::kernel {

bool AddressSpace::in_user_half(VirtualAddress start, PageCount pages) {
    return start.value >= kLowest && start.value <= kEnd && pages.value <= (kEnd - start.value) / kPageBytes;
}

bool AddressSpace::is_free(VirtualAddress start, PageCount pages) const {
    if (!in_user_half(start, pages)) return false;
    const Region* below = regions.at_or_below((start + pages).value - 1);
    return below == nullptr || below->end() <= start;
}

std::optional<VirtualAddress> AddressSpace::find_free(PageCount pages) {
    constexpr int kTries = 32;
    const u64 alignment = pages.value * kPageBytes >= PageTable::kPageBytes2M ? PageTable::kPageBytes2M : kPageBytes;
    u64 candidate = next_choice_;
    for (int i = 0; i < kTries; ++i) {
        candidate = (candidate + alignment - 1) & ~(alignment - 1);
        if (!in_user_half(VirtualAddress{candidate}, pages)) {
            candidate = kFirstChoice;  // around once: what was unmapped below is free again
            continue;
        }
        const VirtualAddress start{candidate};
        const Region* below = regions.at_or_below((start + pages).value - 1);
        if (below == nullptr || below->end() <= start) {
            next_choice_ = (start + pages).value;
            return start;
        }
        candidate = below->end().value;
    }
    next_choice_ = candidate;
    return std::nullopt;
}

}  // namespace capos::kernel
