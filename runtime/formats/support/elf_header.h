// elf_header.h - the header of an ELF-64 file (System V ABI, "ELF Header"; Elf64_Ehdr).
#pragma once

#include "abi/types.h"

namespace capos::formats {

struct ElfFileHeader {
    u8 magic[4];
    u8 file_class, data, ident_version, os_abi, abi_version, pad[7];
    u16 type, machine;
    u32 version;
    u64 entry, program_header_offset, section_header_offset;
    u32 flags;
    u16 header_bytes, program_header_bytes, program_header_count;
    u16 section_header_bytes, section_header_count, section_names;
};
static_assert(sizeof(ElfFileHeader) == 64);

inline constexpr u8 kElfMagic[4] = {0x7f, 'E', 'L', 'F'};
inline constexpr u8 kElfClass64 = 2, kElfLittleEndian = 1;

}  // namespace capos::formats
