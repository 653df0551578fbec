// memory.h - Memory objects: a number of pages, each a frame once it was touched.
//
// Guarded by the kernel lock. The account pays for all pages when the memory is made, so that finding a frame for a page later
// cannot fail. Frames are found through a radix tree of 512-way tables like page tables; one page needs no table. The tables
// are charged too, in their worst case. A table slot one level above the pages can hold a block of 2 MiB instead of a table.
#pragma once

#include "core/account.h"
#include "core/frame_allocator.h"
#include "core/records.h"
#include "core/region.h"

namespace capos::kernel {

class Memory : public Object {
public:
    static constexpr u64 kPagesMax = u64{1} << 24;  // 64 GiB
    static constexpr u64 kBlockPages = 512;         // of a large block

    explicit Memory(PageCount pages) : Object{ObjectType::memory}, pages_{pages} {}

    // Frames to charge for memory of that size, tables included.
    static u64 frames_charged(PageCount pages);
    // Frames that this memory was charged with.
    u64 charged() const { return adopted_ ? 0 : frames_charged(pages_); }

    PageCount pages() const { return pages_; }
    bool sealed() const { return sealed_; }
    void seal() { sealed_ = true; }

    // The frame of a page, or nothing while it was never touched. `page` is below pages().
    struct Frame {
        PhysicalAddress address;
        bool in_block;  // part of a 2 MiB block that is aligned like its pages
    };
    std::optional<Frame> frame(u64 page) const;
    // True if the 2 MiB around `page` lie inside the memory and none of their pages was touched.
    bool block_possible(u64 page) const;

    // Gives a page its frame, zeroed by the caller. Tables that are missing come from `frames`, charged already.
    void set_frame(u64 page, PhysicalAddress frame, FrameAllocator& frames);
    // Gives the 512 pages around `page` one block; only while block_possible(page).
    void set_block(u64 page, PhysicalAddress block, FrameAllocator& frames);

    // Hands the memory frames that exist already: a boot module. Only for memory without frames; the frames stay for ever.
    void adopt(PhysicalAddress first) { adopted_ = first; }

    // Returns frames, at most `budget` of them; true when none is left. For teardown in bounded steps.
    bool free_step(FrameAllocator& frames, u32& budget);

    u32 writable_mappings{};
    List<Region, &Region::memory_link> regions;  // mappings of it

    // WAIT entries on its words. The key is the word, then the order of arrival (which starts anew after 2^30).
    static constexpr unsigned kArrivalBits = 30;
    static constexpr u64 word_key(u64 offset) { return offset / sizeof(u32) << kArrivalBits; }
    u64 next_word_key(u64 offset) { return word_key(offset) | (arrivals_++ & ((u64{1} << kArrivalBits) - 1)); }
    static u64 waiter_key(const Pending& wait) { return wait.word_key; }
    Tree<Pending, &Pending::timer_link, &waiter_key> waiters;

private:
    // Table entries: address | kPresent, or | kBlock for 2 MiB.
    static constexpr u64 kPresent = 1, kBlock = 2, kFlags = 3;

    unsigned levels() const;
    u64* table(PhysicalAddress address) const;
    // The slot of `page` in the table of `level`, making tables on the way.
    u64& slot(u64 page, unsigned level, FrameAllocator& frames);
    bool free_level(u64& entry, unsigned level, FrameAllocator& frames, u32& budget);

    PageCount pages_;
    u64 arrivals_{};
    bool sealed_{};
    std::optional<PhysicalAddress> adopted_;
    u64 root_{};  // an entry: the frame of the one page when levels() == 0, else the top table
};

}  // namespace capos::kernel
