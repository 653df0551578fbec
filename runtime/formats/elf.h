// elf.h - validates a static x86-64 ELF and lists what a loader must map. Pure: no allocation, no I/O.
//
// Specification: System V ABI, "Object Files" (ELF-64), and the AMD64 supplement. Accepted are ET_EXEC and static PIE (ET_DYN
// without interpreter) for the user half of the address space. A file that a loader could not map exactly as its program
// headers say, with every page either writable or executable, is refused with the reason (R12).
#pragma once

#include <array>
#include <span>

#include "formats/support/bytes.h"
#include "formats/support/result.h"

namespace capos::formats {

enum class ElfError : u8 {
    truncated,          // a header or segment leaves the file
    not_elf,            // no ELF magic
    wrong_machine,      // not a 64-bit little-endian x86-64 file of ELF version 1
    not_executable,     // neither ET_EXEC nor ET_DYN
    bad_headers,        // program header size or count
    needs_interpreter,  // dynamically linked
    too_many_segments,
    no_segments,
    writable_and_executable,
    executable_stack,
    bad_alignment,      // file offset and address differ within the page
    bad_size,           // larger in the file than in memory, or absurdly large
    bad_address,        // outside the user half, or below the first 64 KiB
    overlap,            // two segments share a page
    bad_entry,          // the entry point lies in no executable segment
};
const char* describe(ElfError error);

// Where user programs may live. The first 64 KiB stay unmapped, so that null pointers with offsets fault.
inline constexpr u64 kUserLowest = 0x1'0000;
inline constexpr u64 kUserEnd = 0x7fff'ffff'f000;
inline constexpr u64 kElfPageBytes = 4096;
inline constexpr usize kElfSegmentsMax = 16;
inline constexpr u64 kElfMemoryBytesMax = u64{1} << 32;  // of one segment

struct ElfSegment {
    u64 address;       // of the first byte; not necessarily page-aligned
    u64 file_offset;   // equal to address modulo the page size
    u64 file_bytes;    // the rest up to memory_bytes is zero
    u64 memory_bytes;
    bool writable;
    bool executable;

    u64 page_start() const { return address & ~(kElfPageBytes - 1); }
    u64 page_end() const { return (address + memory_bytes + kElfPageBytes - 1) & ~(kElfPageBytes - 1); }
};

struct ElfImage {
    bool position_independent{};  // addresses count from a base that the loader chooses
    u64 entry{};
    u64 program_headers{};        // address of the program headers in memory, 0 when no segment contains them
    u16 program_header_count{};
    usize segment_count{};
    std::array<ElfSegment, kElfSegmentsMax> segment_storage{};

    std::span<const ElfSegment> segments() const { return std::span{segment_storage}.first(segment_count); }
};

// Errors: every ElfError. The image refers to file offsets only; `file` need not outlive it.
Result<ElfImage, ElfError> parse_elf(Bytes file);

}  // namespace capos::formats
