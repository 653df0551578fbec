// address_space.h - the user half of a process's page tables, and its regions ordered by address.
//
// Guarded by the kernel lock. Pages are entered when they are first touched, or at once where the memory already has frames.
#pragma once

#include "core/account.h"
#include "core/region.h"

namespace capos::kernel {

class Process;

class AddressSpace : public Object {
public:
    static constexpr u64 kLowest = 0x1'0000;
    static constexpr u64 kEnd = PageTable::kUserEnd - kPageBytes;  // SYSCALL as the last instruction would return beyond it
    static constexpr u64 kFirstChoice = 0x10'0000'0000;

    explicit AddressSpace(PageTable page_table) : Object{ObjectType::address_space}, table{page_table} {}

    Region* region_at(VirtualAddress address) const {
        Region* region = regions.at_or_below(address.value);
        return region != nullptr && address < region->end() ? region : nullptr;
    }
    // True if [start, start + pages) lies in the user half and overlaps no region.
    bool is_free(VirtualAddress start, PageCount pages) const;
    static bool in_user_half(VirtualAddress start, PageCount pages);
    // A free range, aligned to 2 MiB when it is that large. Nothing after a bounded search.
    std::optional<VirtualAddress> find_free(PageCount pages);

    PageTable table;
    Process* process{};
    Tree<Region, &Region::tree_link, region_key> regions;
    List<Region, &Region::lost_link> lost;  // lost regions whose holder was not told yet
    u32 region_count{};                     // all that are not freed
    PhysicalAddress spare_table;            // an empty page table that is kept for the next mapping; 0 = none

private:
    u64 next_choice_{kFirstChoice};
};

}  // namespace capos::kernel
