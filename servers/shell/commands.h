// commands.h - what the shell understands: names, arguments and help of each command. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "abi/types.h"

namespace capos::shell {

enum class CommandId : u8 {
    call, caps, drop, echo, help, log, mem, methods, poweroff, ps, reboot, restart, script, services, start, status, stop,
    trace, uptime,
};

// What an argument names, for completion.
enum class Argument : u8 { nothing, capability, command, method, service };

struct Command {
    CommandId id{};
    std::string_view name;
    std::string_view arguments;  // as in `usage: log [-f] [SERVICE] [LEVEL]`
    std::string_view summary;    // one line, no full stop
    std::string_view details;    // further lines of `help COMMAND`
    Argument first{}, others{};  // what its arguments name
};

// Sorted by name.
std::span<const Command> commands();
const Command* find_command(std::string_view name);

// The text of `help` and `help COMMAND`; lines end with `\n`.
std::string help_overview();
std::string help_of(const Command& command);

}  // namespace capos::shell
