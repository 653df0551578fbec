// The ELF loader's validator: what it accepts a loader can map exactly, and every way to be wrong has its own error.
#include <new>

#include <catch2/catch.hpp>
#include <random>

#include "formats/elf.h"
#include "host/support/elf_builder.h"

using namespace capos;
using namespace capos::formats;
using namespace capos::test;

namespace {

std::optional<ElfError> error_of(const ElfSpec& spec) {
    const ByteVector file = spec.build();
    const auto image = parse_elf(file);
    return image ? std::nullopt : std::optional{image.error()};
}

template <typename Change>
std::optional<ElfError> error_after(Change change) {
    ElfSpec spec = small_program();
    change(spec);
    return error_of(spec);
}

}  // namespace

TEST_CASE("a small static program is accepted with its segments as the headers say") {
    const auto image = parse_elf(small_program().build());
    REQUIRE(image);
    CHECK(image->entry == 0x40'1000);
    CHECK_FALSE(image->position_independent);
    CHECK(image->program_headers == 0x40'0040);
    CHECK(image->program_header_count == 3);
    REQUIRE(image->segments().size() == 3);
    const ElfSegment& data = image->segments()[2];
    CHECK(data.address == 0x40'2010);
    CHECK(data.file_offset == 0x2010);
    CHECK(data.file_bytes == 0x100);
    CHECK(data.memory_bytes == 0x5000);
    CHECK(data.writable);
    CHECK_FALSE(data.executable);
    CHECK(data.page_start() == 0x40'2000);
    CHECK(data.page_end() == 0x40'8000);
    CHECK(image->segments()[1].executable);
    CHECK_FALSE(image->segments()[0].writable);
}

TEST_CASE("an ELF segment that is writable and executable is refused", "[R12]") {
    for (usize segment = 0; segment < 3; ++segment) {
        for (const u32 read : {0u, kElfRead}) {
            const auto error = error_after([&](ElfSpec& s) { s.headers[segment].flags = read | kElfWrite | kElfExecute; });
            CHECK(error == ElfError::writable_and_executable);
        }
    }
}

TEST_CASE("a writable and an executable ELF segment may not share a page", "[R12]") {
    CHECK(error_after([](ElfSpec& s) {
              s.headers[2].offset = 0x1800;
              s.headers[2].address = 0x40'1800;
          }) == ElfError::overlap);
}

TEST_CASE("an ELF that asks for an executable stack is refused", "[R12]") {
    constexpr u32 kGnuStack = 0x6474e551;
    CHECK(error_after([](ElfSpec& s) { s.headers.push_back({.type = kGnuStack, .flags = 7}); }) ==
          ElfError::executable_stack);
    CHECK(error_after([](ElfSpec& s) { s.headers.push_back({.type = kGnuStack, .flags = 6}); }) == std::nullopt);
}

TEST_CASE("every accepted combination of ELF flags maps pages that are either writable or executable", "[R12]") {
    for (u32 flags = 0; flags < 8; ++flags) {
        ElfSpec spec = small_program();
        spec.headers[0].flags = flags;
        const auto image = parse_elf(spec.build());
        CHECK(image.has_value() == ((flags & 3) != 3));
        if (!image) continue;
        for (const ElfSegment& segment : image->segments()) CHECK_FALSE((segment.writable && segment.executable));
    }
}

TEST_CASE("a file that is not an ELF for this machine is named as such") {
    CHECK(parse_elf({}).error() == ElfError::truncated);
    CHECK(error_after([](ElfSpec& s) { s.file_class = 1; }) == ElfError::wrong_machine);
    CHECK(error_after([](ElfSpec& s) { s.data = 2; }) == ElfError::wrong_machine);
    CHECK(error_after([](ElfSpec& s) { s.ident_version = 0; }) == ElfError::wrong_machine);
    CHECK(error_after([](ElfSpec& s) { s.version = 2; }) == ElfError::wrong_machine);
    CHECK(error_after([](ElfSpec& s) { s.machine = 183; }) == ElfError::wrong_machine);
    for (const u16 type : {u16{0}, u16{1}, u16{4}}) {
        CHECK(error_after([&](ElfSpec& s) { s.type = type; }) == ElfError::not_executable);
    }
    ByteVector text(64, std::byte{'x'});
    CHECK(parse_elf(text).error() == ElfError::not_elf);
}

TEST_CASE("an ELF cut off at any byte of its headers or file contents is refused as truncated") {
    const ByteVector whole = small_program().build();
    constexpr usize kNeeded = 0x2110;  // the end of the last segment's file contents
    for (usize size = 0; size < kNeeded; size += size < 0x200 ? 1 : 61) {
        const ByteVector cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        const auto image = parse_elf(cut);
        REQUIRE_FALSE(image);
        CHECK(image.error() == ElfError::truncated);
    }
    const ByteVector enough(whole.begin(), whole.begin() + kNeeded);
    CHECK(parse_elf(enough));
}

TEST_CASE("program headers of another size, or beyond the file, are refused") {
    CHECK(error_after([](ElfSpec& s) { s.program_header_bytes = 32; }) == ElfError::bad_headers);
    CHECK(error_after([](ElfSpec& s) { s.header_bytes = 52; }) == ElfError::bad_headers);
    CHECK(error_after([](ElfSpec& s) { s.program_header_count = 0xffff; }) == ElfError::truncated);
    for (const u64 offset : {u64{0x3000}, ~u64{0}, ~u64{0} - 55, ~u64{0} - 56 * 2}) {
        CHECK(error_after([&](ElfSpec& s) { s.program_header_offset = offset; }) == ElfError::truncated);
    }
    CHECK(error_after([](ElfSpec& s) { s.program_header_count = 0; }) == ElfError::no_segments);
}

TEST_CASE("a dynamically linked ELF is refused") {
    CHECK(error_after([](ElfSpec& s) { s.headers.push_back({.type = 3}); }) == ElfError::needs_interpreter);
}

TEST_CASE("an ELF segment outside the user half or below 64 KiB is refused") {
    auto at = [](u64 address, u64 memory = 0x200) {
        return error_after([&](ElfSpec& s) {
            s.headers[0].address = address;
            s.headers[0].memory_bytes = memory;
        });
    };
    CHECK(at(0) == ElfError::bad_address);
    CHECK(at(kUserLowest - 0x1000) == ElfError::bad_address);
    CHECK(at(kUserLowest) == std::nullopt);
    CHECK(at(kUserEnd) == ElfError::bad_address);
    CHECK(at(kUserEnd - 0x1000, 0x1000) == std::nullopt);
    CHECK(at(kUserEnd - 0x1000, 0x1001) == ElfError::bad_address);
    CHECK(at(0xffff'8000'0000'0000) == ElfError::bad_address);
    CHECK(at(~u64{0} & ~u64{0xfff}) == ElfError::bad_address);
}

TEST_CASE("a position-independent ELF may start at address 0") {
    ElfSpec spec = small_program();
    spec.type = 3;
    for (ElfHeaderSpec& h : spec.headers) h.address -= 0x40'0000;
    spec.entry -= 0x40'0000;
    const auto image = parse_elf(spec.build());
    REQUIRE(image);
    CHECK(image->position_independent);
    CHECK(image->program_headers == 0x40);
}

TEST_CASE("ELF segment sizes that no loader could honour are refused") {
    CHECK(error_after([](ElfSpec& s) { s.headers[0].file_bytes = 0x201; }) == ElfError::bad_size);
    CHECK(error_after([](ElfSpec& s) { s.headers[2].memory_bytes = kElfMemoryBytesMax + 1; }) == ElfError::bad_size);
    CHECK(error_after([](ElfSpec& s) { s.headers[2].memory_bytes = kElfMemoryBytesMax; }) == std::nullopt);
    CHECK(error_after([](ElfSpec& s) { s.headers[2].memory_bytes = ~u64{0}; }) == ElfError::bad_size);
    CHECK(error_after([](ElfSpec& s) { s.headers[1].offset = ~u64{0} - 0xfff; }) == ElfError::truncated);
    CHECK(error_after([](ElfSpec& s) { s.headers[2].offset = 0x2011; }) == ElfError::bad_alignment);
}

TEST_CASE("an ELF has at most as many segments as an image can hold, and empty ones don't count") {
    ElfSpec spec = small_program();
    while (spec.headers.size() < kElfSegmentsMax) {
        spec.headers.push_back({.address = 0x80'0000 + spec.headers.size() * 0x1000, .memory_bytes = 0x1000});
    }
    CHECK(error_of(spec) == std::nullopt);
    spec.headers.push_back({.address = 0x1000, .memory_bytes = 0});
    CHECK(error_of(spec) == std::nullopt);
    spec.headers.push_back({.address = 0x90'0000, .memory_bytes = 1});
    CHECK(error_of(spec) == ElfError::too_many_segments);
}

TEST_CASE("an ELF entry point must lie in the file contents of an executable segment") {
    auto entry = [](u64 address) { return error_after([&](ElfSpec& s) { s.entry = address; }); };
    CHECK(entry(0x40'17ff) == std::nullopt);
    CHECK(entry(0x40'1800) == ElfError::bad_entry);
    CHECK(entry(0x40'0fff) == ElfError::bad_entry);
    CHECK(entry(0x40'2010) == ElfError::bad_entry);  // writable, not executable
    CHECK(entry(0) == ElfError::bad_entry);
}

TEST_CASE("whether two ELF segments overlap is decided page by page") {
    std::mt19937_64 random{20};
    for (int round = 0; round < 2000; ++round) {
        ElfSpec spec = small_program();
        spec.headers.resize(2);
        const u64 first = random() % 12 * 0x800, second = random() % 12 * 0x800;
        const u64 first_bytes = 1 + random() % 0x2000, second_bytes = 1 + random() % 0x2000;
        spec.headers.push_back({.offset = first % 0x1000, .address = 0x80'0000 + first, .memory_bytes = first_bytes});
        spec.headers.push_back({.offset = second % 0x1000, .address = 0x80'0000 + second, .memory_bytes = second_bytes});
        bool shared = false;
        for (u64 page = 0; page < 32; ++page) {
            auto touches = [&](u64 start, u64 bytes) { return start < (page + 1) * 0x1000 && start + bytes > page * 0x1000; };
            shared |= touches(first, first_bytes) && touches(second, second_bytes);
        }
        CHECK(error_of(spec) == (shared ? std::optional{ElfError::overlap} : std::nullopt));
    }
}

TEST_CASE("every ELF error has a text of its own") {
    for (unsigned i = 0; i <= static_cast<unsigned>(ElfError::bad_entry); ++i) {
        CHECK(std::string_view{describe(static_cast<ElfError>(i))} != "unknown error");
    }
}
