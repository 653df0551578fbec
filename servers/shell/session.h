// session.h - Session: one person at one terminal. Reads lines, runs a command at a time, keeps what commands share.
#pragma once

#include <optional>
#include <string>

#include "idl/kernel.h"
#include "idl/log.h"
#include "idl/supervisor.h"
#include "runtime/program/program.h"
#include "servers/shell/completion.h"
#include "servers/shell/editor.h"
#include "servers/shell/holdings.h"
#include "servers/shell/interruptible.h"
#include "servers/shell/schema_store.h"
#include "servers/shell/terminal.h"
#include "servers/shell/words.h"

namespace capos::shell {

class Tracer;

class Session {
public:
    Session(runtime::Grants& grants, Terminal& terminal, Tracer& tracer);

    // Never ends but by an error.
    runtime::Task<void> run();

    // --- for commands ---
    runtime::Grants& grants() const { return grants_; }
    runtime::Loop& loop() const { return grants_.loop(); }
    Terminal& terminal() const { return terminal_; }
    Tracer& tracer() const { return tracer_; }
    Holdings& holdings() { return holdings_; }
    SchemaStore& schemas() { return schemas_; }
    int last_status() const { return status_; }
    void set_script(std::string token) { script_ = std::move(token); }

    // Lines of text, shown at once.
    void print(std::string_view text) { terminal_.print(text); }
    // Why the command failed: `NAME: TEXT`. Returns the status for it.
    int fail_with(std::string_view text, int status = kStatusFailed);
    // The same for text of the line with a mark under the place where it is wrong.
    int wrong_at(usize position, std::string_view text);

    // Lines that come while somebody may be typing.
    void announce(std::string_view text);

private:
    runtime::Task<void> read_line();
    runtime::Task<int> execute();
    runtime::Task<void> refresh_names();
    void greet();
    void begin_line();

    runtime::Grants& grants_;
    Terminal& terminal_;
    Tracer& tracer_;
    Holdings holdings_;
    SchemaStore schemas_;
    Names names_;
    NameCompleter completer_{names_};
    Editor editor_{completer_};
    std::string line_;
    std::string script_;  // the token; empty: a person sits there
    int status_{};
    bool typing_{};
};

// The command that the words begin with has been taken from them. Defined in the files of the commands.
runtime::Task<int> run_command(Session& session, CommandId id, Words words);
runtime::Task<int> call_capability(Session& session, Words words);
runtime::Task<int> show_methods(Session& session, Words words);
runtime::Task<int> trace_capability(Session& session, Words words);
runtime::Task<int> show_log(Session& session, Words words);

// `not_found: there is no such service`
std::string text_of(const runtime::Error& error);

}  // namespace capos::shell
