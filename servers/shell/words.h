// words.h - Words: takes a command line apart from left to right. Pure.
//
//      log -f "my service" level=debug         # words; quotes keep blanks, escape sequences are those of C; # begins a comment
//      call memory.read (offset = 0)           # two words, and the rest as it stands
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "abi/types.h"
#include "formats/support/result.h"

namespace capos::shell {

struct Word {
    std::string text;      // without quotes
    usize position{};      // where it starts in the line
    usize equals{std::string::npos};  // in `text`, of the first `=` outside quotes

    bool has_value() const { return equals != std::string::npos; }
    std::string_view key() const { return std::string_view{text}.substr(0, equals); }
    std::string_view value() const { return has_value() ? std::string_view{text}.substr(equals + 1) : std::string_view{}; }
};

struct WordError {
    usize position{};
    std::string text;
};

class Words {
public:
    explicit Words(std::string_view line) : line_{line} {}

    // The next word; nothing at the end of the line. Errors: a quote that is not closed, an unknown escape sequence.
    Result<std::optional<Word>, WordError> next();
    // Everything that is left, without blanks around it. Takes it.
    std::string_view rest();
    // Where rest() or the next word begins.
    usize position();
    bool at_end() { return position() == line_.size(); }

private:
    Result<void, WordError> quoted(Word& word);

    std::string_view line_;
    usize at_{};
};

}  // namespace capos::shell
