// Messages from text: what people type becomes the message they mean, or an error that says what and where.
#include <new>

#include <catch2/catch.hpp>

#include "abi/ring.h"
#include "host/support/dynamic_everything.h"
#include "runtime/dynamic/parse.h"
#include "runtime/dynamic/print.h"

using namespace capos;
using namespace capos::dynamic;
using capos::test::everything;

namespace {

Result<Message, ParseError> parsed(std::string_view method, std::string_view text) {
    const Table table = everything();
    return parse(table, table.find_method(method)->params, text);
}

std::string round(std::string_view method, std::string_view text) {
    const auto message = parsed(method, text);
    REQUIRE(message);
    const Table table = everything();
    return print(table, table.find_method(method)->params, message->bytes, 8).text;
}

// "POSITION: TEXT".
std::string error_of(std::string_view method, std::string_view text) {
    const auto message = parsed(method, text);
    REQUIRE_FALSE(message);
    return std::to_string(message.error().position) + ": " + message.error().text;
}

}  // namespace

TEST_CASE("fields come in any order, and blanks anywhere between") {
    CHECK(round("lists", " ( texts=[ \"a\" ,\"b\" ]\t, flags = [true,false , true] ) ") ==
          "(flags = [true, false, true], texts = [\"a\", \"b\"])");
    CHECK(round("lists", "") == "()");
    CHECK(round("lists", "()") == "()");
}

