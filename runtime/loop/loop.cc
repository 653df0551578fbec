#include "runtime/loop/loop.h"

#include <algorithm>
#include <bit>

#include "runtime/loop/call.h"

namespace capos::runtime {

namespace {

// A task that nobody awaits: the loop keeps it until it has ended.
class Spawned final : public Continuation, public Disposable {
public:
    Spawned(Loop& loop, Task<void> task) : loop_{loop}, task_{std::move(task)} {}

    std::coroutine_handle<> start() { return task_.start(*this); }
    std::coroutine_handle<> proceed() override {
        if (task_.error()) loop_.report_failure(*task_.error());
        loop_.drop(*this);
        return std::noop_coroutine();
    }

private:
    Loop& loop_;
    Task<void> task_;
};

}  // namespace

Loop::Loop(Ring& ring) : ring_{ring}, arena_{ring_.arena_used(), ring_.arena_bytes() - ring_.arena_used()} {}

// Tasks first, one by one, with everything else in place: they give up calls and services as they go.
Loop::~Loop() {
    while (!tasks_.empty()) {
        const std::unique_ptr<Disposable> last = std::move(tasks_.back());
        tasks_.pop_back();
    }
    clear_disposed();
}

void Loop::spawn(Task<void> task) {
    auto spawned = std::make_unique<Spawned>(*this, std::move(task));
    const std::coroutine_handle<> first = spawned->start();
    tasks_.push_back(std::move(spawned));
    first.resume();
}

void Loop::submit(abi::Submission entry, Completable* who) {
    entry.user_data = user_data(who);
    if (held_) {
        if (!backlog_.empty() || !ring_.push(*held_)) backlog_.push_back(*held_);
    }
    held_ = entry;
}

u32 Loop::take_answer() {
    if (free_answers_ == 0) return kAnswers;
    const u32 answer = static_cast<u32>(std::countr_zero(free_answers_));
    free_answers_ &= free_answers_ - 1;
    return answer;
}

void Loop::finish_answer(u32 answer) {
    submit(entry::finish(static_cast<u8>(answer)), nullptr);
    free_answers_ |= 1u << answer;
}

u8 Loop::take_group() {
    if (free_groups_ == 0) return kNoGroup;
    const u8 group = static_cast<u8>(std::countr_zero(free_groups_));
    free_groups_ &= static_cast<u8>(free_groups_ - 1);
    return group;
}

PendingCall* Loop::take_call() {
    if (free_calls_.empty()) {
        calls_.push_back(std::make_unique<PendingCall>(*this));
        return calls_.back().get();
    }
    PendingCall* call = free_calls_.back();
    free_calls_.pop_back();
    return call;
}

void Loop::give_back(PendingCall& call) { free_calls_.push_back(&call); }

void Loop::turn() {
    clear_disposed();
    if (timers_.earliest() != kNoDeadline && timers_.expire(now())) return;
    if (ring_.unread() == 0) hand_over(1, timers_.earliest());
    deliver_all();
}

// One entry alone, on a ring with nothing unread, may take the short way.
bool Loop::goes_in_registers(const abi::Submission& entry) const {
    if (entry.params_length > abi::kRegisterCallBytesMax) return false;
    if (entry.capability_count != 0 || entry.result_slots != 0) return false;
    const bool is_call = entry.opcode == static_cast<u8>(abi::Opcode::call) && entry.flags == 0 && entry.group == 0;
    const bool is_reply = entry.opcode == static_cast<u8>(abi::Opcode::return_) && entry.flags == abi::kProvide;
    return is_call || is_reply;
}

void Loop::enter_in_registers(u64 deadline_ns) {
    const abi::Submission entry = *std::exchange(held_, std::nullopt);
    const bool is_call = entry.opcode == static_cast<u8>(abi::Opcode::call);
    const RegisterResult entered =
        is_call ? enter_with_call(entry, deadline_ns) : enter_with_reply(entry, deadline_ns);
    if (entered.result.consumed() == 0) held_ = entry;  // no record for it: it goes through the queue
    for (const ArenaRange range : sent_) arena_.free(range);
    sent_.clear();
    if (entered.result.in_registers()) deliver(entered.completion);
}

// Hands over what was submitted, and waits for `min_complete` completions or the deadline.
void Loop::hand_over(u32 min_complete, u64 deadline_ns) {
    if (held_ && backlog_.empty() && ring_.unsubmitted() == 0 && min_complete == 1 && goes_in_registers(*held_)) {
        return enter_in_registers(deadline_ns);
    }
    refill();
    (void)ring_.enter(backlog_.empty() ? min_complete : 0, deadline_ns);
    // Entries that the kernel had no record for stay in the queue; what they send stays with them.
    if (ring_.unsubmitted() == 0 && backlog_.empty()) {
        for (const ArenaRange range : sent_) arena_.free(range);
        sent_.clear();
    }
}

// Moves what waits for the queue into it, in order.
void Loop::refill() {
    if (held_) backlog_.push_back(*std::exchange(held_, std::nullopt));
    while (!backlog_.empty() && ring_.push(backlog_.front())) backlog_.pop_front();
}

void Loop::deliver(const abi::Completion& completion) {
    const auto kind = static_cast<abi::CompletionKind>(completion.kind);
    if (kind == abi::CompletionKind::cancelled || kind == abi::CompletionKind::lost) {
        for (usize i = 0; i < listeners_.size(); ++i) listeners_[i]->complete(completion);
    } else if (completion.user_data != 0) {
        reinterpret_cast<Completable*>(completion.user_data)->complete(completion);
    }
    clear_disposed();
}

void Loop::drop(const Disposable& kept) {
    for (std::vector<std::unique_ptr<Disposable>>* list : {&tasks_, &kept_}) {
        const auto place = std::ranges::find(*list, &kept, &std::unique_ptr<Disposable>::get);
        if (place == list->end()) continue;
        dispose(std::move(*place));
        list->erase(place);
    }
}

// What is destroyed may give up more.
void Loop::clear_disposed() {
    while (!disposed_.empty()) {
        disposing_.swap(disposed_);
        disposing_.clear();
    }
}

void Loop::deliver_all() {
    while (const std::optional<abi::Completion> completion = ring_.next()) deliver(*completion);
}

}  // namespace capos::runtime
