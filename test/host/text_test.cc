// Text from anywhere on a terminal: nothing but printable characters comes through.
#include <new>

#include <catch2/catch.hpp>

#include "runtime/dynamic/text.h"

using namespace capos;
using namespace capos::dynamic;

namespace {

std::string escaped(std::string_view text) {
    std::string out;
    append_escaped(out, text);
    return out;
}

}  // namespace

TEST_CASE("control characters, C1 characters and turns of the writing direction are escaped for the terminal") {
    CHECK(shown("plain äöü € 😀") == "plain äöü € 😀");
    CHECK(shown("\x1b[2J") == "\\x1b[2J");
    CHECK(shown("a\nb\rc\td") == "a\\nb\\rc\\td");
    CHECK(shown("\x7f") == "\\x7f");
    CHECK(shown("\xc2\x9b" "31m") == "\\xc2\\x9b31m");            // CSI as a C1 character
    CHECK(shown("a\xe2\x80\xae" "b") == "a\\xe2\\x80\\xae" "b");  // right-to-left override
    CHECK(shown("\xe2\x80\xa8") == "\\xe2\\x80\\xa8");            // line separator
    CHECK(shown("\"\\") == "\"\\");
    CHECK(escaped("\"\\") == "\\\"\\\\");
}

TEST_CASE("bytes that are no UTF-8 are escaped one by one") {
    CHECK(shown("\xff") == "\\xff");
    CHECK(shown("\xc3") == "\\xc3");
    CHECK(shown("\xc0\xaf") == "\\xc0\\xaf");              // overlong
    CHECK(shown("\xe0\x80\xaf") == "\\xe0\\x80\\xaf");
    CHECK(shown("\xed\xa0\x80") == "\\xed\\xa0\\x80");     // surrogate
    CHECK(shown("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");
    CHECK(shown("\xe2\x82" "a") == "\\xe2\\x82" "a");
}

TEST_CASE("nothing but printable characters is shown, whatever the bytes") {
    u32 state = 1;
    for (u32 round = 0; round < 2000; ++round) {
        std::string text;
        for (u32 i = 0; i < 16; ++i) {
            state = state * 1664525 + 1013904223;
            text += static_cast<char>(state >> 24);
        }
        std::string rest = shown(text);
        while (!rest.empty()) {
            const CodePoint point = first_code_point(rest);
            if (!point.is_valid || !is_printable(point.value)) FAIL("shows what is not printable");
            rest.erase(0, point.bytes);
        }
    }
    SUCCEED();
}
