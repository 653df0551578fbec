// The bricks of every parser: bounds-checked reading, byte order, and results.
#include <new>

#include <catch2/catch.hpp>
#include <random>
#include <string>

#include "formats/support/bytes.h"
#include "formats/support/endian.h"
#include "formats/support/result.h"

using namespace capos;
using namespace capos::formats;

TEST_CASE("whether a range fits is decided without wrapping around") {
    std::mt19937_64 random{3};
    auto any = [&] { return random() % 2 != 0 ? random() % 16 : ~u64{0} - random() % 16; };
    for (int i = 0; i < 10'000; ++i) {
        const u64 offset = any(), length = any(), size = any();
        using Wide = unsigned __int128;
        CHECK(range_fits(offset, length, size) == (Wide{offset} + length <= size));
    }
}

TEST_CASE("a byte reader gives values inside its input and nothing else") {
    const std::byte storage[8]{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4},
                               std::byte{5}, std::byte{6}, std::byte{7}, std::byte{8}};
    for (usize size = 0; size <= sizeof storage; ++size) {
        const ByteReader reader{Bytes{storage, size}};
        for (u64 offset = 0; offset < 12; ++offset) {
            CHECK(reader.read<u32>(offset).has_value() == (offset + 4 <= size));
            for (u64 length = 0; length < 12; ++length) {
                CHECK(reader.slice(offset, length).has_value() == (offset + length <= size));
            }
        }
        CHECK_FALSE(reader.read<u64>(~u64{0}));
        CHECK_FALSE(reader.read<u8>(~u64{0} - 1));
        CHECK_FALSE(reader.slice(1, ~u64{0}));
    }
    CHECK(ByteReader{storage}.read<u32>(1) == 0x05040302u);
    CHECK_FALSE(ByteReader{}.read<u8>(0));
    CHECK(ByteReader{}.slice(0, 0));
}

TEST_CASE("ordered integers have their byte order on every machine") {
    const le<u32> little{0x01020304};
    const be<u32> big{0x01020304};
    const std::byte* l = reinterpret_cast<const std::byte*>(&little);
    const std::byte* b = reinterpret_cast<const std::byte*>(&big);
    for (usize i = 0; i < 4; ++i) {
        CHECK(l[i] == static_cast<std::byte>(4 - i));
        CHECK(b[i] == static_cast<std::byte>(i + 1));
    }
    CHECK(u32{little} == 0x01020304);
    CHECK(u32{big} == 0x01020304);
    CHECK(u64{be<u64>{}} == 0);
}

namespace {
enum class Fault { first, second };
Result<int, Fault> half(int n) {
    if (n % 2 != 0) return fail(Fault::first);
    return n / 2;
}
Result<void, Fault> check(int n) {
    if (TRY(half(n)) == 7) return fail(Fault::second);
    return done;
}
Result<std::string, Fault> describe(int n) {
    TRY(check(n));
    std::string text = TRY(Result<std::string, Fault>{"half is "});
    return text + std::to_string(TRY(half(n)));
}
}  // namespace

TEST_CASE("TRY gives the value or returns the error") {
    CHECK(describe(8).value_or("") == "half is 4");
    CHECK(describe(9).error() == Fault::first);
    CHECK(describe(14).error() == Fault::second);
    CHECK(check(2));
}
