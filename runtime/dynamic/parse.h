// parse.h - text into a message, by the schema table of its interface: what print.h shows, typed by people. Pure.
//
//      (name = "log", offset = 0x1000, bytes = 0x"00 ff", level = warn, items = [(id = 1)], memory = $archive)
//
// Fields may come in any order, those left out keep their defaults. Numbers are decimal or 0x hexadecimal, enums a name or a
// number, Data 0x"hex digits" or a Text. Escapes in texts are those of C. A capability is $NAME, with the names of
// whoever reads the result, or null. No text at all is the same as ().
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/dynamic/table.h"

namespace capos::dynamic {

inline constexpr usize kMessageTextBytesMax = 16 * 1024;

struct ParseError {
    usize position{};  // in bytes from the beginning of the text
    std::string text;
};

struct NamedCapability {
    std::string name;  // without the $
    usize position{};
    u64 interface_id{};  // that the schema asks for; 0: any
};

struct Message {
    std::vector<std::byte> bytes;
    std::vector<NamedCapability> capabilities;  // in the order of the indices in the message; each name once
};

// Errors: what is wrong, in words, and where; also a message of more than abi::kMessageBytesMax bytes, structs nested deeper
// than kNestingMax, and more than abi::kCapabilitiesMax capabilities.
Result<Message, ParseError> parse(const Table& table, u16 structure, std::string_view text);

}  // namespace capos::dynamic
