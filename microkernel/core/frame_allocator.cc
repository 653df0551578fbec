#include "core/frame_allocator.h"

#include <algorithm>
#include <bit>

namespace capos::kernel {

namespace {
constexpr u64 kBlockFrames = u64{1} << FrameAllocator::kOrderMax;
}

ByteCount FrameAllocator::metadata_bytes(std::span<const PhysicalRange> ranges) {
    if (ranges.empty()) return ByteCount{};
    const u64 first = (ranges.front().start.value >> kPageShift) & ~(kBlockFrames - 1);
    const u64 end = ranges.back().end.value >> kPageShift;
    return ByteCount{(end - first) * sizeof(Descriptor)};
}

void FrameAllocator::initialise(PhysicalAddress lowest, PhysicalAddress end, std::span<std::byte> metadata) {
    base_ = (lowest.value >> kPageShift) & ~(kBlockFrames - 1);
    const u64 frames = (end.value >> kPageShift) - base_;
    KERNEL_ASSERT(frames < kNone && metadata.size() >= frames * sizeof(Descriptor));
    count_ = static_cast<u32>(frames);
    descriptors_ = reinterpret_cast<Descriptor*>(metadata.data());
    std::ranges::fill(heads_, kNone);
}

void FrameAllocator::add_range(PhysicalRange range) {
    u32 index = index_of(range.start);
    const u32 end = index_of(range.end);
    KERNEL_ASSERT(range.start.page_aligned() && range.end.page_aligned() && index <= end && end <= count_);
    total_frames_ += end - index;
    while (index < end) {
        // The largest block that is aligned here and fits.
        const unsigned aligned = index == 0 ? kOrderMax : static_cast<unsigned>(std::countr_zero(index));
        const unsigned fits = static_cast<unsigned>(std::bit_width(end - index)) - 1;
        const unsigned order = std::min({aligned, fits, kOrderMax});
        release(index, order);
        index += u32{1} << order;
    }
}

void FrameAllocator::push(u32 index, unsigned order) {
    descriptors_[index] = {.next = heads_[order], .previous = kNone, .state = order + 1};
    if (heads_[order] != kNone) descriptors_[heads_[order]].previous = index;
    heads_[order] = index;
}

void FrameAllocator::remove(u32 index, unsigned order) {
    const Descriptor descriptor = descriptors_[index];
    KERNEL_ASSERT(descriptor.state == order + 1);
    if (descriptor.previous == kNone) {
        heads_[order] = static_cast<u32>(descriptor.next);
    } else {
        descriptors_[descriptor.previous].next = descriptor.next;
    }
    if (descriptor.next != kNone) descriptors_[descriptor.next].previous = descriptor.previous;
    descriptors_[index] = {};
}

void FrameAllocator::release(u32 index, unsigned order) {
    free_frames_ += u64{1} << order;
    while (order < kOrderMax) {
        const u32 buddy = index ^ (u32{1} << order);
        if (buddy >= count_ || descriptors_[buddy].state != order + 1) break;
        remove(buddy, order);
        index = std::min(index, buddy);
        ++order;
    }
    push(index, order);
}

std::optional<PhysicalAddress> FrameAllocator::allocate(unsigned order) {
    KERNEL_ASSERT(order <= kOrderMax);
    if (fail_in_ != 0 && --fail_in_ == 0) return std::nullopt;
    unsigned from = order;
    while (from <= kOrderMax && heads_[from] == kNone) ++from;
    if (from > kOrderMax) return std::nullopt;

    const u32 index = heads_[from];
    remove(index, from);
    while (from > order) {  // the upper halves go back
        --from;
        push(index + (u32{1} << from), from);
    }
    descriptors_[index] = {.next = 0, .previous = 0, .state = kAllocated + order};
    free_frames_ -= u64{1} << order;
    return address_of(index);
}

PhysicalAddress FrameAllocator::allocate_charged() {
    const u64 fail_in = fail_in_;
    fail_in_ = 0;  // injected failures are for what may fail
    const std::optional<PhysicalAddress> frame = allocate(0);
    fail_in_ = fail_in;
    KERNEL_ASSERT(frame.has_value());
    return *frame;
}

void FrameAllocator::chain_push(PhysicalAddress& chain, PhysicalAddress frame) {
    Descriptor& descriptor = descriptors_[index_of(frame)];
    KERNEL_ASSERT(descriptor.state == kAllocated);
    descriptor.next = chain.value == 0 ? kNone : index_of(chain);
    chain = frame;
}

PhysicalAddress FrameAllocator::chain_pop(PhysicalAddress& chain) {
    const PhysicalAddress frame = chain;
    Descriptor& descriptor = descriptors_[index_of(frame)];
    chain = descriptor.next == kNone ? PhysicalAddress{} : address_of(static_cast<u32>(descriptor.next));
    descriptor.next = 0;
    return frame;
}

void FrameAllocator::free(PhysicalAddress block, unsigned order) {
    const u32 index = index_of(block);
    KERNEL_ASSERT(block.page_aligned() && index < count_ && descriptors_[index].state == kAllocated + order);
    descriptors_[index] = {};
    release(index, order);
}

}  // namespace capos::kernel
