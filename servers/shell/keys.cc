#include "servers/shell/keys.h"

#include "runtime/dynamic/text.h"

namespace capos::shell {

namespace {

constexpr usize kSequenceBytesMax = 32;

KeyKind control_key(char byte) {
    switch (byte) {
        case 1: return KeyKind::home;            // ^A
        case 2: return KeyKind::left;            // ^B
        case 3: return KeyKind::interrupt;       // ^C
        case 4: return KeyKind::end_of_input;    // ^D
        case 5: return KeyKind::end;             // ^E
        case 6: return KeyKind::right;           // ^F
        case 7: return KeyKind::cancel;          // ^G
        case 8:
        case 0x7f: return KeyKind::backspace;
        case '\t': return KeyKind::tab;
        case '\n':
        case '\r': return KeyKind::enter;
        case 11: return KeyKind::kill_to_end;    // ^K
        case 12: return KeyKind::redraw;         // ^L
        case 14: return KeyKind::down;           // ^N
        case 16: return KeyKind::up;             // ^P
        case 18: return KeyKind::search;         // ^R
        case 21: return KeyKind::kill_to_start;  // ^U
        case 23: return KeyKind::kill_word;      // ^W
        default: return KeyKind::unknown;
    }
}

// Of CSI and SS3 alike.
KeyKind final_key(char final) {
    switch (final) {
        case 'A': return KeyKind::up;
        case 'B': return KeyKind::down;
        case 'C': return KeyKind::right;
        case 'D': return KeyKind::left;
        case 'F': return KeyKind::end;
        case 'H': return KeyKind::home;
        default: return KeyKind::unknown;
    }
}

KeyKind tilde_key(std::string_view number) {
    if (number == "1" || number == "7") return KeyKind::home;
    if (number == "4" || number == "8") return KeyKind::end;
    if (number == "3") return KeyKind::remove;
    if (number == "200") return KeyKind::paste_begin;
    if (number == "201") return KeyKind::paste_end;
    return KeyKind::unknown;
}

usize length_of(unsigned char first) { return first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1; }

// Digits from `at` on, which moves behind them.
u32 number_at(std::string_view text, usize& at) {
    u32 value = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9' && value < 100'000; ++at) {
        value = value * 10 + static_cast<u32>(text[at] - '0');
    }
    return value;
}

}  // namespace

std::optional<Key> KeyDecoder::push(char byte) {
    const auto value = static_cast<unsigned char>(byte);
    switch (state_) {
        case State::ground: return ground(byte);
        case State::utf8: return collect_utf8(byte);
        case State::escape:
            if (byte == '[') return begin(State::control_sequence);
            if (byte == 'O') return begin(State::single_shift);
            if (byte == 0x1b) return std::nullopt;  // the first one was a key of its own; this one may begin a sequence
            if (byte == 'b') return finish(KeyKind::word_left);
            if (byte == 'f') return finish(KeyKind::word_right);
            return finish(byte == 0x7f || byte == 8 ? KeyKind::kill_word : KeyKind::unknown);
        case State::single_shift: return finish(final_key(byte));
        case State::control_sequence:
            if (value >= 0x40 && value < 0x7f) return finish_control_sequence(byte);
            // Anything but parameters is no sequence after all: the byte counts for itself, so that ^C always works.
            if (value < 0x20 || value >= 0x7f) {
                state_ = State::ground;
                return ground(byte);
            }
            if (collected_.size() < kSequenceBytesMax) collected_ += byte;
            return std::nullopt;
    }
    return std::nullopt;
}

std::optional<Key> KeyDecoder::ground(char byte) {
    const bool is_second_half = byte == '\n' && after_return_;
    if (byte != 0x1b) after_return_ = byte == '\r';  // an answer of the terminal may come in between
    if (is_second_half) return std::nullopt;
    if (byte == 0x1b) return begin(State::escape);
    const auto value = static_cast<unsigned char>(byte);
    if (value < 0x20 || value == 0x7f) return finish(control_key(byte));
    collected_.clear();
    wanted_ = length_of(value);
    state_ = State::utf8;
    return collect_utf8(byte);
}

std::optional<Key> KeyDecoder::begin(State state) {
    state_ = state;
    collected_.clear();
    return std::nullopt;
}

std::optional<Key> KeyDecoder::collect_utf8(char byte) {
    const auto value = static_cast<unsigned char>(byte);
    if (!collected_.empty() && (value & 0xc0) != 0x80) {  // the code point before was cut off
        state_ = State::ground;
        return ground(byte);
    }
    collected_ += byte;
    if (collected_.size() < wanted_) return std::nullopt;
    text_ = collected_;
    const dynamic::CodePoint point = dynamic::first_code_point(text_);
    const bool is_text = point.is_valid && point.bytes == text_.size() && dynamic::is_printable(point.value);
    return finish(is_text ? KeyKind::text : KeyKind::unknown);
}

Key KeyDecoder::finish(KeyKind kind) {
    state_ = State::ground;
    return {.kind = kind, .text = kind == KeyKind::text ? std::string_view{text_} : std::string_view{}};
}

Key KeyDecoder::finish_control_sequence(char final) {
    if (collected_.size() == kSequenceBytesMax) return finish(KeyKind::unknown);
    if (final == '~') return finish(tilde_key(collected_));
    if (final == 'R') return position_report();
    const bool with_modifier = collected_.ends_with(";5") || collected_.ends_with(";3");  // Ctrl, Alt
    if (with_modifier && (final == 'C' || final == 'D')) return finish(final == 'C' ? KeyKind::word_right : KeyKind::word_left);
    return finish(collected_.empty() || collected_.starts_with("1;") ? final_key(final) : KeyKind::unknown);
}

Key KeyDecoder::position_report() {
    usize at = 0;
    Key key = finish(KeyKind::unknown);
    key.row = number_at(collected_, at);
    if (at == 0 || at == collected_.size() || collected_[at] != ';') return key;
    const usize second = ++at;
    key.column = number_at(collected_, at);
    if (at > second && at == collected_.size()) key.kind = KeyKind::cursor_position;
    return key;
}

}  // namespace capos::shell
