// history.h - History: the lines entered before, newest last, at most 200. Pure.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "abi/types.h"

namespace capos::shell {

class History {
public:
    static constexpr usize kLinesMax = 200;

    // Empty lines, lines that begin with a blank, and a repetition of the last one are not kept.
    void add(std::string_view line) {
        if (line.empty() || line.front() == ' ' || (!lines_.empty() && lines_.back() == line)) return;
        lines_.emplace_back(line);
        if (lines_.size() > kLinesMax) lines_.pop_front();
    }

    usize size() const { return lines_.size(); }
    const std::string& operator[](usize index) const { return lines_[index]; }

    // The newest line before `before` that contains `text`.
    std::optional<usize> find(std::string_view text, usize before) const {
        for (usize i = before; i-- > 0;) {
            if (lines_[i].find(text) != std::string::npos) return i;
        }
        return std::nullopt;
    }

private:
    std::deque<std::string> lines_;
};

}  // namespace capos::shell
