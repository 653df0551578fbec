// Boot information: what a boot loader writes is read as it stands, and a tag that lies about itself is an error.
#include <new>

#include <catch2/catch.hpp>

#include "formats/multiboot2.h"
#include "host/support/multiboot2_builder.h"

using namespace capos;
using namespace capos::formats;
using namespace capos::test;

namespace {

std::optional<Multiboot2Error> error_of(const ByteVector& bytes) {
    const auto info = parse_multiboot2(bytes);
    return info ? std::nullopt : std::optional{info.error()};
}

constexpr MemoryRange kOneRange[] = {{0x1000, 0x9000, MemoryKind::available}};

}  // namespace

TEST_CASE("ordinary boot information is read completely") {
    const ByteVector bytes = ordinary_boot_information();
    const auto info = parse_multiboot2(bytes);
    REQUIRE(info);
    CHECK(info->command_line == "console=serial");
    REQUIRE(info->modules().size() == 2);
    CHECK(info->modules()[0].start == 0x20'0000);
    CHECK(info->modules()[0].bytes() == 0x1'0000);
    CHECK(info->modules()[1].text == "archive one two");
    REQUIRE(info->ranges().size() == 5);
    CHECK(info->ranges()[3] == MemoryRange{0x10'0000, 0x7fe'0000, MemoryKind::available});
    CHECK(info->ranges()[4].kind == MemoryKind::acpi_reclaimable);
    REQUIRE(info->rsdp);
    CHECK(info->rsdp->size() == 36);
    CHECK_FALSE(info->sections);
}

TEST_CASE("the newer ACPI root is taken whichever comes first") {
    const ByteVector old_root(20, std::byte{1}), new_root(36, std::byte{2});
    const ByteVector first = Multiboot2Builder{}.acpi_new(new_root).acpi_old(old_root).build();
    const ByteVector last = Multiboot2Builder{}.acpi_old(old_root).acpi_new(new_root).build();
    const ByteVector only = Multiboot2Builder{}.acpi_old(old_root).build();
    CHECK(parse_multiboot2(first)->rsdp->size() == 36);
    CHECK(parse_multiboot2(last)->rsdp->size() == 36);
    CHECK(parse_multiboot2(only)->rsdp->size() == 20);
}

TEST_CASE("boot information cut off anywhere is an error") {
    const ByteVector whole = ordinary_boot_information();
    for (usize size = 0; size < whole.size(); ++size) {
        ByteVector cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        CHECK(error_of(cut) == (size < 4 ? Multiboot2Error::truncated : Multiboot2Error::bad_size));
        if (size < 16) continue;
        patch(cut, 0, static_cast<u32>(size));  // the same, with a total size that agrees
        const auto error = error_of(cut);
        CHECK((error == Multiboot2Error::no_end || error == Multiboot2Error::truncated));
    }
}

TEST_CASE("only the total size of boot information is looked at") {
    ByteVector bytes = ordinary_boot_information();
    bytes.resize(bytes.size() + 100, std::byte{0xff});
    CHECK(parse_multiboot2(bytes));
}

TEST_CASE("a boot information tag may not be shorter than its header or leave the information") {
    for (const u32 type : {0u, 1u, 3u, 14u, 99u}) {
        for (u32 size = 0; size < 8; ++size) {
            CHECK(error_of(Multiboot2Builder{}.tag(type, {}, size).build()) == Multiboot2Error::bad_tag);
        }
    }
    CHECK(error_of(Multiboot2Builder{}.tag(1, {}, 100).build()) == Multiboot2Error::truncated);
    CHECK(error_of(Multiboot2Builder{}.tag(99, {}, ~u32{0}).build()) == Multiboot2Error::truncated);
    CHECK(error_of(Multiboot2Builder{}.tag(99, ByteVector(5)).build()) == std::nullopt);
    CHECK(error_of(Multiboot2Builder{}.command_line("x").unended()) == Multiboot2Error::no_end);
}

TEST_CASE("text in boot information must end within its tag") {
    const ByteVector endless(9, std::byte{'x'});
    CHECK(error_of(Multiboot2Builder{}.tag(1, endless).build()) == Multiboot2Error::bad_tag);
    CHECK(error_of(Multiboot2Builder{}.tag(1, {}).build()) == Multiboot2Error::bad_tag);
    CHECK(error_of(Multiboot2Builder{}.tag(3, endless).build()) == Multiboot2Error::bad_tag);
    const ByteVector bytes = Multiboot2Builder{}.command_line(std::string_view{"a\0b", 3}).build();
    CHECK(parse_multiboot2(bytes)->command_line == "a");
}

TEST_CASE("a boot module ends no earlier than it starts, and there are at most 16") {
    CHECK(error_of(Multiboot2Builder{}.module(0x2000, 0x1fff, "m").build()) == Multiboot2Error::bad_tag);
    CHECK(error_of(Multiboot2Builder{}.module(0x2000, 0x2000, "m").build()) == std::nullopt);
    CHECK(error_of(Multiboot2Builder{}.tag(3, ByteVector(7)).build()) == Multiboot2Error::bad_tag);
    Multiboot2Builder many;
    for (u32 i = 0; i < kModulesMax; ++i) many.module(i, i + 1, "m");
    CHECK(parse_multiboot2(Multiboot2Builder{many}.build())->modules().size() == kModulesMax);
    CHECK(error_of(many.module(1, 2, "m").build()) == Multiboot2Error::too_many_modules);
}

TEST_CASE("memory map entries may be larger than the version of today, never smaller") {
    const ByteVector wide = Multiboot2Builder{}.memory_map(kOneRange, 40).build();
    REQUIRE(parse_multiboot2(wide));
    CHECK(parse_multiboot2(wide)->ranges()[0] == kOneRange[0]);
    for (const u32 entry_bytes : {0u, 8u, 16u, 23u, 25u, 28u, ~0u}) {
        const ByteVector body = ByteWriter{}.put(entry_bytes).put(u32{0}).put(u64{0}).put(u64{1}).put(u64{1}).take();
        CHECK(error_of(Multiboot2Builder{}.tag(6, body).build()) == Multiboot2Error::bad_tag);
    }
    CHECK(error_of(Multiboot2Builder{}.tag(6, ByteVector(3)).build()) == Multiboot2Error::bad_tag);
}

TEST_CASE("a memory range that wraps around is an error, and an empty one is left out") {
    const MemoryRange wraps[] = {{~u64{0} - 0xfff, 0x1000, MemoryKind::available}};
    CHECK(error_of(Multiboot2Builder{}.memory_map(wraps).build()) == Multiboot2Error::bad_tag);
    const MemoryRange last[] = {{~u64{0} - 0x1000, ~u64{0}, MemoryKind::reserved}};
    CHECK(error_of(Multiboot2Builder{}.memory_map(last).build()) == std::nullopt);
    const MemoryRange empty[] = {{0x1000, 0x1000, MemoryKind::available}, kOneRange[0]};
    const ByteVector bytes = Multiboot2Builder{}.memory_map(empty).build();
    CHECK(parse_multiboot2(bytes)->ranges().size() == 1);
}

TEST_CASE("a memory map has at most 128 ranges") {
    std::vector<MemoryRange> ranges;
    for (u64 i = 0; i < kMemoryRangesMax; ++i) ranges.push_back({i * 0x2000, i * 0x2000 + 0x1000, MemoryKind::available});
    CHECK(error_of(Multiboot2Builder{}.memory_map(ranges).build()) == std::nullopt);
    ranges.push_back(kOneRange[0]);
    CHECK(error_of(Multiboot2Builder{}.memory_map(ranges).build()) == Multiboot2Error::too_many_ranges);
}

TEST_CASE("section headers must lie within their tag") {
    const ByteVector headers(2 * 64, std::byte{7});
    const ByteVector bytes = Multiboot2Builder{}.sections(2, 64, 1, headers).build();
    const auto info = parse_multiboot2(bytes);
    REQUIRE(info);
    REQUIRE(info->sections);
    CHECK(info->sections->headers.size() == headers.size());
    CHECK(info->sections->names_index == 1);
    CHECK(error_of(Multiboot2Builder{}.sections(3, 64, 1, headers).build()) == Multiboot2Error::bad_tag);
    CHECK(error_of(Multiboot2Builder{}.sections(~u32{0}, ~u32{0}, 1, headers).build()) == Multiboot2Error::bad_tag);
    CHECK(error_of(Multiboot2Builder{}.tag(9, ByteVector(11)).build()) == Multiboot2Error::bad_tag);
}

TEST_CASE("every boot information error has a text of its own") {
    for (unsigned i = 0; i <= static_cast<unsigned>(Multiboot2Error::too_many_modules); ++i) {
        CHECK(std::string_view{describe(static_cast<Multiboot2Error>(i))} != "unknown error");
    }
}
