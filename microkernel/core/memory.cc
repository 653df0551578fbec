#include "core/memory.h"

#include "core/ports.h"

namespace capos::kernel {

namespace {
constexpr unsigned kIndexBits = 9;
constexpr u64 kIndexMask = (u64{1} << kIndexBits) - 1;
}  // namespace

unsigned Memory::levels() const {
    unsigned levels = 0;
    for (u64 reach = 1; reach < pages_.value; reach <<= kIndexBits) ++levels;
    return levels;
}

u64 Memory::frames_charged(PageCount pages) {
    u64 frames = pages.value;
    for (u64 tables = pages.value; tables > 1;) {
        tables = (tables + kIndexMask) >> kIndexBits;
        frames += tables;
    }
    return frames;
}

u64* Memory::table(PhysicalAddress address) const { return reinterpret_cast<u64*>(port::direct_map(address)); }

std::optional<Memory::Frame> Memory::frame(u64 page) const {
    if (adopted_) return Frame{*adopted_ + PageCount{page}, false};
    u64 entry = root_;
    for (unsigned level = levels(); level > 0; --level) {
        if ((entry & kPresent) == 0) return std::nullopt;
        entry = table(PhysicalAddress{entry & ~kFlags})[page >> (kIndexBits * (level - 1)) & kIndexMask];
        if ((entry & kBlock) != 0) return Frame{PhysicalAddress{entry & ~kFlags} + PageCount{page % kBlockPages}, true};
    }
    if ((entry & kPresent) == 0) return std::nullopt;
    return Frame{PhysicalAddress{entry & ~kFlags}, false};
}

bool Memory::block_possible(u64 page) const {
    const u64 first = page & ~(kBlockPages - 1);
    if (adopted_ || first + kBlockPages > pages_.value) return false;
    u64 entry = root_;
    for (unsigned level = levels(); level > 1; --level) {
        if ((entry & kPresent) == 0) return true;
        entry = table(PhysicalAddress{entry & ~kFlags})[page >> (kIndexBits * (level - 1)) & kIndexMask];
    }
    return (entry & (kPresent | kBlock)) == 0;
}

u64& Memory::slot(u64 page, unsigned level, FrameAllocator& frames) {
    u64* entry = &root_;
    for (unsigned l = levels(); l > level; --l) {
        if ((*entry & kPresent) == 0) {
            const PhysicalAddress made = frames.allocate_charged();
            u64* cells = table(made);
            for (usize i = 0; i <= kIndexMask; ++i) cells[i] = 0;
            *entry = made.value | kPresent;
        }
        entry = &table(PhysicalAddress{*entry & ~kFlags})[page >> (kIndexBits * (l - 1)) & kIndexMask];
    }
    return *entry;
}

void Memory::set_frame(u64 page, PhysicalAddress frame, FrameAllocator& frames) {
    u64& entry = slot(page, 0, frames);
    KERNEL_ASSERT(entry == 0);
    entry = frame.value | kPresent;
}

void Memory::set_block(u64 page, PhysicalAddress block, FrameAllocator& frames) {
    KERNEL_ASSERT(block_possible(page));
    slot(page, 1, frames) = block.value | kPresent | kBlock;
}

// Frees what `entry` names, deepest first. The position is in the tree itself: entries become 0.
bool Memory::free_level(u64& entry, unsigned level, FrameAllocator& frames, u32& budget) {
    if (entry == 0) return true;
    const PhysicalAddress address{entry & ~kFlags};
    if (level > 0 && (entry & kBlock) == 0) {
        u64* cells = table(address);
        for (usize i = 0; i <= kIndexMask; ++i) {
            if (!free_level(cells[i], level - 1, frames, budget)) return false;
        }
    }
    if (budget == 0) return false;
    --budget;
    frames.free(address, (entry & kBlock) != 0 ? FrameAllocator::kOrderMax : 0);
    entry = 0;
    return true;
}

bool Memory::free_step(FrameAllocator& frames, u32& budget) { return free_level(root_, levels(), frames, budget); }

}  // namespace capos::kernel
