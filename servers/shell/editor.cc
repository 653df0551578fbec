#include "servers/shell/editor.h"

#include <algorithm>

#include "runtime/dynamic/text.h"

namespace capos::shell {

namespace {

constexpr usize kWidthLeast = 20;        // a narrower terminal is used like one without a width
constexpr usize kCandidatesMax = 100;    // shown at once
constexpr usize kListWidthUnknown = 78;

std::string common_prefix(const std::vector<std::string>& words) {
    std::string prefix = words.front();
    for (const std::string& word : words) {
        const auto end = std::ranges::mismatch(prefix, word).in1;
        prefix.resize(static_cast<usize>(end - prefix.begin()));
    }
    // Not in the middle of a character.
    while (!prefix.empty() && words.front().size() > prefix.size() &&
           (static_cast<unsigned char>(words.front()[prefix.size()]) & 0xc0) == 0x80) {
        prefix.pop_back();
    }
    return prefix;
}

void remove_last(std::string& text) {
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xc0) == 0x80) text.pop_back();
    if (!text.empty()) text.pop_back();
}

// As many whole characters as fit into `columns`.
std::string_view fitting(std::string_view text, usize columns) {
    usize used = 0, bytes = 0;
    while (bytes < text.size()) {
        const usize length = dynamic::first_code_point(text.substr(bytes)).bytes;
        used += columns_of(text.substr(bytes, length));
        if (used > columns) break;
        bytes += length;
    }
    return text.substr(0, bytes);
}

}  // namespace

void Editor::begin(std::string& out) {
    line_.clear();
    history_at_ = history_.size();
    searching_ = pasting_ = listed_ = false;
    if (!echo_) return;
    if (!asked_ || is_capable()) ask_width(out);
    if (is_capable()) out += "\x1b[?2004h";  // bracketed paste
    out += prompt_;
}

void Editor::hide(std::string& out) const {
    if (echo_) out += is_capable() ? "\r\x1b[K" : "\r\n";
}

void Editor::show(std::string& out) const {
    if (!echo_) return;
    if (is_capable()) return draw(out);
    out += prompt() + line_.text();
}

// Far to the right, where is that?, and back.
void Editor::ask_width(std::string& out) {
    out += "\x1b[999C\x1b[6n\r";
    asked_ = true;
}

void Editor::take_width(const Key& report, std::string& out) {
    const bool was_capable = is_capable();
    width_ = report.column >= kWidthLeast ? report.column : 0;
    if (!is_capable() || !echo_) return;
    if (!was_capable) out += "\x1b[?2004h";
    draw(out);
}

Edit Editor::push(char byte, std::string& out) {
    const std::optional<Key> key = keys_.push(byte);
    if (!key) return Edit::going_on;
    if (key->kind == KeyKind::cursor_position) {
        take_width(*key, out);
        return Edit::going_on;
    }
    std::string unseen;
    return apply(*key, echo_ ? out : unseen);
}

Edit Editor::apply(const Key& key, std::string& out) {
    if (key.kind == KeyKind::paste_begin || key.kind == KeyKind::paste_end) {
        pasting_ = key.kind == KeyKind::paste_begin;
        return Edit::going_on;
    }
    // A pasted text is never run by itself: the person presses Enter.
    if (pasting_ && (key.kind == KeyKind::enter || key.kind == KeyKind::tab)) {
        insert(" ", out);
        return Edit::going_on;
    }
    if (key.kind == KeyKind::interrupt) return finish(Edit::interrupted, "^C", out);
    if (searching_ && search(key, out)) return Edit::going_on;

    const bool was_listed = std::exchange(listed_, false);
    switch (key.kind) {
        case KeyKind::enter:
            history_.add(line_.text());
            return finish(Edit::line, "", out);
        case KeyKind::end_of_input:
            if (line_.empty()) return finish(Edit::ended, "", out);
            if (line_.erase_right()) draw(out);
            return Edit::going_on;
        case KeyKind::tab:
            listed_ = was_listed;
            complete(out);
            return Edit::going_on;
        default:
            edit(key, out);
            return Edit::going_on;
    }
}

Edit Editor::finish(Edit how, std::string_view mark, std::string& out) {
    if (searching_) {
        searching_ = false;
        if (is_capable()) draw(out);
    }
    line_.end();
    if (is_capable()) {
        draw(out);
        out += "\x1b[?2004l";
    }
    out += mark;
    out += "\r\n";
    return how;
}

void Editor::edit(const Key& key, std::string& out) {
    bool changed = true;
    switch (key.kind) {
        case KeyKind::text: return insert(key.text, out);
        case KeyKind::backspace: return erase_left(out);
        case KeyKind::up: return go_in_history(true, out);
        case KeyKind::down: return go_in_history(false, out);
        case KeyKind::search: return begin_search(out);
        case KeyKind::redraw:
            if (is_capable()) {
                out += "\x1b[H\x1b[2J";
                ask_width(out);
            }
            break;
        case KeyKind::remove: changed = line_.erase_right(); break;
        case KeyKind::kill_to_start: changed = line_.kill_to_start(); break;
        case KeyKind::kill_to_end: changed = line_.kill_to_end(); break;
        case KeyKind::kill_word: changed = line_.kill_word(); break;
        default:
            if (!is_capable()) return;  // the cursor could not be seen to move
            switch (key.kind) {
                case KeyKind::left: changed = line_.left(); break;
                case KeyKind::right: changed = line_.right(); break;
                case KeyKind::home: line_.home(); break;
                case KeyKind::end: line_.end(); break;
                case KeyKind::word_left: line_.word_left(); break;
                case KeyKind::word_right: line_.word_right(); break;
                default: return;
            }
    }
    if (changed) draw(out);
}

