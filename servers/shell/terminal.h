// terminal.h - Terminal: the console as the shell uses it. Output is queued and written by a task of its own; input is read
// ahead, so that Ctrl-C works while a command runs. Neither ends when the console's server does: the next one goes on.
#pragma once

#include <string>
#include <string_view>

#include "idl/console.h"
#include "runtime/loop/event.h"
#include "runtime/loop/loop.h"

namespace capos::shell {

class Terminal {
public:
    static constexpr usize kQueuedMax = 8192;     // what a command may have queued before it waits
    static constexpr usize kTypedAheadMax = 4096;

    Terminal(runtime::Loop& loop, idl::Console::Client console) : loop_{loop}, console_{std::move(console)} {}

    // Begins to read and write, beside everything else.
    void start() {
        writer_.start();
        reader_.start();
    }

    // Bytes as they are, and lines of text: `\n` becomes what a terminal needs.
    void put(std::string_view bytes);
    void print(std::string_view text);
    // Waits until there is room for more output. Whoever prints in a loop calls it.
    runtime::Task<void> room();
    // Waits until the console has taken everything.
    runtime::Task<void> written();

    // The next byte of input.
    runtime::Task<char> next();

    // Called for Ctrl-C while `watch_interrupt` is on; the byte is then no input, and drops what was typed before it.
    class Interruptee {
    public:
        virtual void interrupt() = 0;

    protected:
        ~Interruptee() = default;
    };
    void watch_interrupt(Interruptee* who) { interruptee_ = who; }
    // Whether Ctrl-C is among what was typed ahead; takes that, and everything before it.
    bool take_interrupt();

private:
    // A task that ends with the terminal, at the latest.
    class Beside final : public runtime::Continuation {
    public:
        explicit Beside(runtime::Task<void> task) : task_{std::move(task)} {}
        void start() { task_.start(*this).resume(); }
        std::coroutine_handle<> proceed() override { return std::noop_coroutine(); }

    private:
        runtime::Task<void> task_;
    };

    runtime::Task<void> write_all();
    runtime::Task<void> read_all();
    void take_input(std::string_view bytes);

    runtime::Loop& loop_;
    idl::Console::Client console_;
    std::string output_, input_;
    usize input_taken_{};
    runtime::Event wrote_, queued_, typed_;
    Interruptee* interruptee_{};
    Beside writer_{write_all()}, reader_{read_all()};  // last: they wait for the events above
};

}  // namespace capos::shell
