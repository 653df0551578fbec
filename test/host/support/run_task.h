// run_task.h - runs a task that waits for nothing outside of itself.
#pragma once

#include <stdexcept>

#include "runtime/base/task.h"

namespace capos::test {

template <typename T>
runtime::Outcome<T> run_now(runtime::Task<T> task) {
    struct End final : runtime::Continuation {
        std::coroutine_handle<> proceed() override {
            reached = true;
            return std::noop_coroutine();
        }
        bool reached{};
    } end;
    task.start(end).resume();
    if (!end.reached) throw std::logic_error("the task waits");
    return task.take();
}

}  // namespace capos::test