void Editor::insert(std::string_view text, std::string& out) {
    if (!line_.insert(text)) return;
    const bool fits = is_capable() && columns_of(prompt_) + columns_of(line_.text()) < width_;
    if (line_.at_end() && (fits || !is_capable())) {
        out += text;
    } else {
        draw(out);
    }
}

void Editor::erase_left(std::string& out) {
    if (is_capable()) {
        if (line_.erase_left()) draw(out);
        return;
    }
    const usize columns = columns_of(line_.text());
    if (!line_.erase_left()) return;
    for (usize i = columns_of(line_.text()); i < columns; ++i) out += "\b \b";
}

void Editor::go_in_history(bool older, std::string& out) {
    if (older ? history_at_ == 0 : history_at_ == history_.size()) return;
    if (history_at_ == history_.size()) written_ = line_.text();
    history_at_ = older ? history_at_ - 1 : history_at_ + 1;
    line_.set(history_at_ == history_.size() ? written_ : history_[history_at_]);
    draw(out);
}

void Editor::complete(std::string& out) {
    const Completion found = completer_.complete(line_.before_cursor());
    if (found.candidates.empty()) return;
    const bool is_only = found.candidates.size() == 1;
    const std::string with = is_only ? found.candidates.front() + found.suffix : common_prefix(found.candidates);
    const usize typed = line_.cursor() - found.start;
    if (with.size() > typed || (is_only && with != line_.before_cursor().substr(found.start))) {
        if (line_.replace(found.start, with)) draw(out);
        listed_ = false;
        return;
    }
    if (!is_only && listed_) {
        list(found.candidates, out);
        draw(out);
    }
    listed_ = true;
}

void Editor::list(const std::vector<std::string>& candidates, std::string& out) const {
    usize widest = 1;
    for (const std::string& one : candidates) widest = std::max(widest, columns_of(one) + 2);
    const usize per_row = std::max<usize>((is_capable() ? width_ : kListWidthUnknown) / widest, 1);
    const usize shown = std::min(candidates.size(), kCandidatesMax);
    for (usize i = 0; i < shown; ++i) {
        out += i % per_row == 0 ? "\r\n" : "";
        out += candidates[i];
        if (i % per_row + 1 < per_row) out.append(widest - columns_of(candidates[i]), ' ');
    }
    if (shown < candidates.size()) out += "\r\n... and " + std::to_string(candidates.size() - shown) + " more";
    if (is_capable()) out += "\r\n";
}

void Editor::begin_search(std::string& out) {
    searching_ = true;
    search_text_.clear();
    search_at_ = history_.size();
    written_ = line_.text();
    draw(out);
}

// True when the key belonged to the search. Another one ends it, with the line that was found, and counts for that line.
bool Editor::search(const Key& key, std::string& out) {
    switch (key.kind) {
        case KeyKind::text:
            search_text_ += key.text;
            find_again(std::min(search_at_ + 1, history_.size()), out);
            return true;
        case KeyKind::backspace:
            remove_last(search_text_);
            find_again(history_.size(), out);
            return true;
        case KeyKind::search:
            find_again(search_at_, out);
            return true;
        case KeyKind::cancel:
            searching_ = false;
            line_.set(written_);
            draw(out);
            return true;
        case KeyKind::unknown: return true;
        default:
            searching_ = false;
            history_at_ = std::min(search_at_, history_.size());
            draw(out);
            return false;
    }
}

void Editor::find_again(usize before, std::string& out) {
    if (const auto found = search_text_.empty() ? std::nullopt : history_.find(search_text_, before)) {
        search_at_ = *found;
        line_.set(history_[*found]);
    }
    draw(out);
}

std::string Editor::prompt() const { return searching_ ? "search `" + search_text_ + "`: " : prompt_; }

void Editor::draw(std::string& out) const {
    const std::string prompt = this->prompt();
    if (!is_capable()) {
        out += "\r\n" + prompt + line_.text();
        return;
    }
    // The last column stays free: terminals differ in what they do behind it.
    const std::string_view shown_prompt = fitting(prompt, width_ - 10);
    const usize prompt_columns = columns_of(shown_prompt), room = width_ - 1 - prompt_columns;
    std::string_view text = line_.text();
    usize column = columns_of(line_.before_cursor());
    while (column > room) {
        const usize bytes = dynamic::first_code_point(text).bytes;
        column -= columns_of(text.substr(0, bytes));
        text.remove_prefix(bytes);
    }
    column += prompt_columns;
    out += '\r';
    out += shown_prompt;
    out += fitting(text, room);
    out += "\x1b[K\r";
    if (column > 0) out += "\x1b[" + std::to_string(column) + "C";
}

}  // namespace capos::shell
