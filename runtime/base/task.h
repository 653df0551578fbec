// task.h - coroutines with errors as values: Task<T> is an operation that ends with a T or an Error. Pure: knows no ring and no
// clock, and allocates only the coroutine's frame.
//
//      Task<u64> total(Disk::Client disk) {
//          const auto geometry = co_await disk.geometry();          // an error leaves this coroutine with it
//          const auto used = co_await attempt(disk.used());         // an Outcome, to look at
//          co_return used ? *used : geometry.blocks;
//      }
//      Task<void> f() { ...; co_return done; }                      // and `co_return fail(Error{...});`
//
// Rules
//  - A Task starts when it is awaited, on the awaiting coroutine's stack, and runs until it first has to wait.
//  - It is a value that owns its coroutine: destroying a Task that has not ended destroys its frame, with everything in it, at
//    the point where it waits. That is cancellation: what it waited for is cancelled the same way.
//  - A coroutine takes parameters by value, or by reference to what outlives it; a lambda that captures is never one.
//  - One thread: a Task is made, run and destroyed by the thread of one event loop.
//
// An operation is whatever can be awaited: it has `bool ready()`, `std::coroutine_handle<> start(Continuation&)`, which is
// called once, when it is not ready, and says what runs next, and `Outcome<T> take()`, once, when it has ended.
#pragma once

#include <coroutine>
#include <optional>
#include <utility>

#include "runtime/base/error.h"

namespace capos::runtime {

// Who goes on when an operation has ended. Called once; says what runs next, which may be nothing (std::noop_coroutine()).
class Continuation {
public:
    virtual std::coroutine_handle<> proceed() = 0;

protected:
    ~Continuation() = default;
};

// Takes the result of a Task at its co_return, while the coroutine's locals are alive, so that a result may point at them.
template <typename T>
class Sink {
public:
    virtual void take(T& value) = 0;

protected:
    ~Sink() = default;
};

namespace detail {

struct PromiseBase {
    Continuation* continuation{};
    std::optional<Error> error;

    std::coroutine_handle<> ended() const {
        return continuation != nullptr ? continuation->proceed() : std::noop_coroutine();
    }
    // Ends the coroutine where it stands; its frame waits for its owner.
    std::coroutine_handle<> leave(Error&& with) {
        error.emplace(std::move(with));
        return ended();
    }
};

// Awaits an operation for a coroutine. With Propagate an error ends that coroutine, else it is the value of the expression.
template <typename Operation, typename Promise, bool Propagate>
class Awaiter final : public Continuation {
public:
    using Result = decltype(std::declval<std::remove_reference_t<Operation>&>().take());

    explicit Awaiter(Operation&& operation) : operation_{static_cast<Operation&&>(operation)} {}
    Awaiter(const Awaiter&) = delete;

    bool await_ready() {
        if (!operation_.ready()) return false;
        result_.emplace(operation_.take());
        return !Propagate || result_->has_value();
    }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> waiting) {
        waiting_ = waiting;
        if (result_) return waiting_.promise().leave(std::move(result_->error()));
        return operation_.start(*this);
    }
    auto await_resume() {
        if constexpr (!Propagate) {
            return std::move(*result_);
        } else if constexpr (!std::is_void_v<typename Result::value_type>) {
            return *std::move(*result_);
        }
    }
    std::coroutine_handle<> proceed() override {
        result_.emplace(operation_.take());
        if (Propagate && !result_->has_value()) return waiting_.promise().leave(std::move(result_->error()));
        return waiting_;
    }

private:
    Operation operation_;  // a reference: what is awaited lives as long as the expression, and so does this
    std::coroutine_handle<Promise> waiting_;
    std::optional<Result> result_;
};

// `attempt(operation)`: the Outcome instead of its value.
template <typename Operation>
struct Attempt {
    Operation&& operation;
};

// A value that is there: co_await on an Outcome, or on a Result with a Status.
template <typename T>
struct Settled {
    Outcome<T> outcome;

