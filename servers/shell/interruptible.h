// interruptible.h - runs a command's task so that Ctrl-C ends it: whatever it waits for is cancelled with it.
#pragma once

#include <optional>

#include "runtime/base/task.h"
#include "servers/shell/terminal.h"

namespace capos::shell {

inline constexpr int kStatusOk = 0, kStatusFailed = 1, kStatusUsage = 2, kStatusInterrupted = 130;

// An operation whose value is the command's status.
class Interruptible final : public runtime::Continuation, public Terminal::Interruptee {
public:
    Interruptible(Terminal& terminal, runtime::Task<int> task) : terminal_{terminal}, task_{std::move(task)} {}
    ~Interruptible() { terminal_.watch_interrupt(nullptr); }
    Interruptible(const Interruptible&) = delete;

    bool ready() const { return false; }
    std::coroutine_handle<> start(runtime::Continuation& waiter) {
        waiter_ = &waiter;
        // Ctrl-C may have been typed right behind the line.
        if (terminal_.take_interrupt()) {
            task_.reset();
            return waiter_->proceed();
        }
        terminal_.watch_interrupt(this);
        return task_->start(*this);
    }
    bool was_interrupted() const { return !task_; }
    runtime::Outcome<int> take() {
        if (task_) return task_->take();
        return kStatusInterrupted;
    }

    std::coroutine_handle<> proceed() override {
        terminal_.watch_interrupt(nullptr);
        return waiter_->proceed();
    }
    // Comes from the task that reads the terminal, so the command is waiting somewhere.
    void interrupt() override {
        task_.reset();
        waiter_->proceed().resume();
    }

private:
    Terminal& terminal_;
    std::optional<runtime::Task<int>> task_;
    runtime::Continuation* waiter_{};
};

}  // namespace capos::shell
