// multiboot2.h - reads the information that a boot loader hands over. Pure: no allocation, no I/O.
//
// Specification: Multiboot2 version 2.0, section 3.6 "Boot information". Tags start at 8-byte boundaries; each has a type and a
// size that includes its header. The walk is bounded by total_size; a tag that leaves it, or is shorter than its type needs, is
// an error.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "formats/support/bytes.h"
#include "formats/support/result.h"

namespace capos::formats {

inline constexpr u32 kMultiboot2Magic = 0x36d76289;  // in eax at entry, section 3.3
inline constexpr usize kMemoryRangesMax = 128;
inline constexpr usize kModulesMax = 16;

enum class Multiboot2Error : u8 { truncated, bad_size, bad_tag, no_end, too_many_ranges, too_many_modules };
const char* describe(Multiboot2Error error);

enum class MemoryKind : u32 { available = 1, reserved = 2, acpi_reclaimable = 3, acpi_nvs = 4, defective = 5 };

struct MemoryRange {
    u64 start;
    u64 end;  // exclusive
    MemoryKind kind;
    constexpr bool operator==(const MemoryRange&) const = default;
};

struct BootModule {
    u64 start;
    u64 end;  // exclusive
    std::string_view text;  // its command line; points into the information
    u64 bytes() const { return end - start; }
};

struct ElfSections {  // section 3.6.7: the kernel's own section headers, copied into memory by the loader
    Bytes headers;
    u32 count;
    u32 entry_bytes;
    u32 names_index;
};

struct BootInformation {
    std::string_view command_line;
    std::optional<Bytes> rsdp;  // a copy of the ACPI root pointer; version 2 preferred
    std::optional<ElfSections> sections;
    usize range_count{};
    usize module_count{};
    std::array<MemoryRange, kMemoryRangesMax> range_storage{};
    std::array<BootModule, kModulesMax> module_storage{};

    std::span<const MemoryRange> ranges() const { return std::span{range_storage}.first(range_count); }
    std::span<const BootModule> modules() const { return std::span{module_storage}.first(module_count); }
};

// `bytes` starts at the information structure; only its own total_size is looked at. Views point into `bytes`.
Result<BootInformation, Multiboot2Error> parse_multiboot2(Bytes bytes);

// Sorts a firmware memory map, resolves overlaps (what is not available wins), shrinks available ranges to whole pages, and
// merges neighbours: the result has only available ranges, ascending and apart. Returns how many; `ranges` is overwritten.
usize normalise_memory_map(std::span<MemoryRange> ranges);

}  // namespace capos::formats
