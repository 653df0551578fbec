#include "runtime/dynamic/cursor.h"

#include "runtime/dynamic/text.h"

namespace capos::dynamic {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_'; }

// 16 for what is no hexadecimal digit.
u32 digit_of(char c) {
    if (is_digit(c)) return static_cast<u32>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<u32>(c - 'a' + 10);
    if (c >= 'A' && c <= 'F') return static_cast<u32>(c - 'A' + 10);
    return 16;
}

u32 octal_digit_of(char c) { return c >= '0' && c <= '7' ? static_cast<u32>(c - '0') : 8; }

}  // namespace

void Cursor::skip_blanks() {
    while (is_blank(peek())) ++position_;
}

bool Cursor::accept(char mark) {
    skip_blanks();
    if (peek() != mark || at_end()) return false;
    ++position_;
    return true;
}

Result<void, ParseError> Cursor::expect(char mark, const char* where) {
    if (accept(mark)) return done;
    return error(std::string{"`"} + mark + "` is missing " + where);
}

std::string_view Cursor::word(char extra) {
    const usize start = position_;
    while (!at_end() && (is_word(peek()) || peek() == extra)) ++position_;
    return text_.substr(start, position_ - start);
}

bool Cursor::at_number() const { return is_digit(peek()) || peek() == '-'; }

Result<Cursor::Number, ParseError> Cursor::number() {
    Number number;
    const usize start = position_;
    if (peek() == '-') {
        number.is_negative = true;
        ++position_;
    }
    u32 base = 10;
    if (peek() == '0' && position_ + 1 < text_.size() && (text_[position_ + 1] == 'x' || text_[position_ + 1] == 'X')) {
        base = 16;
        position_ += 2;
    }
    const usize first = position_;
    for (; digit_of(peek()) < base; ++position_) {
        const u32 digit = digit_of(peek());
        if (number.magnitude > (~u64{0} - digit) / base) return error_at(start, "a number of more than 64 bits");
        number.magnitude = number.magnitude * base + digit;
    }
    if (position_ == first || is_word(peek()) || peek() == '.') return error_at(start, "this is no whole number");
    if (base == 10 && text_[first] == '0' && position_ > first + 1) {
        return error_at(start, "a number does not begin with 0; hexadecimal ones begin with 0x");
    }
    return number;
}

Result<char, ParseError> Cursor::escape() {
    const char c = peek();
    const usize start = position_ - 1;
    if (at_end()) return error_at(start, "the text ends in an escape sequence");
    ++position_;
    switch (c) {
        case 'n': return '\n';
        case 'r': return '\r';
        case 't': return '\t';
        case 'a': return '\a';
        case 'b': return '\b';
        case 'f': return '\f';
        case 'v': return '\v';
        case '"':
        case '\'':
        case '?':
        case '\\': return c;
        case 'x': {
            u32 value = 0;
            for (u32 i = 0; i < 2; ++i, ++position_) {
                if (digit_of(peek()) == 16) return error_at(start, "\\x is followed by two hexadecimal digits");
                value = value * 16 + digit_of(peek());
            }
            return static_cast<char>(value);
        }
        default: break;
    }
    if (octal_digit_of(c) == 8) {
        return error_at(start, "an unknown escape sequence; there are \\n \\r \\t \\\" \\\\ and \\xHH, and the others of C");
    }
    u32 value = octal_digit_of(c);  // one to three octal digits, which is how libcapnp prints control characters
    for (u32 i = 1; i < 3 && octal_digit_of(peek()) < 8; ++i, ++position_) value = value * 8 + octal_digit_of(peek());
    if (value > 0xff) return error_at(start, "an octal escape sequence above \\377");
    return static_cast<char>(value);
}

Result<std::string, ParseError> Cursor::quoted() {
    const usize start = position_;
    ++position_;
    std::string text;
    while (!at_end()) {
        const char c = peek();
        ++position_;
        if (c == '"') return text;
        text += c == '\\' ? TRY(escape()) : c;
    }
    return error_at(start, "the closing `\"` of this text is missing");
}

Result<std::string, ParseError> Cursor::hex_data() {
    const usize start = position_;
    position_ += 3;
    std::string bytes;
    while (true) {
        skip_blanks();
        if (accept('"')) return bytes;
        if (at_end()) return error_at(start, "the closing `\"` of these bytes is missing");
        const u32 high = digit_of(peek());
        if (high == 16) return error("bytes are written as pairs of hexadecimal digits");
        ++position_;
        const u32 low = digit_of(peek());
        if (low == 16) return error("bytes are written as pairs of hexadecimal digits");
        ++position_;
        bytes += static_cast<char>(high << 4 | low);
    }
}

usize Cursor::count_elements() const {
    usize depth = 0, commas = 0;
    bool is_empty = true, is_quoted = false;
    for (usize at = position_; at < text_.size(); ++at) {
        const char c = text_[at];
        if (is_quoted) {
            if (c == '\\') ++at;
            is_quoted = c != '"';
            continue;
        }
        if (c == ']' && depth == 0) break;
        if (c == '"') is_quoted = true;
        if (c == '(' || c == '[') ++depth;
        if ((c == ')' || c == ']') && depth > 0) --depth;
        if (c == ',' && depth == 0) ++commas;
        is_empty = is_empty && is_blank(c);
    }
    return is_empty ? 0 : commas + 1;
}

}  // namespace capos::dynamic
