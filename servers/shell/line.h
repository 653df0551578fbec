// line.h - Line: the text being edited, and the cursor in it. Pure. Counts in bytes of valid UTF-8, moves by code points.
#pragma once

#include <string>
#include <string_view>

#include "abi/types.h"

namespace capos::shell {

inline constexpr usize kLineBytesMax = 4096;

// Columns that a terminal needs for `text`, which is printable.
usize columns_of(std::string_view text);

class Line {
public:
    const std::string& text() const { return text_; }
    usize cursor() const { return cursor_; }
    bool empty() const { return text_.empty(); }
    bool at_end() const { return cursor_ == text_.size(); }

    std::string_view before_cursor() const { return std::string_view{text_}.substr(0, cursor_); }

    // What does not fit is left out. False when nothing changed, here and below.
    bool insert(std::string_view text);
    bool replace(usize start, std::string_view with);  // [start, cursor) by `with`
    void set(std::string_view text);                   // the cursor goes to the end
    void clear() { set({}); }

    bool left();
    bool right();
    void home() { cursor_ = 0; }
    void end() { cursor_ = text_.size(); }
    void word_left() { cursor_ = start_of_word(); }
    void word_right();
    void move_to(usize position) { cursor_ = position; }

    bool erase_left();
    bool erase_right();
    bool kill_to_start();
    bool kill_to_end();
    bool kill_word();  // back to its start

private:
    usize previous() const;
    usize next() const;
    usize start_of_word() const;
    bool erase(usize from, usize to);

    std::string text_;
    usize cursor_{};
};

}  // namespace capos::shell
