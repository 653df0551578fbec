// The boot archive's reader: files come out as they went in, and every way to be wrong has its own error.
#include <new>

#include <catch2/catch.hpp>

#include "formats/ustar.h"
#include "host/support/ustar_builder.h"

using namespace capos;
using namespace capos::formats;
using namespace capos::test;

namespace {

std::string text_of(std::optional<Bytes> bytes) {
    return bytes ? std::string{reinterpret_cast<const char*>(bytes->data()), bytes->size()} : "nothing";
}

std::optional<UstarError> error_of(const ByteVector& archive) {
    const auto opened = UstarArchive::open(archive);
    return opened ? std::nullopt : std::optional{opened.error()};
}

}  // namespace

TEST_CASE("files of the boot archive are found by name") {
    const ByteVector bytes = ustar({{"bin/log", std::string(1000, 'l')}, {"bin/uart", std::string(512, 'u')}, {"empty", ""},
                                    {"manifest", "m"}});
    const auto archive = UstarArchive::open(bytes);
    REQUIRE(archive);
    CHECK(text_of(archive->find("bin/log")) == std::string(1000, 'l'));
    CHECK(text_of(archive->find("bin/uart")) == std::string(512, 'u'));
    CHECK(text_of(archive->find("empty")).empty());
    CHECK(text_of(archive->find("manifest")) == "m");
    CHECK_FALSE(archive->find("bin"));
    CHECK_FALSE(archive->find(""));
    u64 cursor = 0;
    std::string names;
    while (const auto file = archive->next(cursor)) names += std::string{file->name} + " ";
    CHECK(names == "bin/log bin/uart empty manifest ");
}

TEST_CASE("an archive without files is one, and what follows its end does not matter") {
    ByteVector bytes = ustar({});
    REQUIRE(UstarArchive::open(bytes));
    bytes.resize(4096, std::byte{0x5a});
    const auto archive = UstarArchive::open(bytes);
    REQUIRE(archive);
    u64 cursor = 0;
    CHECK_FALSE(archive->next(cursor));
}

TEST_CASE("a name of exactly 100 bytes is found, one of 101 cannot be", "[R04]") {
    const std::string name(kUstarNameBytesMax, 'n');
    const ByteVector bytes = ustar({{name, "x"}});
    const auto archive = UstarArchive::open(bytes);
    REQUIRE(archive);
    CHECK(text_of(archive->find(name)) == "x");
    CHECK_FALSE(archive->find(name + "n"));
}

TEST_CASE("names that come twice, or out of order, are refused", "[R03]") {
    CHECK(error_of(ustar({{"a", "1"}, {"a", "2"}})) == UstarError::out_of_order);
    CHECK(error_of(ustar({{"b", "1"}, {"a", "2"}})) == UstarError::out_of_order);
    CHECK_FALSE(error_of(ustar({{"a", "1"}, {"a-", "2"}, {"a/b", "3"}})));
}

TEST_CASE("names that are no plain relative paths are refused") {
    for (const char* name : {"", "/a", "a/", "a//b", ".", "..", "a/../b", "./a"}) {
        CAPTURE(name);
        CHECK(error_of(ustar({{name, "1"}})) == UstarError::bad_name);
    }
    CHECK(error_of(ustar({{.name = "a", .prefix = "p"}})) == UstarError::bad_name);
}

TEST_CASE("each damage to an archive has its own error") {
    CHECK(error_of({}) == UstarError::no_end);
    CHECK(error_of(ustar({}, 1)) == UstarError::no_end);
    CHECK(error_of(ustar({{"a", "1"}}, 0)) == UstarError::no_end);
    CHECK(error_of(ustar({{.name = "a", .magic = "ustar "}})) == UstarError::bad_magic);
    CHECK(error_of(ustar({{.name = "a", .version = " \0"}})) == UstarError::bad_magic);
    CHECK(error_of(ustar({{.name = "a", .right_checksum = false}})) == UstarError::bad_checksum);
    CHECK(error_of(ustar({{.name = "a", .size = "12345670"}})) == UstarError::truncated);
    CHECK(error_of(ustar({{.name = "a", .size = "77777777777"}})) == UstarError::truncated);
    for (const char* size : {"          8", "12x", "-1", "8"}) {
        CHECK(error_of(ustar({{.name = "a", .size = size}})) == UstarError::bad_number);
    }
    for (const char type : {'1', '2', '5', 'x', 'L', '\0'}) {
        CHECK(error_of(ustar({{.name = "a", .type = type}})) == UstarError::not_a_file);
    }
}

TEST_CASE("an archive that is cut off anywhere is refused") {
    const ByteVector whole = ustar({{"a", std::string(700, 'a')}, {"b", "b"}});
    for (usize size = 0; size < whole.size(); ++size) {
        CHECK(error_of(ByteVector(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))));
    }
}

TEST_CASE("a flipped bit in a header is noticed") {
    const ByteVector whole = ustar({{"bin/a", std::string(600, 'a')}});
    for (usize bit = 0; bit < 512 * 8; ++bit) {
        ByteVector damaged = whole;
        damaged[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
        const bool behind_digits = bit / 8 == kUstarChecksumAt + 6 || bit / 8 == kUstarChecksumAt + 7;
        if (!behind_digits) CHECK(error_of(damaged));
    }
}
