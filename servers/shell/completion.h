// completion.h - what Tab offers: commands, and the names that their arguments can have now. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "servers/shell/commands.h"
#include "servers/shell/editor.h"

namespace capos::shell {

struct CapabilityNames {
    std::string name;
    std::vector<std::string> methods;  // empty as long as its schema is not known
};

struct Names {
    std::vector<CapabilityNames> capabilities;
    std::vector<std::string> services;
};

class NameCompleter final : public Completer {
public:
    explicit NameCompleter(const Names& names) : names_{names} {}

    Completion complete(std::string_view before_cursor) const override;

private:
    void offer(Completion& completion, Argument kind, std::string_view typed) const;
    void offer_method(Completion& completion, std::string_view typed) const;

    const Names& names_;
};

}  // namespace capos::shell
