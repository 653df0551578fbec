// keys.h - from a terminal's bytes to keys. Pure.
//
// Understands UTF-8, control characters, the escape sequences of xterm and its relatives (ECMA-48 CSI, SS3), bracketed paste,
// and the answer to a question for the cursor's position. What it does not know is swallowed whole, so that no rest of a
// sequence appears as text. A sequence has at most 32 bytes; a longer one is dropped.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "abi/types.h"

namespace capos::shell {

enum class KeyKind : u8 {
    text,             // Key::text holds one code point
    enter, tab, backspace, remove,  // remove: the key Del
    left, right, up, down, home, end, word_left, word_right,
    kill_to_end, kill_to_start, kill_word, redraw, search, cancel,  // ^K ^U ^W ^L ^R ^G
    interrupt,        // ^C
    end_of_input,     // ^D
    paste_begin, paste_end,
    cursor_position,  // Key::row and Key::column, from 1
    unknown,
};

struct Key {
    KeyKind kind{};
    std::string_view text{};  // valid until the next byte
    u32 row{}, column{};
};

class KeyDecoder {
public:
    // The key that this byte completes, if it does.
    std::optional<Key> push(char byte);

private:
    enum class State : u8 { ground, escape, control_sequence, single_shift, utf8 };

    std::optional<Key> ground(char byte);
    std::optional<Key> begin(State state);
    std::optional<Key> collect_utf8(char byte);
    Key finish(KeyKind kind);
    Key finish_control_sequence(char final);
    Key position_report();

    State state_{};
    std::string collected_;
    std::string text_;
    usize wanted_{};        // bytes of the code point under way
    bool after_return_{};   // a line feed right behind a carriage return is the same key
};

}  // namespace capos::shell
