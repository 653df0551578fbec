// print.h - any message as text, from the schema table of its interface. Pure.
//
//      (name = "log", level = warn, count = 3, bytes = 0x"00 ff", items = [(id = 1), (id = 2)], memory = <cap 0>)
//
// That is Cap'n Proto's text form, so what is printed can be typed again (parse.h) but for the capabilities. Numbers, Bool,
// enums, Text and Data are always shown; a null struct, list or capability is left out. Nothing in a message can make the
// output dangerous for a terminal, longer than asked for, or the work for it unbounded.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "runtime/dynamic/table.h"

namespace capos::dynamic {

inline constexpr u32 kNestingMax = 16;  // structs inside structs

struct PrintOptions {
    usize bytes_max = 16 * 1024;                        // what is beyond becomes `...`
    std::span<const std::string_view> capabilities{};   // what stands for those that came with the message, in their order
};

// A capability in a message: which one, and as what.
struct FoundCapability {
    u8 index{};
    std::string_view field;
    u64 interface_id{};  // 0: of no particular interface
};

struct Printed {
    std::string text;
    std::vector<FoundCapability> capabilities{};  // in the order of the text
    bool is_valid{true};     // false: somewhere in it stands <invalid>, where the message breaks a rule of the encoding
    bool is_complete{true};  // false: it was cut off
};

// `message` is a private copy. `structure` is one of the table's, usually Method::params or Method::results.
Printed print(const Table& table, u16 structure, Bytes message, u8 capability_count, const PrintOptions& options = {});

// read @0 (max :UInt32) -> (data :Data, lost :UInt64)
std::string signature(const Table& table, const Method& method);

}  // namespace capos::dynamic
