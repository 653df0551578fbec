#include "servers/shell/line.h"

#include <algorithm>
#include <iterator>

#include "runtime/dynamic/text.h"

namespace capos::shell {

namespace {

struct Range {
    u32 first, last;
};

// Unicode: combining marks and joiners; then East Asian wide and emoji. The usual ones, not all.
constexpr Range kNoColumn[] = {{0x300, 0x36f}, {0x1ab0, 0x1aff}, {0x200b, 0x200d}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}};
constexpr Range kTwoColumns[] = {{0x1100, 0x115f}, {0x2e80, 0x303e}, {0x3041, 0xa4cf}, {0xac00, 0xd7a3}, {0xf900, 0xfaff},
                                 {0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1f64f},
                                 {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};

template <usize kCount>
bool is_in(const Range (&ranges)[kCount], u32 point) {
    return std::ranges::any_of(ranges, [&](Range range) { return point >= range.first && point <= range.last; });
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

}  // namespace

usize columns_of(std::string_view text) {
    usize columns = 0;
    while (!text.empty()) {
        const dynamic::CodePoint point = dynamic::first_code_point(text);
        columns += is_in(kNoColumn, point.value) ? 0 : is_in(kTwoColumns, point.value) ? 2 : 1;
        text.remove_prefix(point.bytes);
    }
    return columns;
}

bool Line::insert(std::string_view text) {
    if (text.empty() || text.size() > kLineBytesMax - text_.size()) return false;
    text_.insert(cursor_, text);
    cursor_ += text.size();
    return true;
}

bool Line::replace(usize start, std::string_view with) {
    if (text_.size() - (cursor_ - start) + with.size() > kLineBytesMax) return false;
    text_.replace(start, cursor_ - start, with);
    cursor_ = start + with.size();
    return true;
}

void Line::set(std::string_view text) {
    text_ = text.substr(0, kLineBytesMax);
    cursor_ = text_.size();
}

usize Line::previous() const {
    usize at = cursor_;
    while (at > 0 && is_continuation(text_[--at])) {}
    return at;
}

usize Line::next() const {
    usize at = cursor_;
    if (at < text_.size()) ++at;
    while (at < text_.size() && is_continuation(text_[at])) ++at;
    return at;
}

bool Line::left() {
    const usize before = cursor_;
    cursor_ = previous();
    return cursor_ != before;
}

bool Line::right() {
    const usize before = cursor_;
    cursor_ = next();
    return cursor_ != before;
}

usize Line::start_of_word() const {
    usize at = cursor_;
    while (at > 0 && text_[at - 1] == ' ') --at;
    while (at > 0 && text_[at - 1] != ' ') --at;
    return at;
}

void Line::word_right() {
    while (cursor_ < text_.size() && text_[cursor_] == ' ') ++cursor_;
    while (cursor_ < text_.size() && text_[cursor_] != ' ') ++cursor_;
}

bool Line::erase(usize from, usize to) {
    text_.erase(from, to - from);
    cursor_ = from;
    return from != to;
}

bool Line::erase_left() { return erase(previous(), cursor_); }
bool Line::erase_right() { return erase(cursor_, next()); }
bool Line::kill_to_start() { return erase(0, cursor_); }
bool Line::kill_to_end() { return erase(cursor_, text_.size()); }
bool Line::kill_word() { return erase(start_of_word(), cursor_); }

}  // namespace capos::shell
