// elf_builder.h - ELF files for tests and fuzz seeds: correct by default, wrong in whatever field a test changes.
#pragma once

#include <optional>

#include "host/support/byte_writer.h"

namespace capos::test {

struct ElfHeaderSpec {
    u32 type{1};  // PT_LOAD
    u32 flags{4};
    u64 offset{}, address{}, file_bytes{}, memory_bytes{};
};
inline constexpr u32 kElfRead = 4, kElfWrite = 2, kElfExecute = 1;

struct ElfSpec {
    u8 file_class{2}, data{1}, ident_version{1};
    u16 type{2}, machine{62};
    u32 version{1};
    u64 entry{0x40'1000};
    u64 program_header_offset{64};
    u16 header_bytes{64}, program_header_bytes{56};
    std::optional<u16> program_header_count;
    std::vector<ElfHeaderSpec> headers;
    usize file_bytes{0x3000};

    ByteVector build() const {
        ByteWriter w;
        w.put(u8{0x7f}).text("ELF").put(file_class).put(data).put(ident_version).pad_to(16);
        w.put(type).put(machine).put(version).put(entry).put(program_header_offset).put(u64{0}).put(u32{0});
        w.put(header_bytes).put(program_header_bytes);
        w.put(program_header_count.value_or(static_cast<u16>(headers.size())));
        w.put(u16{64}).put(u16{0}).put(u16{0});
        for (const ElfHeaderSpec& h : headers) {
            w.put(h.type).put(h.flags).put(h.offset).put(h.address).put(h.address);
            w.put(h.file_bytes).put(h.memory_bytes).put(u64{0x1000});
        }
        ByteVector bytes = w.take();
        bytes.resize(file_bytes);
        return bytes;
    }
};

// Read-only headers, text, and data with a zeroed tail: what a linker makes of a small static program.
inline ElfSpec small_program() {
    ElfSpec spec;
    spec.headers = {
        {.flags = kElfRead, .offset = 0, .address = 0x40'0000, .file_bytes = 0x200, .memory_bytes = 0x200},
        {.flags = kElfRead | kElfExecute, .offset = 0x1000, .address = 0x40'1000, .file_bytes = 0x800, .memory_bytes = 0x800},
        {.flags = kElfRead | kElfWrite, .offset = 0x2010, .address = 0x40'2010, .file_bytes = 0x100, .memory_bytes = 0x5000}};
    return spec;
}

}  // namespace capos::test
