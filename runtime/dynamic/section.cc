#include <cstring>

#include "formats/support/elf_header.h"
#include "runtime/dynamic/table.h"

namespace capos::dynamic {

namespace {

struct SectionHeader {  // Elf64_Shdr
    u32 name, type;
    u64 flags, address, offset, bytes;
    u32 link, info;
    u64 alignment, entry_bytes;
};
static_assert(sizeof(SectionHeader) == 64);

constexpr u32 kContents = 1;  // SHT_PROGBITS

class Sections {
public:
    explicit Sections(Bytes elf) : file_{elf} {
        const auto header = file_.read<formats::ElfFileHeader>(0);
        if (!header || std::memcmp(header->magic, formats::kElfMagic, sizeof formats::kElfMagic) != 0 ||
            header->file_class != formats::kElfClass64 || header->data != formats::kElfLittleEndian ||
            header->section_header_bytes != sizeof(SectionHeader)) {
            return;
        }
        offset_ = header->section_header_offset;
        if (const auto names = read(header->section_names, header->section_header_count)) names_ = contents(*names);
        count_ = header->section_header_count;
    }

    Bytes find(std::string_view name) const {
        for (u16 i = 0; i < count_; ++i) {
            const auto section = read(i, count_);
            if (section && section->type == kContents && name_is(section->name, name)) return contents(*section);
        }
        return {};
    }

private:
    std::optional<SectionHeader> read(u16 index, u16 count) const {
        if (index >= count || offset_ > file_.size()) return std::nullopt;
        return file_.read<SectionHeader>(offset_ + index * sizeof(SectionHeader));
    }
    Bytes contents(const SectionHeader& section) const {
        return file_.slice(section.offset, section.bytes).value_or(Bytes{});
    }
    bool name_is(u64 at, std::string_view name) const {
        const auto bytes = formats::ByteReader{names_}.slice(at, name.size() + 1);
        return bytes && std::memcmp(bytes->data(), name.data(), name.size()) == 0 && bytes->back() == std::byte{0};
    }

    formats::ByteReader file_;
    u64 offset_{};
    Bytes names_;
    u16 count_{};
};

}  // namespace

Bytes find_schema_section(Bytes elf) { return Sections{elf}.find(abi::kSchemaSection); }

}  // namespace capos::dynamic
