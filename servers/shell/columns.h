// columns.h - Columns: a table for people, aligned; and times for people. Pure.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "servers/shell/line.h"

namespace capos::shell {

class Columns {
public:
    using Row = std::vector<std::string>;

    explicit Columns(Row heading) { row(std::move(heading)); }
    // As many cells as the heading has.
    void row(Row cells) { rows_.push_back(std::move(cells)); }

    // Lines that end with `\n`, without blanks at their ends.
    std::string text() const {
        std::vector<usize> widths(rows_.front().size());
        for (const Row& one : rows_) {
            for (usize i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], columns_of(one[i]));
        }
        std::string text;
        for (const Row& one : rows_) {
            std::string line;
            for (usize i = 0; i < widths.size(); ++i) {
                line += one[i];
                line.append(widths[i] - columns_of(one[i]) + 2, ' ');
            }
            line.erase(line.find_last_not_of(' ') + 1);
            text += line + "\n";
        }
        return text;
    }

private:
    std::vector<Row> rows_;
};

// A number with zeros in front.
inline std::string padded(u64 value, usize digits) {
    const std::string text = std::to_string(value);
    return std::string(digits - std::min(digits, text.size()), '0') + text;
}

// `2 d 03:04:05`, `12.345 s`
inline std::string duration(u64 ns) {
    const u64 ms = ns / 1'000'000, seconds = ms / 1000;
    if (seconds < 60) return std::to_string(seconds) + "." + padded(ms % 1000, 3) + " s";
    const std::string days = seconds >= 86'400 ? std::to_string(seconds / 86'400) + " d " : "";
    return days + padded(seconds / 3600 % 24, 2) + ":" + padded(seconds / 60 % 60, 2) + ":" + padded(seconds % 60, 2);
}

}  // namespace capos::shell
