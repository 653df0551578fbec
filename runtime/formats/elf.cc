#include "formats/elf.h"

#include <cstring>

#include "formats/support/elf_header.h"

namespace capos::formats {

namespace {

struct ProgramHeader {  // Elf64_Phdr
    u32 type, flags;
    u64 offset, address, physical_address, file_bytes, memory_bytes, alignment;
};
static_assert(sizeof(ProgramHeader) == 56);

constexpr u8 kVersion = 1;
constexpr u16 kTypeExecutable = 2, kTypeDynamic = 3, kMachineX86_64 = 62;
constexpr u32 kLoad = 1, kInterpreter = 3, kGnuStack = 0x6474e551;
constexpr u32 kExecute = 1, kWrite = 2;

Result<ElfSegment, ElfError> check_segment(const ProgramHeader& header, u64 file_size, bool position_independent) {
    if ((header.flags & kWrite) != 0 && (header.flags & kExecute) != 0) return fail(ElfError::writable_and_executable);
    if (header.file_bytes > header.memory_bytes || header.memory_bytes > kElfMemoryBytesMax) return fail(ElfError::bad_size);
    if (!range_fits(header.offset, header.file_bytes, file_size)) return fail(ElfError::truncated);
    if ((header.offset ^ header.address) % kElfPageBytes != 0) return fail(ElfError::bad_alignment);
    const u64 lowest = position_independent ? 0 : kUserLowest;
    if (header.address < lowest || header.address > kUserEnd || header.memory_bytes > kUserEnd - header.address) {
        return fail(ElfError::bad_address);
    }
    return ElfSegment{.address = header.address,
                      .file_offset = header.offset,
                      .file_bytes = header.file_bytes,
                      .memory_bytes = header.memory_bytes,
                      .writable = (header.flags & kWrite) != 0,
                      .executable = (header.flags & kExecute) != 0};
}

Result<void, ElfError> add_segment(ElfImage& image, const ElfSegment& segment) {
    if (image.segment_count == kElfSegmentsMax) return fail(ElfError::too_many_segments);
    for (const ElfSegment& other : image.segments()) {
        if (segment.page_start() < other.page_end() && other.page_start() < segment.page_end()) return fail(ElfError::overlap);
    }
    image.segment_storage[image.segment_count++] = segment;
    return done;
}

Result<ElfFileHeader, ElfError> check_file_header(const ByteReader& file) {
    if (file.size() < sizeof kElfMagic) return fail(ElfError::truncated);
    if (std::memcmp(file.bytes().data(), kElfMagic, sizeof kElfMagic) != 0) return fail(ElfError::not_elf);
    const auto header = file.read<ElfFileHeader>(0);
    if (!header) return fail(ElfError::truncated);
    if (header->file_class != kElfClass64 || header->data != kElfLittleEndian || header->ident_version != kVersion ||
        header->machine != kMachineX86_64 || header->version != kVersion) {
        return fail(ElfError::wrong_machine);
    }
    if (header->type != kTypeExecutable && header->type != kTypeDynamic) return fail(ElfError::not_executable);
    if (header->program_header_bytes != sizeof(ProgramHeader) || header->header_bytes < sizeof(ElfFileHeader)) {
        return fail(ElfError::bad_headers);
    }
    return *header;
}

bool entry_is_executable(const ElfImage& image) {
    for (const ElfSegment& segment : image.segments()) {
        if (segment.executable && image.entry >= segment.address && image.entry - segment.address < segment.file_bytes) {
            return true;
        }
    }
    return false;
}

}  // namespace

Result<ElfImage, ElfError> parse_elf(Bytes bytes) {
    const ByteReader file{bytes};
    const ElfFileHeader header = TRY(check_file_header(file));
    ElfImage image;
    image.position_independent = header.type == kTypeDynamic;
    image.entry = header.entry;
    image.program_header_count = header.program_header_count;

    for (u16 i = 0; i < header.program_header_count; ++i) {
        // Can't wrap around: the headers before this one were found in the file.
        const u64 offset = header.program_header_offset + u64{i} * sizeof(ProgramHeader);
        const auto program = file.read<ProgramHeader>(offset);
        if (!program) return fail(ElfError::truncated);
        if (program->type == kInterpreter) return fail(ElfError::needs_interpreter);
        if (program->type == kGnuStack && (program->flags & kExecute) != 0) return fail(ElfError::executable_stack);
        if (program->type != kLoad || program->memory_bytes == 0) continue;
        const ElfSegment segment = TRY(check_segment(*program, bytes.size(), image.position_independent));
        TRY(add_segment(image, segment));
        const u64 table_bytes = u64{header.program_header_count} * sizeof(ProgramHeader);
        if (header.program_header_offset >= segment.file_offset &&
            range_fits(header.program_header_offset - segment.file_offset, table_bytes, segment.file_bytes)) {
            image.program_headers = segment.address + (header.program_header_offset - segment.file_offset);
        }
    }
    if (image.segment_count == 0) return fail(ElfError::no_segments);
    if (!entry_is_executable(image)) return fail(ElfError::bad_entry);
    return image;
}

const char* describe(ElfError error) {
    switch (error) {
        case ElfError::truncated: return "truncated: a header or segment lies beyond the end of the file";
        case ElfError::not_elf: return "not an ELF file";
        case ElfError::wrong_machine: return "not a 64-bit little-endian x86-64 ELF";
        case ElfError::not_executable: return "an ELF file, but not an executable";
        case ElfError::bad_headers: return "program headers of unknown size";
        case ElfError::needs_interpreter: return "dynamically linked; only static programs run";
        case ElfError::too_many_segments: return "more than 16 loadable segments";
        case ElfError::no_segments: return "no loadable segment";
        case ElfError::writable_and_executable: return "a segment is both writable and executable";
        case ElfError::executable_stack: return "it asks for an executable stack";
        case ElfError::bad_alignment: return "a segment's file offset and address differ within the page";
        case ElfError::bad_size: return "a segment is larger in the file than in memory, or larger than 4 GiB";
        case ElfError::bad_address: return "a segment lies outside the user half of the address space";
        case ElfError::overlap: return "two segments share a page";
        case ElfError::bad_entry: return "the entry point lies in no executable segment";
    }
    return "unknown error";
}

}  // namespace capos::formats
