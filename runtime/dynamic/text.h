// text.h - showing text from anywhere on a terminal. Pure.
//
// What reaches a terminal from a message, a log or a name may have been written by an enemy of whoever reads it: escape
// sequences, line breaks, characters that turn the writing direction. Every viewer escapes them (design-system §4).
#pragma once

#include <string>
#include <string_view>

#include "abi/types.h"

namespace capos::dynamic {

struct CodePoint {
    u32 value{};
    u8 bytes{};      // 1..4; 1 for a byte that begins no valid sequence
    bool is_valid{};
};

// The first code point of `text`, which is not empty. Overlong sequences, surrogates and values above 0x10ffff are not valid.
CodePoint first_code_point(std::string_view text);

// Whether a terminal shows it as a character: no control character (C0, DEL, C1), no line or paragraph separator, no change of
// the writing direction.
bool is_printable(u32 code_point);

// Appends `text` with everything that is not printable, `"` and `\` as an escape sequence of Cap'n Proto's text form.
void append_escaped(std::string& out, std::string_view text);

// `text` with everything that is not printable as an escape sequence; quotes and backslashes stay as they are.
std::string shown(std::string_view text);

}  // namespace capos::dynamic