    bool ready() const { return true; }
    std::coroutine_handle<> start(Continuation&) { return std::noop_coroutine(); }
    Outcome<T> take() { return std::move(outcome); }
};

template <typename T, typename E>
Settled<T> settled(Result<T, E>&& result) {
    if (!result) return {fail(Error{std::move(result.error())})};
    if constexpr (std::is_void_v<T>) return {done};
    else return {*std::move(result)};
}

template <typename Promise>
struct Awaits : PromiseBase {
    template <typename Operation>
    auto await_transform(Operation&& operation) {
        return Awaiter<Operation&&, Promise, true>{std::forward<Operation>(operation)};
    }
    template <typename Operation>
    auto await_transform(Attempt<Operation>&& attempt) {
        return Awaiter<Operation&&, Promise, false>{std::forward<Operation>(attempt.operation)};
    }
    template <typename T, typename E>
    auto await_transform(Result<T, E>&& result) {
        return Awaiter<Settled<T>, Promise, true>{settled(std::move(result))};
    }
};

struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <typename Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) noexcept {
        return ended.promise().ended();
    }
    void await_resume() noexcept {}
};

template <typename T>
struct Promise final : Awaits<Promise<T>> {
    std::optional<T> value;
    Sink<T>* sink{};

    auto get_return_object() { return std::coroutine_handle<Promise>::from_promise(*this); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    FinalAwaiter final_suspend() noexcept { return {}; }
    void return_value(T result) {
        if (sink != nullptr) sink->take(result);
        else value.emplace(std::move(result));
    }
    void return_value(std::unexpected<Error> with) { this->error.emplace(std::move(with.error())); }
    void return_value(std::unexpected<Status> with) { this->error.emplace(with.error()); }
    [[noreturn]] void unhandled_exception() { __builtin_trap(); }
};

template <>
struct Promise<void> final : Awaits<Promise<void>> {
    auto get_return_object() { return std::coroutine_handle<Promise>::from_promise(*this); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    FinalAwaiter final_suspend() noexcept { return {}; }
    void return_value(Done) {}
    void return_value(std::unexpected<Error> with) { error.emplace(std::move(with.error())); }
    void return_value(std::unexpected<Status> with) { error.emplace(with.error()); }
    [[noreturn]] void unhandled_exception() { __builtin_trap(); }
};

}  // namespace detail

template <typename T = void>
class [[nodiscard]] Task {
public:
    using promise_type = detail::Promise<T>;

    Task(std::coroutine_handle<promise_type> coroutine)  // NOLINT(google-explicit-constructor): the compiler's conversion
        : coroutine_{coroutine} {}
    Task(Task&& other) noexcept : coroutine_{std::exchange(other.coroutine_, {})} {}
    Task& operator=(Task&& other) noexcept {
        std::swap(coroutine_, other.coroutine_);
        return *this;
    }
    ~Task() {
        if (coroutine_) coroutine_.destroy();
    }

    // As an operation.
    bool ready() const { return false; }
    std::coroutine_handle<> start(Continuation& continuation) {
        coroutine_.promise().continuation = &continuation;
        return coroutine_;
    }
    Outcome<T> take() {
        promise_type& promise = coroutine_.promise();
        if (promise.error) return fail(std::move(*promise.error));
        if constexpr (std::is_void_v<T>) return done;
        else return std::move(*promise.value);
    }

    // Hands the result over at co_return instead; take() then only tells whether there was an error.
    void into(Sink<T>& sink)
        requires(!std::is_void_v<T>)
    {
        coroutine_.promise().sink = &sink;
    }
    // How it failed. Only once it has ended.
    const std::optional<Error>& error() const { return coroutine_.promise().error; }

private:
    std::coroutine_handle<promise_type> coroutine_;
};

// `co_await attempt(operation)` is an Outcome; an error does not leave the coroutine.
template <typename Operation>
detail::Attempt<Operation> attempt(Operation&& operation) {
    return {std::forward<Operation>(operation)};
}

}  // namespace capos::runtime
