#include "runtime/dynamic/text.h"

namespace capos::dynamic {

namespace {

constexpr const char* kHexDigits = "0123456789abcdef";

u32 length_of(unsigned char first) {
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first < 0xe0) return 2;  // 0xc0 and 0xc1 would be overlong
    if (first >= 0xe0 && first < 0xf0) return 3;
    if (first >= 0xf0 && first < 0xf5) return 4;
    return 0;
}

void append_hex(std::string& out, std::string_view bytes) {
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        out += "\\x";
        out += kHexDigits[byte >> 4];
        out += kHexDigits[byte & 15];
    }
}

void append_control(std::string& out, std::string_view bytes) {
    switch (bytes.front()) {
        case '\n': out += "\\n"; break;
        case '\r': out += "\\r"; break;
        case '\t': out += "\\t"; break;
        default: append_hex(out, bytes);
    }
}

void append(std::string& out, std::string_view text, bool is_quoted) {
    while (!text.empty()) {
        const CodePoint point = first_code_point(text);
        const std::string_view bytes = text.substr(0, point.bytes);
        text.remove_prefix(point.bytes);
        if (!point.is_valid || !is_printable(point.value)) {
            append_control(out, bytes);
            continue;
        }
        if (is_quoted && (point.value == '"' || point.value == '\\')) out += '\\';
        out += bytes;
    }
}

}  // namespace

CodePoint first_code_point(std::string_view text) {
    const auto byte = [&](usize index) { return static_cast<unsigned char>(text[index]); };
    const u32 length = length_of(byte(0));
    if (length == 1) return {byte(0), 1, true};
    if (length == 0 || length > text.size()) return {byte(0), 1, false};
    u32 value = byte(0) & (0x7fu >> length);
    for (usize i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return {byte(0), 1, false};
        value = value << 6 | (byte(i) & 0x3f);
    }
    constexpr u32 kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const bool is_surrogate = value >= 0xd800 && value < 0xe000;
    if (value < kSmallest[length] || value > 0x10ffff || is_surrogate) return {byte(0), 1, false};
    return {value, static_cast<u8>(length), true};
}

bool is_printable(u32 point) {
    const bool is_control = point < 0x20 || (point >= 0x7f && point < 0xa0);
    const bool breaks_lines = point == 0x2028 || point == 0x2029;
    const bool turns = point == 0x200e || point == 0x200f || point == 0x061c || (point >= 0x202a && point <= 0x202e) ||
                       (point >= 0x2066 && point <= 0x2069);
    return !is_control && !breaks_lines && !turns;
}

void append_escaped(std::string& out, std::string_view text) { append(out, text, true); }

std::string shown(std::string_view text) {
    std::string out;
    append(out, text, false);
    return out;
}

}  // namespace capos::dynamic
