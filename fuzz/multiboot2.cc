// Boot information and the memory map in it. The input is the information structure.
#include "formats/multiboot2.h"

#include <algorithm>

#include "host/support/multiboot2_builder.h"
#include "support/target.h"

namespace capos::fuzz {

namespace {

using formats::MemoryKind;
using formats::MemoryRange;

constexpr u64 kPage = 4096;

// True if every byte of the page is available and none is forbidden: the definition, by itself.
bool usable(std::span<const MemoryRange> firmware, u64 page_start) {
    const u64 page_end = page_start + kPage;
    for (const MemoryRange& range : firmware) {
        if (range.kind != MemoryKind::available && range.start < page_end && range.end > page_start) return false;
    }
    for (u64 position = page_start; position < page_end;) {
        u64 furthest = position;
        for (const MemoryRange& range : firmware) {
            if (range.kind == MemoryKind::available && range.start <= position) furthest = std::max(furthest, range.end);
        }
        if (furthest == position) return false;
        position = furthest;
    }
    return true;
}

void check_memory_map(std::span<const MemoryRange> firmware) {
    std::vector<MemoryRange> map(firmware.begin(), firmware.end());
    map.resize(formats::normalise_memory_map(map));
    for (usize i = 0; i < map.size(); ++i) {
        check(map[i].kind == MemoryKind::available && map[i].start < map[i].end, "only available ranges remain");
        check(map[i].start % kPage == 0 && map[i].end % kPage == 0, "ranges are whole pages");
        check(i == 0 || map[i - 1].end < map[i].start, "ranges are ascending and apart");
    }
    // What is usable changes only at the edges of firmware ranges, so looking around these is looking everywhere.
    for (const MemoryRange& edge : firmware) {
        for (const u64 address : {edge.start, edge.end}) {
            for (u64 page = std::max(address / kPage, u64{1}) - 1; page <= address / kPage + 1 && page < ~u64{0} / kPage;
                 ++page) {
                const bool listed = std::ranges::any_of(
                    map, [&](const MemoryRange& r) { return r.start <= page * kPage && r.end >= (page + 1) * kPage; });
                check(listed == usable(firmware, page * kPage), "a page is listed exactly when firmware allows it");
            }
        }
    }
    std::vector<MemoryRange> again = map;
    again.resize(formats::normalise_memory_map(again));
    check(again == map, "a normalised map stays as it is");
}

Bytes bytes_of(std::string_view text) { return std::as_bytes(std::span{text}); }

}  // namespace

void run(Bytes input) {
    const auto info = formats::parse_multiboot2(input);
    if (!info) {
        check(formats::describe(info.error()) != std::string_view{"unknown error"}, "each error has a text");
        return;
    }
    check(inside(input, bytes_of(info->command_line)), "the command line lies in the information");
    for (const formats::BootModule& module : info->modules()) {
        check(module.start <= module.end && module.bytes() <= ~u32{0}, "a module ends no earlier than it starts");
        check(inside(input, bytes_of(module.text)), "a module's text lies in the information");
    }
    if (info->rsdp) check(inside(input, *info->rsdp), "the ACPI root lies in the information");
    if (info->sections) {
        check(inside(input, info->sections->headers), "the section headers lie in the information");
        check(info->sections->headers.size() == u64{info->sections->count} * info->sections->entry_bytes,
              "all headers are there");
    }
    for (const MemoryRange& range : info->ranges()) check(range.start < range.end, "a memory range is not empty");
    check_memory_map(info->ranges());
}

std::vector<ByteVector> seeds() {
    using test::Multiboot2Builder;
    std::vector<MemoryRange> holes{{0, 0x10'0000'0000, MemoryKind::available}};
    while (holes.size() < 100) {
        holes.push_back({holes.size() * 0x10'0800, holes.size() * 0x10'0800 + 0x1800, MemoryKind::reserved});
    }
    std::vector<MemoryRange> too_many(formats::kMemoryRangesMax + 1, {0x1000, 0x2000, MemoryKind::available});
    Multiboot2Builder many;
    for (u32 i = 0; i < 17; ++i) many.module(i, i + 1, "m");
    return {test::ordinary_boot_information(), Multiboot2Builder{}.memory_map(holes).build(),
            Multiboot2Builder{}.memory_map(too_many).build(), many.build(),
            Multiboot2Builder{}.sections(2, 64, 1, ByteVector(128)).build(), Multiboot2Builder{}.build()};
}

}  // namespace capos::fuzz
