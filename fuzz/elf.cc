// The validator of ELF files. The input is the file.
#include "formats/elf.h"

#include <algorithm>

#include "host/support/elf_builder.h"
#include "support/target.h"

namespace capos::fuzz {

namespace {

using formats::ElfImage;
using formats::ElfSegment;

void check_segment(const ElfSegment& segment, Bytes file, bool position_independent) {
    check(!(segment.writable && segment.executable), "no segment is writable and executable (R12)");
    check(segment.file_bytes <= segment.memory_bytes, "a segment has room for its file contents");
    check(segment.memory_bytes > 0 && segment.memory_bytes <= formats::kElfMemoryBytesMax, "a segment's size is possible");
    check(segment.file_offset <= file.size() && segment.file_bytes <= file.size() - segment.file_offset,
          "a segment's contents lie in the file");
    check(segment.address % formats::kElfPageBytes == segment.file_offset % formats::kElfPageBytes, "pages can be mapped");
    check(position_independent || segment.address >= formats::kUserLowest, "null pointers fault");
    check(segment.address + segment.memory_bytes > segment.address, "a segment does not wrap around");
    check(segment.page_end() <= formats::kUserEnd, "a segment lies in the user half");
}

bool equal(const ElfSegment& a, const ElfSegment& b) {
    return a.address == b.address && a.file_offset == b.file_offset && a.file_bytes == b.file_bytes &&
           a.memory_bytes == b.memory_bytes && a.writable == b.writable && a.executable == b.executable;
}

void check_image(const ElfImage& image, Bytes file) {
    check(!image.segments().empty(), "something is loaded");
    bool entry = false, headers = image.program_headers == 0;
    for (usize i = 0; i < image.segment_count; ++i) {
        const ElfSegment& segment = image.segments()[i];
        check_segment(segment, file, image.position_independent);
        for (usize j = 0; j < i; ++j) {
            const ElfSegment& other = image.segments()[j];
            check(segment.page_end() <= other.page_start() || other.page_end() <= segment.page_start(),
                  "no page is in two segments");
        }
        const auto contains = [&](u64 address) {
            return address >= segment.address && address - segment.address < segment.file_bytes;
        };
        entry |= segment.executable && contains(image.entry);
        headers |= image.program_header_count == 0 || contains(image.program_headers + image.program_header_count * 56u - 1);
    }
    check(entry, "the entry point lies in executable file contents");
    check(headers, "the program headers are in memory where the image says");
}

}  // namespace

void run(Bytes input) {
    const auto image = formats::parse_elf(input);
    if (!image) {
        check(formats::describe(image.error()) != std::string_view{"unknown error"}, "each error has a text");
        return;
    }
    check_image(*image, input);
    const ByteVector copy(input.begin(), input.end());
    const auto again = formats::parse_elf(copy);
    check(again && again->entry == image->entry && again->program_headers == image->program_headers &&
              std::ranges::equal(again->segments(), image->segments(), equal),
          "the same bytes give the same image");
}

std::vector<ByteVector> seeds() {
    using namespace capos::test;
    ElfSpec independent = small_program();
    independent.type = 3;
    independent.entry -= 0x40'0000;
    for (ElfHeaderSpec& h : independent.headers) h.address -= 0x40'0000;
    ElfSpec stack = small_program();
    stack.headers.push_back({.type = 0x6474e551, .flags = 6});
    ElfSpec many = small_program();
    while (many.headers.size() < 18) {
        many.headers.push_back({.address = 0x80'0000 + many.headers.size() * 0x1000, .memory_bytes = 1});
    }
    return {small_program().build(), independent.build(), stack.build(), many.build()};
}

}  // namespace capos::fuzz
