// frame_allocator.h - physical memory: a buddy allocator for blocks of 2^order frames, order 0 (4 KiB) to 9 (2 MiB).
//
// Guarded by the kernel lock. It never looks into the frames: each has an 8-byte descriptor in an array that covers the lowest
// to the highest usable frame. A descriptor of zero means "inside a block, or a hole", so building the allocator writes
// one descriptor for each block of 2 MiB, not for each frame. Allocation and release take at most kOrders steps.
#pragma once

#include <optional>
#include <span>

#include "core/assert.h"
#include "core/types.h"

namespace capos::kernel {

struct PhysicalRange {
    PhysicalAddress start;
    PhysicalAddress end;  // exclusive
};

class FrameAllocator {
public:
    static constexpr unsigned kOrders = 10;
    static constexpr unsigned kOrderMax = kOrders - 1;

    // Bytes of descriptors that `ranges` (page-aligned, ascending, apart) need.
    static ByteCount metadata_bytes(std::span<const PhysicalRange> ranges);

    // `metadata` is zeroed and stays; add_range then puts memory in. Every range lies in the span given here.
    void initialise(PhysicalAddress lowest, PhysicalAddress end, std::span<std::byte> metadata);
    void add_range(PhysicalRange range);

    // A block of 2^order frames, aligned to its size, with unknown contents. Nothing when there is none.
    std::optional<PhysicalAddress> allocate(unsigned order);
    // One frame that an account has paid for already: charges never exceed what there is, so this cannot fail.
    PhysicalAddress allocate_charged();
    // Order and address are those of an allocation; anything else is a bug of ours and asserted.
    void free(PhysicalAddress block, unsigned order);

    // Chains of allocated single frames that nobody may look into yet, because a CPU could still write to them: the link
    // lies in the frame's descriptor. `chain` is the chain's first frame, 0 = empty.
    void chain_push(PhysicalAddress& chain, PhysicalAddress frame);
    PhysicalAddress chain_pop(PhysicalAddress& chain);

    u64 free_frames() const { return free_frames_; }
    u64 total_frames() const { return total_frames_; }

    // Tests: the n-th allocation from now on fails (1 = the next), once. 0 = never.
    void fail_allocation(u64 n) { fail_in_ = n; }

private:
    // A free block's head links its neighbours in the list of its order; an allocated block's head remembers its order.
    struct Descriptor {
        u64 next : 28;
        u64 previous : 28;
        u64 state : 8;  // 0, or order + 1 of a free block, or kAllocated + order
    };
    static_assert(sizeof(Descriptor) == 8);
    static constexpr u64 kAllocated = 0x80;
    static constexpr u32 kNone = (u32{1} << 28) - 1;

    u32 index_of(PhysicalAddress address) const { return static_cast<u32>((address.value >> kPageShift) - base_); }
    PhysicalAddress address_of(u32 index) const { return PhysicalAddress{(base_ + index) << kPageShift}; }
    void push(u32 index, unsigned order);
    void remove(u32 index, unsigned order);
    void release(u32 index, unsigned order);

    Descriptor* descriptors_{};
    u64 base_{};  // frame number of descriptor 0, a multiple of 512 so that buddies are aligned
    u32 count_{};
    u32 heads_[kOrders]{};
    u64 free_frames_{};
    u64 total_frames_{};
    u64 fail_in_{};
};

}  // namespace capos::kernel
