// cursor.h - Cursor: reads the small parts of the text form: marks, names, numbers, quoted texts. Pure.
//
// A function that does not find what it looks for leaves the position at the offending byte, where the error is reported.
#pragma once

#include <string>
#include <string_view>

#include "runtime/dynamic/parse.h"

namespace capos::dynamic {

class Cursor {
public:
    explicit Cursor(std::string_view text) : text_{text} {}

    usize position() const { return position_; }
    bool at_end() const { return position_ == text_.size(); }
    char peek() const { return at_end() ? '\0' : text_[position_]; }

    void skip_blanks();
    // Skips blanks, and the mark if it comes next.
    bool accept(char mark);
    Result<void, ParseError> expect(char mark, const char* where);

    // Letters, digits and `_` that come next; empty when none does. With `extra`, that letter too.
    std::string_view word(char extra = '_');

    struct Number {
        u64 magnitude{};
        bool is_negative{};
    };
    bool at_number() const;
    Result<Number, ParseError> number();

    // "..." with its escapes resolved.
    Result<std::string, ParseError> quoted();
    // 0x"00 ff", as bytes.
    bool at_hex_data() const { return text_.substr(position_).starts_with("0x\""); }
    Result<std::string, ParseError> hex_data();

    // How many elements the list has whose `[` has just been read. A guess for text that is no list; at most what the text has
    // room for.
    usize count_elements() const;

    std::unexpected<ParseError> error(std::string text) const { return error_at(position_, std::move(text)); }
    static std::unexpected<ParseError> error_at(usize position, std::string text) {
        return fail(ParseError{position, std::move(text)});
    }

private:
    Result<char, ParseError> escape();

    std::string_view text_;
    usize position_{};
};

}  // namespace capos::dynamic
