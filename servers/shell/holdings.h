// holdings.h - Holdings: the capabilities that the shell holds, by the names that people use. What the shell was given at its
// start stays; what calls return is added under a name of its own and can be dropped.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/program/program.h"

namespace capos::shell {

struct Holding {
    std::string name;
    u64 interface_id{};  // 0: not known
    runtime::Client client;
    bool is_given{};     // at the start, so it can't be dropped
};

class Holdings {
public:
    static constexpr usize kMax = 128;

    explicit Holdings(runtime::Grants& grants);

    const std::vector<Holding>& all() const { return all_; }
    const Holding* find(std::string_view name) const;
    bool is_full() const { return all_.size() >= kMax; }

    // A name like `wanted` that nothing has yet: itself, or with -2, -3 ..
    std::string free_name(std::string_view wanted) const;
    void add(std::string name, u64 interface_id, runtime::Client client);
    // False for a name that is not there, or was given at the start.
    bool drop(std::string_view name);

private:
    std::vector<Holding> all_;
};

}  // namespace capos::shell
