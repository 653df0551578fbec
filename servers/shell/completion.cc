#include "servers/shell/completion.h"

#include <algorithm>

namespace capos::shell {

namespace {

void add(Completion& completion, std::string_view candidate, std::string_view typed) {
    if (candidate.starts_with(typed)) completion.candidates.emplace_back(candidate);
}

}  // namespace

Completion NameCompleter::complete(std::string_view line) const {
    const usize first = line.find_first_not_of(' ');
    usize start = line.find_last_of(" (,=[");
    start = start == std::string_view::npos ? 0 : start + 1;
    const std::string_view typed = line.substr(start);
    Completion completion{.start = start};

    if (typed.starts_with('$')) {
        ++completion.start;
        offer(completion, Argument::capability, typed.substr(1));
    } else if (first == std::string_view::npos || start <= first) {
        offer(completion, Argument::command, typed);
        if (typed.contains('.')) offer_method(completion, typed);
    } else {
        const std::string_view rest = line.substr(first);
        const Command* const command = find_command(rest.substr(0, rest.find(' ')));
        if (command == nullptr) return completion;
        const bool is_first_argument = line.substr(0, start).find_last_not_of(' ') < first + command->name.size();
        offer(completion, is_first_argument ? command->first : command->others, typed);
    }
    std::ranges::sort(completion.candidates);
    return completion;
}

void NameCompleter::offer(Completion& completion, Argument kind, std::string_view typed) const {
    switch (kind) {
        case Argument::nothing: return;
        case Argument::command:
            for (const Command& one : commands()) add(completion, one.name, typed);
            return;
        case Argument::capability:
            for (const CapabilityNames& one : names_.capabilities) add(completion, one.name, typed);
            return;
        case Argument::service:
            for (const std::string& one : names_.services) add(completion, one, typed);
            return;
        case Argument::method: return offer_method(completion, typed);
    }
}

// CAP. first, then CAP.METHOD.
void NameCompleter::offer_method(Completion& completion, std::string_view typed) const {
    const usize dot = typed.find('.');
    for (const CapabilityNames& one : names_.capabilities) {
        if (dot == std::string_view::npos) {
            add(completion, one.name + ".", typed);
        } else if (one.name == typed.substr(0, dot)) {
            for (const std::string& method : one.methods) add(completion, one.name + "." + method, typed);
        }
    }
    if (dot == std::string_view::npos) completion.suffix.clear();
}

}  // namespace capos::shell
