// The kernel's own address space. Upper half only; all address spaces share it.
//
//      ffff8000'00000000   direct map     RAM, read and write; the image's code and constants read-only   GLOBAL
//      ffffff00'00000000   window         stacks between unmapped pages, device registers (uncached)      GLOBAL
//      ffffffff'80000000   kernel image   code read and execute, constants read, data read and write      GLOBAL
//
// All three PML4 entries exist when the boot CPU has its stacks, before the first address space copies them, so every copy
// stays complete. Nothing is mapped writable and executable, and below the middle nothing stays mapped at all. Changed only
// at boot, by the boot CPU.

#include <algorithm>
#include <cstring>

#include "arch/x86_64/instructions.h"
#include "arch/x86_64/machine.h"
#include "core/ports.h"

extern "C" const char image_start[], text_start[], text_end[], rodata_start[], rodata_end[], data_start[], image_end[];

namespace capos::kernel::x86 {

namespace {

constexpr PageAttributes kKernelData{.access = Access::read_write, .global = true};
constexpr PageAttributes kKernelCode{.access = Access::read_execute, .global = true};
constexpr PageAttributes kKernelConstants{.access = Access::read, .global = true};
constexpr PageAttributes kDevice{.access = Access::read_write, .global = true, .cache = CacheMode::uncached};
constexpr PageAttributes kIdentity{.access = Access::read_execute};

struct KernelMemory {
    PageTable table;
    FrameAllocator* frames{};
    u64 window_next{kWindow};
    bool ready{};
};
constinit KernelMemory memory{};

u64 physical(const char* symbol) { return reinterpret_cast<u64>(symbol) - kKernelBase; }
constexpr u64 round_down(u64 value, u64 unit) { return value & ~(unit - 1); }
constexpr u64 round_up(u64 value, u64 unit) { return round_down(value + unit - 1, unit); }

std::optional<PhysicalAddress> take_table(void* frames) {
    const std::optional<PhysicalAddress> frame = static_cast<FrameAllocator*>(frames)->allocate(0);
    if (frame) zero_quadwords(port::direct_map(*frame), kPageBytes / 8);
    return frame;
}

void free_table(void* frames, PhysicalAddress table) { static_cast<FrameAllocator*>(frames)->free(table, 0); }

TableSource tables() { return TableSource{memory.frames, take_table, free_table}; }

bool map_pages(u64 address, u64 from, u64 end, PageAttributes attributes) {
    TableSource source = tables();
    for (; from < end; from += kPageBytes, address += kPageBytes) {
        if (!memory.table.map(VirtualAddress{address}, PhysicalAddress{from}, kPageBytes, attributes, source)) return false;
    }
    return true;
}

bool map_image() {
    return map_pages(kKernelBase + physical(text_start), physical(text_start), physical(text_end), kKernelCode) &&
           map_pages(kKernelBase + physical(rodata_start), physical(rodata_start), physical(rodata_end), kKernelConstants) &&
           map_pages(kKernelBase + physical(data_start), physical(data_start), physical(image_end), kKernelData);
}

// 2 MiB that hold a part of the image: page by page, what nobody may write read-only here as well.
bool map_beside_image(u64 start) {
    const u64 end = start + PageTable::kPageBytes2M;
    const u64 constant = std::clamp(physical(text_start), start, end), writable = std::clamp(physical(data_start), start, end);
    return map_pages(kDirectMap + start, start, constant, kKernelData) &&
           map_pages(kDirectMap + constant, constant, writable, kKernelConstants) &&
           map_pages(kDirectMap + writable, writable, end, kKernelData);
}

// [start, end) in the largest pages that fit; both are multiples of 2 MiB.
bool map_direct(u64 start, u64 end) {
    TableSource source = tables();
    const u64 image = round_down(physical(image_start), PageTable::kPageBytes2M);
    const u64 after_image = round_up(physical(image_end), PageTable::kPageBytes2M);
    while (start < end) {
        const bool large = cpu_features().pages_1g && start % PageTable::kPageBytes1G == 0 &&
                           end - start >= PageTable::kPageBytes1G && start >= after_image;
        const u64 bytes = large ? PageTable::kPageBytes1G : PageTable::kPageBytes2M;
        const bool holds_image = start >= image && start < after_image;
        const VirtualAddress address{kDirectMap + start};
        const bool mapped = holds_image ? map_beside_image(start)
                                        : memory.table.map(address, PhysicalAddress{start}, bytes, kKernelData, source);
        if (!mapped) return false;
        start += bytes;
    }
    return true;
}

// Ranges are widened to 2 MiB, so neighbours may come to overlap: `from` is where the next one begins at the earliest.
bool map_all_memory(std::span<const PhysicalRange> ranges) {
    u64 from = 0;
    for (const PhysicalRange& range : ranges) {
        const u64 start = std::max(from, round_down(range.start.value, PageTable::kPageBytes2M));
        const u64 end = round_up(range.end.value, PageTable::kPageBytes2M);
        if (start >= end) continue;
        if (!map_direct(start, end)) return false;
        from = end;
    }
    return true;
}

}  // namespace

PhysicalRange kernel_image() { return {PhysicalAddress{physical(image_start)}, PhysicalAddress{physical(image_end)}}; }

bool build_kernel_tables(FrameAllocator& frames, std::span<const PhysicalRange> ram) {
    memory.frames = &frames;
    const std::optional<PhysicalAddress> root = take_table(&frames);
    if (!root) return false;
    memory.table = PageTable{*root};
    if (!map_image() || !map_all_memory(ram)) return false;
    write_cr3(root->value);
    port::flush_all();  // the early tables' translations, of which some allow more
    memory.ready = true;
    return true;
}

PageTable& kernel_table() { return memory.table; }

u64 make_stack(u64 bytes) {
    const u64 start = memory.window_next + kPageBytes;
    for (u64 address = start; address < start + bytes; address += kPageBytes) {
        const std::optional<PhysicalAddress> frame = memory.frames->allocate(0);
        if (!frame || !map_pages(address, frame->value, frame->value + kPageBytes, kKernelData)) return 0;
    }
    memory.window_next = start + bytes;
    return start + bytes;
}

volatile std::byte* map_device(PhysicalAddress address, u64 bytes) {
    const u64 start = memory.window_next + kPageBytes, offset = address.page_offset();
    const u64 end = round_up(address.value + bytes, kPageBytes);
    if (!map_pages(start, address.page_floor().value, end, kDevice)) return nullptr;
    memory.window_next = start + (end - address.page_floor().value);
    return reinterpret_cast<volatile std::byte*>(start + offset);
}

bool map_identity(PhysicalAddress page) { return map_pages(page.value, page.value, page.value + kPageBytes, kIdentity); }

void unmap_identity(PhysicalAddress page) {
    TableSource source = tables();
    memory.table.unmap(VirtualAddress{page.value}, source);
    port::flush_all();
}

bool kernel_readable(VirtualAddress address) {
    const bool upper_half = address.value >> 47 == 0x1'ffff;
    if (!memory.ready || !upper_half || address.value % 8 != 0) return false;
    return memory.table.lookup(address).has_value();
}

}  // namespace capos::kernel::x86
