// The rules of idl/flat.h on messages built by hand, word by word, and the shape of the generated structs.
#include <new>

#include <catch2/catch.hpp>
#include <initializer_list>
#include <vector>

#include "flat_messages.h"

using namespace capos;
using namespace capos::idl;

namespace {

using Words = std::vector<u64>;

flat::Bytes bytes(const Words& words) { return {reinterpret_cast<const std::byte*>(words.data()), words.size() * 8}; }

constexpr u64 struct_pointer(i64 offset, u64 data_words, u64 pointers) {
    return (static_cast<u64>(offset) << 2 & 0xffff'fffc) | data_words << 32 | pointers << 48;
}
constexpr u64 list_pointer(i64 offset, u64 element_size, u64 count) {
    return (static_cast<u64>(offset) << 2 & 0xffff'fffc) | 1 | element_size << 32 | count << 35;
}
constexpr u64 capability_pointer(u64 index) { return 3 | index << 32; }
constexpr u64 kByteElements = 2;

// Word by word what Cap'n Proto writes for (before = "ab", raw = 01 02 03, after = "").
const Words kBlobs = {struct_pointer(0, 0, 3), list_pointer(2, kByteElements, 3), list_pointer(2, kByteElements, 3), 0,
                      0x00'6261, 0x03'0201};

using Blobs = Everything::Blobs::Params;
using Numbers = Everything::Numbers::Params;
using Capabilities = Everything::Capabilities::Params;

std::optional<Blobs> blobs_with(usize word, u64 value) {
    Words words = kBlobs;
    words[word] = value;
    return Blobs::decode(bytes(words), 0);
}

}  // namespace

TEST_CASE("a flat message with Text and Data decodes to views of the message") {
    const auto fields = Blobs::decode(bytes(kBlobs), 0);
    REQUIRE(fields);
    CHECK(fields->before == "ab");
    REQUIRE(fields->raw.size() == 3);
    CHECK(fields->raw[2] == std::byte{3});
    CHECK(fields->after.empty());
    CHECK(fields->raw.data() == bytes(kBlobs).data() + 40);
}

TEST_CASE("an empty flat message has every field at its default") {
    const auto numbers = Numbers::decode({}, 0);
    REQUIRE(numbers);
    CHECK(numbers->d == 0);
    const auto blobs = Blobs::decode({}, 0);
    REQUIRE(blobs);
    CHECK(blobs->before.empty());
    const auto capabilities = Capabilities::decode({}, 0);
    REQUIRE(capabilities);
    CHECK_FALSE(capabilities->left.present());
}

TEST_CASE("the length of a flat message is a multiple of 8 and bounded") {
    for (usize length = 1; length <= 48; ++length) {
        CHECK(Blobs::decode(bytes(kBlobs).first(length), 0).has_value() == (length == 48));
    }
    Words words = kBlobs;
    words.resize(32);
    CHECK(Blobs::decode(bytes(words), 0));
    words.resize(33);
    CHECK_FALSE(Blobs::decode(bytes(words), 0));
    CHECK(Everything::Blobs::Results::decode(bytes(Words(1024)), 0));
    CHECK_FALSE(Everything::Blobs::Results::decode(bytes(Words(1025)), 0));
}

TEST_CASE("the root of a flat message is a struct pointer inside it") {
    CHECK(blobs_with(0, 0));
    CHECK(blobs_with(0, struct_pointer(0, 0, 3)));
    CHECK(blobs_with(0, struct_pointer(0, 0, 5)));
    CHECK_FALSE(blobs_with(0, struct_pointer(0, 0, 6)));
    CHECK_FALSE(blobs_with(0, struct_pointer(0, 3, 3)));
    CHECK_FALSE(blobs_with(0, struct_pointer(0, 0xffff, 0xffff)));
    CHECK(blobs_with(0, struct_pointer(5, 0, 0)));
    CHECK_FALSE(blobs_with(0, struct_pointer(6, 0, 0)));
    CHECK(blobs_with(0, struct_pointer(-1, 0, 0)));
    CHECK_FALSE(blobs_with(0, struct_pointer(-2, 0, 0)));
    CHECK_FALSE(blobs_with(0, struct_pointer(-0x2000'0000, 0, 0)));
    CHECK_FALSE(blobs_with(0, struct_pointer(0x1fff'ffff, 0, 0)));
    for (u64 kind = 1; kind < 4; ++kind) CHECK_FALSE(blobs_with(0, struct_pointer(0, 0, 3) | kind));
}

TEST_CASE("a Text is a list of bytes that ends in zero, inside the message") {
    CHECK(blobs_with(1, 0));
    CHECK(blobs_with(1, list_pointer(2, kByteElements, 8)));
    CHECK_FALSE(blobs_with(1, list_pointer(2, kByteElements, 2)));  // the last byte is 'b'
    CHECK_FALSE(blobs_with(1, list_pointer(2, kByteElements, 0)));
    CHECK(blobs_with(1, list_pointer(2, kByteElements, 16)));
    CHECK_FALSE(blobs_with(1, list_pointer(2, kByteElements, 17)));
    CHECK_FALSE(blobs_with(1, list_pointer(2, kByteElements, 0x1fff'ffff)));
    CHECK_FALSE(blobs_with(1, list_pointer(-3, kByteElements, 3)));
    CHECK_FALSE(blobs_with(1, list_pointer(5, kByteElements, 3)));
    for (u64 element_size = 0; element_size < 8; ++element_size) {
        CHECK(blobs_with(1, list_pointer(2, element_size, 3)).has_value() == (element_size == kByteElements));
    }
    for (u64 kind = 0; kind < 4; ++kind) {
        CHECK(blobs_with(1, (list_pointer(2, kByteElements, 3) & ~u64{3}) | kind).has_value() == (kind == 1));
    }
}

TEST_CASE("Data is a list of bytes, which need not end in zero") {
    CHECK(blobs_with(2, 0));
    CHECK(blobs_with(2, list_pointer(2, kByteElements, 0)));
    CHECK(blobs_with(2, list_pointer(2, kByteElements, 8)));
    CHECK_FALSE(blobs_with(2, list_pointer(2, kByteElements, 9)));
    CHECK_FALSE(blobs_with(2, list_pointer(2, 3, 1)));
    CHECK_FALSE(blobs_with(2, struct_pointer(0, 0, 0) | 2));
}

TEST_CASE("a capability in a flat message is one that came with it") {
    const auto with = [](u64 pointer, u8 count) {
        return Capabilities::decode(bytes({struct_pointer(0, 1, 3), 7, pointer, 0, capability_pointer(0)}), count);
    };
    const auto fields = with(capability_pointer(2), 3);
    REQUIRE(fields);
    CHECK(fields->left.value == 2);
    CHECK_FALSE(fields->any.present());
    CHECK(fields->named.value == 0);
    CHECK(fields->count == 7);
    CHECK_FALSE(with(capability_pointer(3), 3));
    CHECK_FALSE(with(capability_pointer(0xff), 3));
    CHECK_FALSE(with(capability_pointer(0x1'0000'0002 & 0xffff'ffff) | 4, 3));  // a reserved bit
    CHECK_FALSE(with(struct_pointer(-1, 0, 0), 3));
    CHECK_FALSE(with(0, 0));  // `named` is beyond
    static_assert(Capabilities::kCapabilities == 3 && Everything::Capabilities::Results::kCapabilities == 1);
}

TEST_CASE("a flat struct of an older schema reads as defaults, of a newer one is cut") {
    const auto shorter = Numbers::decode(bytes({struct_pointer(0, 1, 0), 0x0004'0003'0002'0001}), 0);
    REQUIRE(shorter);
    CHECK(shorter->a == 1);
    CHECK(shorter->h == 0);
    const auto longer = Everything::Numbers::Results::decode(bytes({struct_pointer(0, 2, 1), 5, 6, capability_pointer(9)}), 0);
    REQUIRE(longer);
    CHECK(longer->sum == 5);
    const auto moved = Everything::Numbers::Results::decode(bytes({struct_pointer(1, 1, 0), 9, 5}), 0);
    REQUIRE(moved);
    CHECK(moved->sum == 5);
}

TEST_CASE("flat numbers and booleans keep every bit at their places") {
    const Numbers numbers{.a = -1, .b = -2, .c = -3, .d = -4, .e = 0xfe, .f = 0xfffd, .g = 0xffff'fffc, .h = ~u64{4}};
    std::vector<std::byte> out(Numbers::kBytesMin);
    REQUIRE(numbers.encode(out) == out.size());
    const auto again = Numbers::decode(out, 0);
    REQUIRE(again);
    CHECK(again->a == -1);
    CHECK(again->b == -2);
    CHECK(again->c == -3);
    CHECK(again->d == -4);
    CHECK(again->e == 0xfe);
    CHECK(again->f == 0xfffd);
    CHECK(again->g == 0xffff'fffc);
    CHECK(again->h == ~u64{4});

    using Booleans = Everything::Booleans::Params;
    for (unsigned bits = 0; bits < 32; ++bits) {
        const Booleans flags{.first = (bits & 1) != 0, .second = (bits & 2) != 0, .wide = 0, .third = (bits & 4) != 0,
                             .fourth = (bits & 8) != 0, .fifth = (bits & 16) != 0};
        std::vector<std::byte> small(Booleans::kBytesMin);
        REQUIRE(flags.encode(small) == small.size());
        CHECK(small[8] == static_cast<std::byte>(bits));
    }
}

TEST_CASE("an unknown enumerant passes a flat decoder unchanged") {
    const auto fields = Everything::Paint::Params::decode(bytes({struct_pointer(0, 1, 0), 0xffff}), 0);
    REQUIRE(fields);
    CHECK(static_cast<u16>(fields->colour) == 0xffff);
    CHECK(static_cast<u16>(Colour::deep_blue) == 1);
}

TEST_CASE("encoding a flat message fills exactly the bytes it announces, or none of a smaller space") {
    const Blobs fields{.before = "ab", .raw = bytes(kBlobs).subspan(40, 3), .after = {}};
    std::vector<std::byte> out(kBlobs.size() * 8, std::byte{0xaa});
    REQUIRE(fields.encode(out) == out.size());
    CHECK(std::equal(out.begin(), out.end(), bytes(kBlobs).begin()));
    for (usize room = 0; room < out.size(); ++room) {
        std::vector<std::byte> small(room);
        CHECK(fields.encode(small) == 0);
    }
    std::vector<std::byte> large(flat::kParamsBytesMax + 64);
    const std::string longest(flat::kParamsBytesMax - Blobs::kBytesMin - 1, 'x');
    CHECK(Blobs{.before = longest}.encode(large) == flat::kParamsBytesMax);
    CHECK(Blobs{.before = longest + 'x'}.encode(large) == 0);
}

TEST_CASE("a flat message without fields is one word that is not null") {
    std::vector<std::byte> out(8);
    REQUIRE(Everything::Keyword::Results{}.encode(out) == 8);
    CHECK(flat::load<u64>(out.data()) == 0xffff'fffc);
    CHECK(Everything::Keyword::Results::decode(out, 0));
}

TEST_CASE("generated methods carry interface, ordinal and sizes") {
    static_assert(Everything::kInterfaceId == 0xb2d3f0a1c4e59702);
    static_assert(Everything::Paint::kInterfaceId == Everything::kInterfaceId && Everything::Paint::kOrdinal == 4);
    static_assert(Everything::Capabilities::kOrdinal == 3);
    static_assert(Everything::Structured::Params::kBytesMin == 24 && Blobs::kBytesMin == 32);
    CHECK(Everything::Keyword::Params{.register_ = 1, .io_apic_line = 2, .message = "m", .reader = true, .fields = {}}.reader);
}
