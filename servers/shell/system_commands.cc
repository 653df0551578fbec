// Commands about the machine and its services.
#include "runtime/dynamic/text.h"
#include "servers/shell/columns.h"
#include "servers/shell/session.h"

namespace capos::shell {

namespace {

using runtime::Task;

constexpr u64 kFrameKib = 4;

std::string_view name_of(idl::ServiceState state) {
    switch (state) {
        case idl::ServiceState::waiting: return "waiting";
        case idl::ServiceState::starting: return "starting";
        case idl::ServiceState::ready: return "ready";
        case idl::ServiceState::backing_off: return "backing off";
        case idl::ServiceState::stopping: return "stopping";
        case idl::ServiceState::stopped: return "stopped";
        case idl::ServiceState::finished: return "finished";
        case idl::ServiceState::parked: return "parked";
    }
    return "?";
}

std::string_view name_of(idl::EndCause cause) {
    switch (cause) {
        case idl::EndCause::none: return "-";
        case idl::EndCause::exit_ok: return "ended";
        case idl::EndCause::exit_failed: return "failed";
        case idl::EndCause::crash: return "crashed";
        case idl::EndCause::spawn_failed: return "not made";
        case idl::EndCause::not_ready: return "not ready";
        case idl::EndCause::hung: return "hung";
        case idl::EndCause::stopped: return "stopped";
    }
    return "?";
}

std::string kib(u64 value) { return std::to_string(value) + " KiB"; }

Task<int> list_services(Session& session) {
    const auto supervisor = co_await session.grants().find<idl::Supervisor>("supervisor");
    const auto reply = co_await supervisor.services();
    Columns table{{"SERVICE", "STATE", "SINCE", "PID", "STARTS", "DEATHS", "LAST END"}};
    for (const idl::ServiceInfo& one : reply.services) {
        table.row({dynamic::shown(one.name) + (one.required ? "*" : ""), std::string{name_of(one.state)},
                   duration(session.loop().now() - std::min(session.loop().now(), one.since_ns)),
                   one.process == 0 ? "-" : std::to_string(one.process), std::to_string(one.instances),
                   std::to_string(one.deaths), std::string{name_of(one.last_end)}});
    }
    session.print(table.text() + "* the system is of no use without it\n");
    co_return kStatusOk;
}

Task<int> list_processes(Session& session) {
    const auto supervisor = co_await session.grants().find<idl::Supervisor>("supervisor");
    const auto reply = co_await supervisor.processes();
    Columns table{{"PID", "NAME", "MEMORY", "LIMIT", "OBJECTS", "NODES", "THREADS", "PRIORITY"}};
    for (const idl::ProcessInfo& one : reply.processes) {
        table.row({std::to_string(one.number), dynamic::shown(one.name), kib(one.memory_kib), kib(one.memory_limit_kib),
                   std::to_string(one.objects), std::to_string(one.nodes), std::to_string(one.threads),
                   std::to_string(one.priority)});
    }
    session.print(table.text());
    co_return kStatusOk;
}

Task<int> list_capabilities(Session& session) {
    Columns table{{"NAME", "INTERFACE", "FROM"}};
    for (const Holding& one : session.holdings().all()) {
        const dynamic::Table* const known = session.schemas().find_known(one.interface_id);
        std::string interface = "?";
        if (known != nullptr) interface = known->interface().name;
        else if (one.interface_id != 0) interface = runtime::TextBuffer<24>{runtime::Hex{one.interface_id}}.view();
        table.row({dynamic::shown(one.name), interface, one.is_given ? "given at the start" : "a call or trace"});
    }
    session.print(table.text());
    co_return kStatusOk;
}

Task<int> show_memory(Session& session) {
    const auto account = co_await session.grants().find<idl::Account>("account");
    if (const auto platform = session.grants().find<idl::PlatformInfo>("platform")) {
        const auto memory = co_await platform->memory();
        session.print("machine  " + kib(memory.frames_total * kFrameKib) + ", " + kib(memory.frames_free * kFrameKib) +
                      " free; the kernel keeps " + kib(memory.kernel_bytes / 1024) + "\n");
    }
    const auto usage = co_await account.usage();
    session.print("shell    " + kib(usage.frames * kFrameKib) + " charged of " + kib(usage.frames_limit * kFrameKib) + "\n");
    co_return kStatusOk;
}

// The one argument of start, stop and restart.
Task<int> order_service(Session& session, CommandId id, Words words) {
    const auto word = words.next();
    if (!word) co_return session.wrong_at(word.error().position, word.error().text);
    if (!*word) co_return session.wrong_at(words.position(), "the name of a service is expected here; `services` lists them");
    const std::string name = (*word)->text;
    const auto supervisor = co_await session.grants().find<idl::Supervisor>("supervisor");
    if (id == CommandId::start) co_await supervisor.start(name);
    else if (id == CommandId::stop) co_await supervisor.stop(name);
    else co_await supervisor.restart(name);
    co_return kStatusOk;
}

Task<int> shut_down(Session& session, bool reboot) {
    const auto supervisor = co_await session.grants().find<idl::Supervisor>("supervisor");
    session.print(reboot ? "restarting ...\n" : "switching off ...\n");
    co_await session.terminal().written();
    co_await supervisor.shut_down(reboot);
    co_return kStatusOk;
}

int echo(Session& session, Words words) {
    std::string text;
    while (true) {
        const auto word = words.next();
        if (!word) return session.wrong_at(word.error().position, word.error().text);
        if (!*word) break;
        text += (text.empty() ? "" : " ") + (*word)->text;
    }
    session.print(dynamic::shown(text) + "\n");
    return kStatusOk;
}

int help(Session& session, Words words) {
    const auto word = words.next();
    if (!word) return session.wrong_at(word.error().position, word.error().text);
    if (!*word) {
        session.print(help_overview());
        return kStatusOk;
    }
    const Command* const command = find_command((*word)->text);
    if (command == nullptr) return session.wrong_at((*word)->position, "there is no command " + (*word)->text);
    session.print(help_of(*command));
    return kStatusOk;
}

int drop(Session& session, Words words) {
    while (true) {
        const auto word = words.next();
        if (!word) return session.wrong_at(word.error().position, word.error().text);
        if (!*word) return kStatusOk;
        if (!session.holdings().drop((*word)->text)) {
            return session.wrong_at((*word)->position, "no call returned a capability " + (*word)->text);
        }
    }
}

int script(Session& session, Words words) {
    const auto word = words.next();
    const bool is_token = word && *word && (*word)->text.size() <= 32 &&
                          (*word)->text.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz") == std::string::npos;
    if (word && !*word) {
        session.set_script({});
    } else if (is_token) {
        session.set_script((*word)->text);
    } else {
        return session.wrong_at(words.position(), "a token of at most 32 lower-case letters and digits is expected here");
    }
    return kStatusOk;
}

}  // namespace

Task<int> run_command(Session& session, CommandId id, Words words) {
    switch (id) {
        case CommandId::call: co_return co_await call_capability(session, words);
        case CommandId::caps: co_return co_await list_capabilities(session);
        case CommandId::drop: co_return drop(session, words);
        case CommandId::echo: co_return echo(session, words);
        case CommandId::help: co_return help(session, words);
        case CommandId::log: co_return co_await show_log(session, words);
        case CommandId::mem: co_return co_await show_memory(session);
        case CommandId::methods: co_return co_await show_methods(session, words);
        case CommandId::poweroff: co_return co_await shut_down(session, false);
        case CommandId::ps: co_return co_await list_processes(session);
        case CommandId::reboot: co_return co_await shut_down(session, true);
        case CommandId::restart:
        case CommandId::start:
        case CommandId::stop: co_return co_await order_service(session, id, words);
        case CommandId::script: co_return script(session, words);
        case CommandId::services: co_return co_await list_services(session);
        case CommandId::status:
            session.print(std::to_string(session.last_status()) + "\n");
            co_return kStatusOk;
        case CommandId::trace: co_return co_await trace_capability(session, words);
        case CommandId::uptime:
            session.print("up " + duration(session.loop().now()) + "\n");
            co_return kStatusOk;
    }
    co_return kStatusUsage;
}

}  // namespace capos::shell
