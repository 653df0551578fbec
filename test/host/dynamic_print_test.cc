// Messages as text: every type, and whatever a peer may send.
#include <new>

#include <catch2/catch.hpp>

#include "host/support/dynamic_everything.h"
#include "host/support/byte_writer.h"
#include "runtime/dynamic/parse.h"
#include "runtime/dynamic/print.h"
#include "idl/pointer.h"

using namespace capos;
using namespace capos::dynamic;
using capos::test::everything;

namespace {

u16 params_of(std::string_view method) { return everything().find_method(method)->params; }

// Prints what `text` was parsed to.
std::string round(std::string_view method, std::string_view text, u8 capability_count = 8) {
    const Table table = everything();
    const auto message = parse(table, params_of(method), text);
    REQUIRE(message);
    const Printed printed = print(table, params_of(method), message->bytes, capability_count);
    CHECK(printed.is_complete);
    return printed.text;
}

Printed print_words(std::string_view method, const std::vector<u64>& words) {
    return print(everything(), params_of(method), std::as_bytes(std::span{words}), 0);
}

}  // namespace

TEST_CASE("an empty message prints with all its scalars at zero") {
    const Printed printed = print(everything(), params_of("scalars"), {}, 0);
    CHECK(printed.is_valid);
    CHECK(printed.text == "(flag = false, byte = 0, small = 0, medium = 0, large = 0, signedByte = 0, signedSmall = 0, "
                          "signedMedium = 0, signedLarge = 0, second = false, colour = red)");
    CHECK(print(everything(), params_of("pointers"), {}, 0).text == "(text = \"\", data = \"\")");
}

TEST_CASE("numbers print with their sign and at their full width") {
    CHECK(round("scalars", "(byte = 255, large = 18446744073709551615, signedByte = -128, signedLarge = -9223372036854775808, "
                           "signedSmall = -1, second = true, colour = deepBlue)") ==
          "(flag = false, byte = 255, small = 0, medium = 0, large = 18446744073709551615, signedByte = -128, "
          "signedSmall = -1, signedMedium = 0, signedLarge = -9223372036854775808, second = true, colour = deepBlue)");
}

TEST_CASE("an enumerant that the table does not know prints as its number") {
    CHECK(round("scalars", "(colour = 700)").ends_with("colour = 700)"));
}

TEST_CASE("texts in messages are escaped") {
    CHECK(round("pointers", R"((text = "\x1b[31m\"\\\n", data = 0x"00ff 1b"))") ==
          R"((text = "\x1b[31m\"\\\n", data = 0x"00 ff 1b"))");
}

TEST_CASE("a secret field is never printed") {
    CHECK(round("signIn", R"((user = "eve", password = "hunter2", pin = 1234))") ==
          R"((user = "eve", password = <secret>, pin = <secret>))");
}

TEST_CASE("capabilities print as what stands for them") {
    CHECK(round("pointers", "(any = $one, middle = $two)", 2) ==
          "(text = \"\", data = \"\", any = <cap 0>, middle = <cap 1>)");
    const Table table = everything();
    const auto message = parse(table, params_of("pointers"), "(any = $one, middle = $two)");
    const std::string_view names[] = {"$log", "$file"};
    const Printed printed = print(table, params_of("pointers"), message->bytes, 2, {.capabilities = names});
    CHECK(printed.text == "(text = \"\", data = \"\", any = $log, middle = $file)");
    REQUIRE(printed.capabilities.size() == 2);
    CHECK(printed.capabilities[0].interface_id == 0);
    CHECK(printed.capabilities[1].index == 1);
    CHECK(printed.capabilities[1].field == "middle");
    CHECK(printed.capabilities[1].interface_id == 0xa1d3b5c7e9f10002);
    CHECK(print(table, params_of("lists"), parse(table, params_of("lists"), "(bases = [$a, null, $a])")->bytes, 1).text ==
          "(bases = [<cap 0>, null, <cap 0>])");
}

TEST_CASE("a capability that did not come with the message is invalid") {
    CHECK(round("pointers", "(any = $one, middle = $two)", 1) ==
          "(text = \"\", data = \"\", any = <cap 0>, middle = <invalid>)");
}

TEST_CASE("what breaks a rule of the encoding prints as invalid, the rest as it is", "[R30]") {
    const auto text_pointer = [](u64 offset, u64 count) { return idl::wire::make_list(offset, idl::wire::kByteList, count); };
    const u64 root = idl::wire::make_struct(0, 0, 6);
    const auto printed = [&](u64 text, u64 data) { return print_words("pointers", {root, text, data, 0, 0, 0, 0, 0x41}); };
    CHECK(printed(0, text_pointer(4, 1)).text == R"((text = "", data = 0x"41"))");
    CHECK(printed(text_pointer(5, 2), 0).text == R"((text = "A", data = ""))");
    CHECK(printed(text_pointer(5, 1), 0).text == R"((text = <invalid>, data = ""))");            // no final zero
    CHECK(printed(text_pointer(5, 0), 0).text == R"((text = <invalid>, data = ""))");
    CHECK(printed(text_pointer(5, 9), text_pointer(4, 1)).text == R"((text = <invalid>, data = 0x"41"))");
    CHECK(printed(text_pointer(7, 2), 0).text == R"((text = <invalid>, data = ""))");
    CHECK(printed(0, idl::wire::make_struct(-1, 0, 0)).text == R"((text = "", data = <invalid>))");
    CHECK(printed(0, 2).text == R"((text = "", data = <invalid>))");                             // far
    CHECK_FALSE(printed(0, 2).is_valid);
    CHECK(print_words("pointers", {idl::wire::make_struct(0, 9, 9)}).text == "<invalid>");
    CHECK(print_words("pointers", {2}).text == "<invalid>");
    const Bytes odd = Bytes{std::as_bytes(std::span{kDynamicTables})}.first(7);
    CHECK(print(everything(), params_of("pointers"), odd, 0).text == "<invalid>");
}

TEST_CASE("a struct that contains itself ends at the nesting limit", "[R30]") {
    // The root's `node` is a Node whose `next` leads back to it.
    std::vector<u64> words = {idl::wire::make_struct(0, 0, 6), 0, 0, 0, idl::wire::make_struct(2, 0, 4), 0, 0};
    words.insert(words.end(), {0, 0, 0, idl::wire::make_struct(-4, 0, 4)});
    const Printed printed = print_words("pointers", words);
    CHECK_FALSE(printed.is_valid);
    CHECK(printed.is_complete);
    CHECK(printed.text.find("next = <invalid>") != std::string::npos);
    CHECK(printed.text.size() < 1000);
}

TEST_CASE("a list of a billion empty structs prints to its limit and no further", "[R30]") {
    std::vector<u64> words = {idl::wire::make_struct(0, 0, 12), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    words[11] = idl::wire::make_list(1, idl::wire::kStructElements, 0);
    words.push_back(idl::wire::make_struct((1 << 29) - 1, 0, 0));
    const Printed printed = print_words("lists", words);
    CHECK_FALSE(printed.is_complete);
    CHECK(printed.text.size() == 16 * 1024 + 3);
    CHECK(printed.text.starts_with("(empties = [(), (), "));
    CHECK(printed.text.ends_with("..."));
}

TEST_CASE("what is too long is cut off, and not inside a character") {
    const Table table = everything();
    const auto message = parse(table, params_of("pointers"), "(text = \"€€€€\")");
    const Printed printed = print(table, params_of("pointers"), message->bytes, 0, {.bytes_max = 13});
    CHECK(printed.text == "(text = \"€...");
    CHECK_FALSE(printed.is_complete);
}
