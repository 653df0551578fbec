// problems.h - what is wrong with a schema. Every problem is collected and reported, not only the first one.
#pragma once

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "abi/types.h"

namespace capos::codegen {

struct Problem {
    std::string file;
    u32 line{};  // 0: none is known
    std::string text;
};

class Problems {
public:
    void add(std::string file, u32 line, std::string text) { all_.push_back({std::move(file), line, std::move(text)}); }
    bool empty() const { return all_.empty(); }

    // In the order of the files' lines.
    const std::vector<Problem>& sorted() {
        std::ranges::sort(all_, {}, [](const Problem& problem) { return std::tie(problem.file, problem.line, problem.text); });
        return all_;
    }

private:
    std::vector<Problem> all_;
};

}  // namespace capos::codegen
