#include "servers/shell/commands.h"

#include <algorithm>

namespace capos::shell {

namespace {

constexpr Command kCommands[] = {
    {CommandId::call, "call", "CAP.METHOD [(FIELD = VALUE, ...)]", "calls a method of a capability",
     "Any capability that `caps` lists, by the schema of its interface; `call` may be left out. The arguments are in\n"
     "Cap'n Proto's text form, capabilities among them as $NAME. Capabilities that come back get names of their own.\n"
     "    call memory.read (offset = 0, length = 16)\n"
     "    account.createMemory (bytes = 4096)\n",
     Argument::method, Argument::capability},
    {CommandId::caps, "caps", "", "lists the capabilities that this shell holds, with their interfaces", "", {}, {}},
    {CommandId::drop, "drop", "CAP...", "gives capabilities up that calls returned", "", Argument::capability,
     Argument::capability},
    {CommandId::echo, "echo", "[TEXT...]", "prints its arguments", "", {}, {}},
    {CommandId::help, "help", "[COMMAND]", "lists the commands, or explains one", "", Argument::command, {}},
    {CommandId::log, "log", "[-f] [SERVICE] [LEVEL]", "prints the system's log",
     "Without arguments the newest records. -f goes on with what comes; Ctrl-C ends it. LEVEL is error, warn, info or debug.\n",
     Argument::service, Argument::service},
    {CommandId::mem, "mem", "", "shows how much memory the machine has and who may use it", "", {}, {}},
    {CommandId::methods, "methods", "CAP", "lists the methods of a capability, with their parameters and results", "",
     Argument::capability, {}},
    {CommandId::poweroff, "poweroff", "", "stops all services in order and switches the machine off", "", {}, {}},
    {CommandId::ps, "ps", "", "lists the processes of services", "", {}, {}},
    {CommandId::reboot, "reboot", "", "stops all services in order and restarts the machine", "", {}, {}},
    {CommandId::restart, "restart", "SERVICE", "ends a service and starts it again", "", Argument::service, {}},
    {CommandId::script, "script", "TOKEN", "for machines: no prompt and no echo, but `[TOKEN STATUS]` after each command", "",
     {}, {}},
    {CommandId::services, "services", "", "lists the services and how they are", "", {}, {}},
    {CommandId::start, "start", "SERVICE", "starts a service that was stopped or has given up", "", Argument::service, {}},
    {CommandId::status, "status", "", "prints how the last command ended: 0 well, 1 it failed, 2 it was not understood, "
     "130 interrupted", "", {}, {}},
    {CommandId::stop, "stop", "SERVICE", "stops a service", "", Argument::service, {}},
    {CommandId::trace, "trace", "CAP [as NAME]", "prints every message of a capability",
     "Makes a capability beside CAP that passes each call on and prints it; it is called traced-CAP, or NAME. Give that one\n"
     "away (`call`) to see what is done with it. `drop` ends it.\n",
     Argument::capability, {}},
    {CommandId::uptime, "uptime", "", "how long the machine has been running", "", {}, {}},
};

}  // namespace

std::span<const Command> commands() { return kCommands; }

const Command* find_command(std::string_view name) {
    const auto found = std::ranges::find(kCommands, name, &Command::name);
    return found == std::end(kCommands) ? nullptr : &*found;
}

std::string help_overview() {
    std::string text;
    usize widest = 0;
    for (const Command& one : kCommands) widest = std::max(widest, one.name.size());
    for (const Command& one : kCommands) {
        text += "  ";
        text += one.name;
        text.append(widest + 2 - one.name.size(), ' ');
        text += one.summary;
        text += '\n';
    }
    text += "`help COMMAND` tells more. Tab completes, arrow keys and Ctrl-R bring earlier lines back, Ctrl-C ends a\n"
            "command.\n";
    return text;
}

std::string help_of(const Command& command) {
    std::string text = "usage: ";
    text += command.name;
    if (!command.arguments.empty()) text += ' ';
    text += command.arguments;
    text += '\n';
    text += command.summary;
    text += '\n';
    text += command.details;
    return text;
}

}  // namespace capos::shell
