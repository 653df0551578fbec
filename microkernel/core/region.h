// region.h - Region: one mapping of an address space, and how it goes.
//
// A region lies in a pool cell that the account of its space pays for, together with the worst case of its page tables and one
// scrap frame. It ends by unmap, with its space, or when what it maps goes: then each touched page becomes the scrap frame,
// so that nobody who had memory taken away from them faults, and the holder gets one `lost` event. Guarded by the kernel lock.
#pragma once

#include "core/page_table.h"
#include "core/records.h"
#include "core/tree.h"

namespace capos::kernel {

class AddressSpace;
class Memory;
struct Cpu;

struct Region : NodeUse {
    Region() : NodeUse{NodeUse::Kind::region} {}

    enum class State : u8 {
        mapped,
        losing,    // its memory went: entries are being removed, and will be entered anew with the scrap frame
        unmapping, // entries are being removed
        retiring,  // other CPUs have still to forget it; then it is freed. Others in Kernel::retiring_ wait after a protect
    };
    State state{State::mapped};
    Access access{Access::read};
    bool lost{};           // has no memory any more
    bool writable{};       // counted in Memory::writable_mappings: until no CPU can write through it any more
    bool ring{};           // a thread's ring region: `block` are its frames, there from the start
    u8 block_order{};
    Thread* thread{};      // whose ring region this is

    AddressSpace* space{};
    Memory* memory{};      // null for a ring region, and when lost
    u64 first_page{};      // of the memory
    VirtualAddress start;
    PageCount pages;
    u64 charged{};         // frames, at the space's account
    u64 cursor{};          // of losing, unmapping, and a change of access: next page
    const Cpu* changer{};  // that has made all of that change so far, and flushed it entry by entry; null when several have
    PhysicalAddress block; // ring: its frames. lost: the scrap frame, 0 = not needed so far

    u64 stamp{};           // retiring: the invalidation to wait for
    PhysicalAddress retired_tables;  // chain through the frame allocator's descriptors, 0 = none
    PendingQueue waiters;  // unmap and protect entries that wait for it

    TreeLink<Region> tree_link;  // in AddressSpace::regions, until it is retired
    ListLink memory_link;        // in Memory::regions
    ListLink work_link;          // in one of Kernel's lists: losing, retiring
    ListLink change_link;        // in Thread::changing
    ListLink lost_link;          // in AddressSpace::lost, until the holder was told

    VirtualAddress end() const { return start + pages; }
};

inline u64 region_key(const Region& region) { return region.start.value; }

}  // namespace capos::kernel
