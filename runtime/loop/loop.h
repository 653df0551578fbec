// loop.h - the event loop of one thread: it owns the thread's ring, and everything that the thread waits for.
//
//      Loop loop{ring};
//      const Outcome<void> ended = loop.run(program(grants));      // until that task ends
//      loop.spawn(watch(device));                                  // beside it
//
// One turn: hand over what was submitted and wait for the first completion or the earliest deadline, then call whoever waits
// for each completion; coroutines run inside these calls, and submit. When all that was submitted is one small call or answer
// it travels in registers (abi/ring.h).
//
// Completions are addressed by pointer: an entry's user data is the Completable that its completion is for, which lives until
// then. 0 is nobody: entries that are silent on success, whose failure changes nothing.
//
// One thread; no locks. Everything that belongs to a loop is destroyed before it.
#pragma once

#include <coroutine>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "runtime/base/task.h"
#include "runtime/loop/arena.h"
#include "runtime/loop/timers.h"
#include "runtime/ring/ring.h"

namespace capos::runtime {

// Whom a completion is for.
class Completable {
public:
    virtual void complete(const abi::Completion& completion) = 0;

protected:
    ~Completable() = default;
};

// What is destroyed between two turns, because it may still be on the stack of the one who gave it up.
class Disposable {
public:
    virtual ~Disposable() = default;
};

class PendingCall;

class Loop {
public:
    static constexpr u32 kAnswers = abi::kAnswersDefault;

    explicit Loop(Ring& ring);
    ~Loop();
    Loop(const Loop&) = delete;

    // --- tasks ---
    // Runs the loop until the task has ended.
    template <typename T>
    Outcome<T> run(Task<T> task) {
        Ending ending{*this};
        task.start(ending).resume();
        while (!ending.reached) turn();
        return task.take();
    }
    // Runs a task beside the others; the loop owns it. An error that ends it goes to the failure handler.
    void spawn(Task<void> task);
    // What is told about spawned tasks and served calls that fail through nobody's fault but ours. By default nothing.
    using FailureHandler = void (*)(void* context, const Error& error);
    void on_failure(FailureHandler handler, void* context) { failure_handler_ = handler, failure_context_ = context; }
    void report_failure(const Error& error) {
        if (failure_handler_ != nullptr) failure_handler_(failure_context_, error);
    }

    // --- time, in ns since boot ---
    u64 now() const { return ring_.now(); }
    Timers& timers() { return timers_; }

    // --- entries ---
    // The entry is handed over at the end of the turn, or when the queue is full. `who` is told of its completion.
    void submit(abi::Submission entry, Completable* who);
    // CANCEL of what was submitted for `who`.
    void cancel(const Completable& who) { submit(entry::cancel(user_data(&who)), nullptr); }
    void release(abi::CapId id) { submit(entry::release(id), nullptr); }
    // Calls with promised results: which of the ring's answers are free. None: kAnswers.
    u32 take_answer();
    void finish_answer(u32 answer);
    // Groups of receive buffers, one for each service. None: kNoGroup.
    static constexpr u8 kGroups = 8, kNoGroup = 0xff;
    u8 take_group();
    void free_group(u8 group) { free_groups_ = static_cast<u8>(free_groups_ | 1u << group); }

    // --- messages ---
    Arena& arena() { return arena_; }
    std::byte* at(u32 offset) const { return ring_.at(offset); }
    std::span<std::byte> bytes(ArenaRange range) const { return ring_.bytes(range); }
    Ring& ring() { return ring_; }
    // Frees the block once everything submitted so far is with the kernel: what a RETURN sends.
    void free_after_enter(ArenaRange range) { sent_.push_back(range); }

    // Calls that services of this loop have answered with a result.
    u64 answered() const { return answered_; }

    // --- for calls and services ---
    void count_answer() { ++answered_; }
    void dispose(std::unique_ptr<Disposable> what) { disposed_.push_back(std::move(what)); }
    // Keeps something alive until it is dropped, or to the end of the loop: what completions still to come are for.
    template <typename T>
    T* keep(std::unique_ptr<T> what) {
        T* kept = what.get();
        kept_.push_back(std::move(what));
        return kept;
    }
    void drop(const Disposable& kept);
    // Told of every event of the ring that belongs to no entry: callers that have gone, memory that was lost.
    void listen(Completable& listener) { listeners_.push_back(&listener); }
    void unlisten(const Completable& listener) { std::erase(listeners_, &listener); }
    PendingCall* take_call();
    void give_back(PendingCall& call);

private:
    struct Ending final : Continuation {
        explicit Ending(Loop&) {}
        std::coroutine_handle<> proceed() override {
            reached = true;
            return std::noop_coroutine();
        }
        bool reached{};
    };

    static u64 user_data(const Completable* who) { return reinterpret_cast<u64>(who); }
    void turn();
    void hand_over(u32 min_complete, u64 deadline_ns);
    bool goes_in_registers(const abi::Submission& entry) const;
    void enter_in_registers(u64 deadline_ns);
    void refill();
    void deliver(const abi::Completion& completion);
    void deliver_all();
    void clear_disposed();

    Ring& ring_;
    Arena arena_;
    Timers timers_;
    // The latest entry is held back, in case it is the only one of its turn and can go in registers.
    std::optional<abi::Submission> held_;
    std::deque<abi::Submission> backlog_;  // what the queue had no room for
    std::vector<ArenaRange> sent_;
    std::vector<Completable*> listeners_;
    std::vector<std::unique_ptr<Disposable>> disposed_, disposing_;
    std::vector<std::unique_ptr<Disposable>> kept_, tasks_;  // tasks_ are the spawned ones
    std::vector<std::unique_ptr<PendingCall>> calls_;
    std::vector<PendingCall*> free_calls_;
    u32 free_answers_{(1u << kAnswers) - 1};
    u8 free_groups_{0xff};
    u64 answered_{};
    FailureHandler failure_handler_{};
    void* failure_context_{};
};

// `co_await Sleep{loop, at_ns}`: until that time. Also what other waits are built from.
class Sleep final : public Deadline {
public:
    Sleep(Loop& loop, u64 until_ns) : loop_{loop}, until_ns_{until_ns} {}
    ~Sleep() { loop_.timers().disarm(*this); }

    bool ready() const { return loop_.now() >= until_ns_; }
    std::coroutine_handle<> start(Continuation& continuation) {
        continuation_ = &continuation;
        loop_.timers().arm(*this, until_ns_);
        return std::noop_coroutine();
    }
    Outcome<void> take() { return done; }
    void expired() override { continuation_->proceed().resume(); }

private:
    Loop& loop_;
    u64 until_ns_;
    Continuation* continuation_{};
};

inline Sleep sleep_for(Loop& loop, u64 ns) { return Sleep{loop, loop.now() + ns}; }

}  // namespace capos::runtime
