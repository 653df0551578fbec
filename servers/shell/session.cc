#include "servers/shell/session.h"

#include "idl/errors_messages.h"
#include "runtime/dynamic/text.h"
#include "servers/shell/columns.h"

namespace capos::shell {

namespace {

using runtime::Task;
using runtime::attempt;

constexpr std::string_view kPrompt = "capos> ";
constexpr u64 kNamesNs = 200'000'000;  // how long a prompt waits for names to complete

std::string_view name_of_code(u16 code) {
    switch (static_cast<idl::ErrorCode>(code)) {
        case idl::ErrorCode::none: return "";
        case idl::ErrorCode::not_found: return "notFound";
        case idl::ErrorCode::exists: return "exists";
        case idl::ErrorCode::bad_argument: return "badArgument";
        case idl::ErrorCode::bad_message: return "badMessage";
        case idl::ErrorCode::not_permitted: return "notPermitted";
        case idl::ErrorCode::busy: return "busy";
        case idl::ErrorCode::no_space: return "noSpace";
        case idl::ErrorCode::too_large: return "tooLarge";
        case idl::ErrorCode::timed_out: return "timedOut";
        case idl::ErrorCode::device_broken: return "deviceBroken";
        case idl::ErrorCode::lost_writes: return "lostWrites";
        case idl::ErrorCode::corrupt: return "corrupt";
    }
    return "";
}

std::optional<idl::Schemas::Client> schemas_of(runtime::Grants& grants) {
    auto found = grants.find<idl::Schemas>("schemas");
    if (!found) return std::nullopt;
    return std::move(*found);
}

}  // namespace

std::string text_of(const runtime::Error& error) {
    std::string text{runtime::name_of(error.status)};
    if (error.status == Status::failed && error.code != 0) {
        const std::string_view name = name_of_code(error.code);
        text = name.empty() ? "failed, code " + std::to_string(error.code) : std::string{name};
    }
    if (!error.text.empty()) text += ": " + dynamic::shown(error.text);
    return text;
}

Session::Session(runtime::Grants& grants, Terminal& terminal, Tracer& tracer)
    : grants_{grants}, terminal_{terminal}, tracer_{tracer}, holdings_{grants}, schemas_{schemas_of(grants)} {
    editor_.set_prompt(kPrompt);
}

Task<void> Session::run() {
    greet();
    while (true) {
        if (script_.empty()) co_await refresh_names();
        co_await read_line();
        Interruptible command{terminal_, execute()};
        const auto ended = co_await attempt(command);
        status_ = ended ? *ended : fail_with(text_of(ended.error()));
        if (command.was_interrupted() && script_.empty()) print("^C\n");
        if (!script_.empty()) print("[" + script_ + " " + std::to_string(status_) + "]\n");
        co_await terminal_.room();
    }
}

void Session::greet() {
    const u64 up_us = loop().now() / 1000;
    const std::string up = std::to_string(up_us / 1000) + "." + padded(up_us % 1000, 3);
    print("\nThis is capOS, a capability microkernel system. You sit at its shell, which can do what its capabilities allow:\n"
          "`caps` lists them, `help` the commands. In QEMU, Ctrl-A X ends the emulator. Up after " + up + " ms.\n\n");
}

int Session::fail_with(std::string_view text, int status) {
    print(dynamic::shown(text) + "\n");
    return status;
}

int Session::wrong_at(usize position, std::string_view text) {
    if (script_.empty()) {
        const usize column = columns_of(kPrompt) + columns_of(std::string_view{line_}.substr(0, position));
        if (editor_.width() == 0 || column < editor_.width()) print(std::string(column, ' ') + "^\n");
    }
    return fail_with(text, kStatusUsage);
}

void Session::announce(std::string_view text) {
    std::string out;
    if (typing_) editor_.hide(out);
    terminal_.put(out);
    print(text);
    out.clear();
    if (typing_) editor_.show(out);
    terminal_.put(out);
}

void Session::begin_line() {
    editor_.set_echo(script_.empty());
    std::string out;
    editor_.begin(out);
    terminal_.put(out);
}

Task<void> Session::read_line() {
    begin_line();
    typing_ = true;
    while (true) {
        const char byte = co_await terminal_.next();
        std::string out;
        const Edit edit = editor_.push(byte, out);
        terminal_.put(out);
        if (edit == Edit::line) break;
        if (edit == Edit::ended && script_.empty()) print("`poweroff` switches the machine off.\n");
        if (edit != Edit::going_on) begin_line();
    }
    typing_ = false;
    line_ = editor_.line();
    co_return done;
}

Task<void> Session::refresh_names() {
    names_.capabilities.clear();
    for (const Holding& one : holdings_.all()) {
        CapabilityNames& added = names_.capabilities.emplace_back(one.name);
        const dynamic::Table* const table = schemas_.find_known(one.interface_id);
        for (u16 i = 0; table != nullptr && i < table->methods(); ++i) added.methods.emplace_back(table->method(i).name);
    }
    const auto supervisor = grants_.find<idl::Supervisor>("supervisor");
    if (!supervisor) co_return done;
    const auto reply = co_await attempt(supervisor->services().within(kNamesNs));
    if (!reply) co_return done;
    names_.services.clear();
    for (const auto& one : reply->services) names_.services.emplace_back(one.name);
    co_return done;
}

Task<int> Session::execute() {
    Words words{line_};
    const auto first = words.next();
    if (!first) co_return wrong_at(first.error().position, first.error().text);
    if (!*first) co_return status_;
    const std::string& name = (*first)->text;
    if (const Command* command = find_command(name)) co_return co_await run_command(*this, command->id, words);
    if (name.contains('.')) co_return co_await call_capability(*this, Words{line_});
    co_return wrong_at((*first)->position, "there is no command " + name + "; `help` lists them");
}

}  // namespace capos::shell
