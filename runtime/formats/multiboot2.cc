#include "formats/multiboot2.h"

#include <algorithm>

namespace capos::formats {

namespace {

struct Tag {
    u32 type;
    u32 size;
};
enum TagType : u32 { kEnd = 0, kCommandLine = 1, kModule = 3, kMemoryMap = 6, kElfSections = 9, kAcpiOld = 14, kAcpiNew = 15 };

struct MemoryMapEntry {
    u64 base;
    u64 length;
    u32 kind;
    u32 reserved;
};
static_assert(sizeof(MemoryMapEntry) == 24);

std::optional<std::string_view> text_at(const ByteReader& tag, u64 offset) {
    const auto bytes = tag.slice(offset, tag.size() - std::min<u64>(offset, tag.size()));
    if (!bytes) return std::nullopt;
    const std::string_view text{reinterpret_cast<const char*>(bytes->data()), bytes->size()};
    const usize end = text.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    return text.substr(0, end);
}

Result<void, Multiboot2Error> read_memory_map(const ByteReader& tag, BootInformation& info) {
    const auto entry_bytes = tag.read<u32>(8);
    if (!entry_bytes || *entry_bytes < sizeof(MemoryMapEntry) || *entry_bytes % 8 != 0) return fail(Multiboot2Error::bad_tag);
    for (u64 offset = 16; range_fits(offset, sizeof(MemoryMapEntry), tag.size()); offset += *entry_bytes) {
        const MemoryMapEntry entry = *tag.read<MemoryMapEntry>(offset);
        if (entry.length == 0) continue;
        if (entry.length > ~u64{0} - entry.base) return fail(Multiboot2Error::bad_tag);
        if (info.range_count == kMemoryRangesMax) return fail(Multiboot2Error::too_many_ranges);
        info.range_storage[info.range_count++] = {entry.base, entry.base + entry.length, static_cast<MemoryKind>(entry.kind)};
    }
    return done;
}

Result<void, Multiboot2Error> read_module(const ByteReader& tag, BootInformation& info) {
    const auto start = tag.read<u32>(8), end = tag.read<u32>(12);
    const auto text = text_at(tag, 16);
    if (!start || !end || !text || *end < *start) return fail(Multiboot2Error::bad_tag);
    if (info.module_count == kModulesMax) return fail(Multiboot2Error::too_many_modules);
    info.module_storage[info.module_count++] = {*start, *end, *text};
    return done;
}

Result<void, Multiboot2Error> read_sections(const ByteReader& tag, BootInformation& info) {
    const auto count = tag.read<u32>(8), entry_bytes = tag.read<u32>(12), names = tag.read<u32>(16);
    if (!count || !entry_bytes || !names) return fail(Multiboot2Error::bad_tag);
    const auto headers = tag.slice(20, u64{*count} * *entry_bytes);
    if (!headers) return fail(Multiboot2Error::bad_tag);
    info.sections = ElfSections{*headers, *count, *entry_bytes, *names};
    return done;
}

Result<void, Multiboot2Error> read_tag(u32 type, const ByteReader& tag, BootInformation& info) {
    switch (type) {
        case kCommandLine: {
            const auto text = text_at(tag, 8);
            if (!text) return fail(Multiboot2Error::bad_tag);
            info.command_line = *text;
            return done;
        }
        case kModule: return read_module(tag, info);
        case kMemoryMap: return read_memory_map(tag, info);
        case kElfSections: return read_sections(tag, info);
        case kAcpiOld:
            if (!info.rsdp) info.rsdp = tag.slice(8, tag.size() - 8);
            return done;
        case kAcpiNew: info.rsdp = tag.slice(8, tag.size() - 8); return done;
        default: return done;
    }
}

}  // namespace

Result<BootInformation, Multiboot2Error> parse_multiboot2(Bytes bytes) {
    const ByteReader whole{bytes};
    const auto total = whole.read<u32>(0);
    if (!total) return fail(Multiboot2Error::truncated);
    if (*total < 16 || *total > bytes.size()) return fail(Multiboot2Error::bad_size);
    const ByteReader info_bytes{bytes.first(*total)};
    BootInformation info;
    for (u64 offset = 8;;) {
        const auto tag = info_bytes.read<Tag>(offset);
        if (!tag) return fail(Multiboot2Error::no_end);
        if (tag->size < sizeof(Tag)) return fail(Multiboot2Error::bad_tag);
        const auto body = info_bytes.slice(offset, tag->size);
        if (!body) return fail(Multiboot2Error::truncated);
        if (tag->type == kEnd) return info;
        TRY(read_tag(tag->type, ByteReader{*body}, info));
        offset += (u64{tag->size} + 7) & ~u64{7};
    }
}

usize normalise_memory_map(std::span<MemoryRange> ranges) {
    constexpr u64 kPage = 4096;
    // Boundaries in ascending order; between two neighbours every input range is constant. Quadratic in at most 128 ranges.
    std::array<u64, 2 * kMemoryRangesMax> edges;
    usize edge_count = 0;
    const usize count = std::min(ranges.size(), kMemoryRangesMax);
    for (const MemoryRange& range : ranges.first(count)) {
        edges[edge_count++] = range.start;
        edges[edge_count++] = range.end;
    }
    // With a comparison of our own: libc++ keeps the sort of plain integers in its library, which the kernel does not link.
    std::ranges::sort(std::span{edges}.first(edge_count), [](u64 a, u64 b) { return a < b; });

    std::array<MemoryRange, 2 * kMemoryRangesMax> result;
    usize result_count = 0;
    for (usize i = 0; i + 1 < edge_count; ++i) {
        const u64 start = edges[i], end = edges[i + 1];
        if (start == end) continue;
        bool available = false, blocked = false;
        for (const MemoryRange& range : ranges.first(count)) {
            if (range.start > start || range.end < end) continue;
            (range.kind == MemoryKind::available ? available : blocked) = true;
        }
        if (!available || blocked) continue;
        if (result_count > 0 && result[result_count - 1].end == start) {
            result[result_count - 1].end = end;
        } else {
            result[result_count++] = {start, end, MemoryKind::available};
        }
    }
    usize kept = 0;
    for (const MemoryRange& range : std::span{result}.first(result_count)) {
        if (range.start > ~u64{0} - kPage) continue;
        const u64 start = (range.start + kPage - 1) & ~(kPage - 1), end = range.end & ~(kPage - 1);
        if (start < end && kept < ranges.size()) ranges[kept++] = {start, end, MemoryKind::available};
    }
    return kept;
}

const char* describe(Multiboot2Error error) {
    switch (error) {
        case Multiboot2Error::truncated: return "a tag leaves the boot information";
        case Multiboot2Error::bad_size: return "the boot information has an impossible size";
        case Multiboot2Error::bad_tag: return "a tag is malformed";
        case Multiboot2Error::no_end: return "the end tag is missing";
        case Multiboot2Error::too_many_ranges: return "more than 128 memory ranges";
        case Multiboot2Error::too_many_modules: return "more than 16 modules";
    }
    return "unknown error";
}

}  // namespace capos::formats
