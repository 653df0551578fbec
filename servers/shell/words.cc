#include "servers/shell/words.h"

#include "runtime/dynamic/cursor.h"

namespace capos::shell {

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

}  // namespace

usize Words::position() {
    while (at_ < line_.size() && is_blank(line_[at_])) ++at_;
    if (at_ < line_.size() && line_[at_] == '#') at_ = line_.size();
    return at_;
}

std::string_view Words::rest() {
    std::string_view text = line_.substr(position());
    at_ = line_.size();
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

Result<std::optional<Word>, WordError> Words::next() {
    Word word{.text = {}, .position = position()};
    if (at_ == line_.size()) return std::optional<Word>{};
    while (at_ < line_.size() && !is_blank(line_[at_])) {
        if (line_[at_] == '"') {
            TRY(quoted(word));
            continue;
        }
        if (line_[at_] == '=' && !word.has_value()) word.equals = word.text.size();
        word.text += line_[at_++];
    }
    return std::optional{std::move(word)};
}

Result<void, WordError> Words::quoted(Word& word) {
    dynamic::Cursor cursor{line_.substr(at_)};
    auto text = cursor.quoted();
    if (!text) return fail(WordError{at_ + text.error().position, std::move(text.error().text)});
    word.text += *text;
    at_ += cursor.position();
    return done;
}

}  // namespace capos::shell