TEST_CASE("the escape sequences of C are understood") {
    CHECK(round("pointers", R"((text = "\a\b\f\v\?\'\0\33[\1771", data = 0x""))") ==
          R"((text = "\x07\x08\x0c\x0b?'\x00\x1b[\x7f1", data = ""))");
}

TEST_CASE("numbers may be hexadecimal") {
    CHECK(round("scalars", "(large = 0xffffFFFFffffffff, signedSmall = -0x8000, byte = 0x7f)")
              .starts_with("(flag = false, byte = 127, small = 0, medium = 0, large = 18446744073709551615, signedByte = 0, "
                           "signedSmall = -32768"));
}

TEST_CASE("lists hold every kind of element") {
    constexpr std::string_view kText =
        "(flags = [true, true, false], bytes = [1, 255], smalls = [-1, 5], mediums = [4294967295], larges = [-1], "
        "colours = [green, deepBlue, red], texts = [\"x\", \"\"], datas = [0x\"00\", \"\"], "
        "points = [(x = 1, y = -2), (x = 0, y = 0)], nodes = [(name = \"a\", children = [(name = \"b\")], "
        "next = (name = \"c\"))], empties = [(), ()])";
    CHECK(round("lists", kText) == kText);
    CHECK(round("lists", "(flags = [], points = [])") == "(flags = [], points = [])");
    CHECK(round("lists", "(texts = [\"],(\", \"b\"])") == "(texts = [\"],(\", \"b\"])");
}

TEST_CASE("a capability is named, and counted once for each name") {
    const auto message = parsed("pointers", "(any = $log-2, middle = $log-2)");
    REQUIRE(message);
    REQUIRE(message->capabilities.size() == 1);
    CHECK(message->capabilities[0].name == "log-2");
    CHECK(message->capabilities[0].position == 7);
    CHECK(message->capabilities[0].interface_id == 0xa1d3b5c7e9f10002);
    CHECK(parsed("pointers", "(any = null)")->capabilities.empty());
    CHECK(error_of("pointers", "(any = log)") == "7: a capability is expected here: $NAME, or null");
    CHECK(error_of("pointers", "(any = $)") == "7: the name of a capability is missing behind the $");
    CHECK(error_of("lists", "(bases = [$a,$b,$c,$d,$e,$f,$g,$h,$i])") == "34: more than 8 capabilities in one message");
}

TEST_CASE("what is wrong in a message's text is said with its position") {
    CHECK(error_of("pointers", "(txt = \"a\")") == "1: no field is called txt; there are text, data, point, node, any, middle");
    CHECK(error_of("ping", "(a = 1)") == "1: there are no fields here");
    CHECK(error_of("pointers", "(= 1)") == "1: the name of a field is missing; there are text, data, point, node, any, middle");
    CHECK(error_of("pointers", "(text = \"a\", text = \"b\")") == "13: the field text is there twice");
    CHECK(error_of("pointers", "(text \"a\")") == "6: `=` is missing behind the name of a field");
    CHECK(error_of("pointers", "text = \"a\"") == "0: `(` is missing at the beginning of a struct");
    CHECK(error_of("pointers", "(text = \"a\"") == "11: `)` is missing at the end of a struct");
    CHECK(error_of("pointers", "(text = \"a") == "8: the closing `\"` of this text is missing");
    CHECK(error_of("pointers", "(text = a)") == "8: a text in `\"` is expected here");
    CHECK(error_of("pointers", "() x") == "3: nothing is expected here");
    CHECK(error_of("pointers", "(text = \"\\q\")") ==
          "9: an unknown escape sequence; there are \\n \\r \\t \\\" \\\\ and \\xHH, and the others of C");
    CHECK(error_of("pointers", "(text = \"\\400\")") == "9: an octal escape sequence above \\377");
    CHECK(error_of("pointers", "(text = \"\\x1g\")") == "9: \\x is followed by two hexadecimal digits");
    CHECK(error_of("pointers", "(data = 5)") == "8: bytes are expected here: 0x\"..\" or a text in `\"`");
    CHECK(error_of("pointers", "(data = 0x\"0\")") == "12: bytes are written as pairs of hexadecimal digits");
    CHECK(error_of("lists", "(flags = true)") == "9: `[` is missing at the beginning of a list");
    CHECK(error_of("lists", "(flags = [true)") == "14: `]` is missing at the end of a list");
    CHECK(error_of("lists", "(flags = [true,])") == "15: true or false is expected here");
}

TEST_CASE("numbers that do not fit are refused") {
    CHECK(error_of("scalars", "(byte = 256)") == "8: the number does not fit into 8 bits");
    CHECK(error_of("scalars", "(byte = -1)") == "8: the number can't be negative");
    CHECK(error_of("scalars", "(signedByte = 128)") == "14: the number does not fit into 8 bits");
    CHECK(error_of("scalars", "(signedByte = -129)") == "14: the number does not fit into 8 bits");
    CHECK(error_of("scalars", "(large = 18446744073709551616)") == "9: a number of more than 64 bits");
    CHECK(error_of("scalars", "(large = 1.5)") == "9: this is no whole number");
    CHECK(error_of("scalars", "(large = 12ab)") == "9: this is no whole number");
    CHECK(error_of("scalars", "(large = 010)") == "9: a number does not begin with 0; hexadecimal ones begin with 0x");
    CHECK(error_of("scalars", "(large = many)") == "9: a number is expected here");
    CHECK(error_of("scalars", "(colour = grey)") == "10: Colour is expected here: red, green, deepBlue");
    CHECK(error_of("scalars", "(colour = 65536)") == "10: the number does not fit into 16 bits");
    CHECK(error_of("scalars", "(flag = 1)") == "8: true or false is expected here");
}

TEST_CASE("a message has at most the size that the kernel passes on") {
    const std::string fits = "(text = \"" + std::string(abi::kMessageBytesMax - 7 * 8 - 1, 'x') + "\")";
    CHECK(parsed("pointers", fits)->bytes.size() == abi::kMessageBytesMax);
    const std::string too_large = "(text = \"" + std::string(abi::kMessageBytesMax - 7 * 8, 'x') + "\")";
    CHECK(error_of("pointers", too_large).ends_with("the message becomes larger than 8192 bytes"));
    CHECK(error_of("pointers", std::string(20'000, ' ')) == "16384: the text is too long");
}

TEST_CASE("structs in a message's text nest to the same depth as in print") {
    const auto nested = [](usize depth) {
        std::string text = "(node = ";
        for (usize i = 1; i < depth; ++i) text += "(next = ";
        return text + "()" + std::string(depth, ')');
    };
    CHECK(round("pointers", nested(15)).find("<invalid>") == std::string::npos);
    CHECK(error_of("pointers", nested(16)).ends_with("structs are nested too deeply"));
}
