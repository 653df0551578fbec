// event.h - waiting for something that another task of the same loop does: `while (!condition) co_await event.wait();`
#pragma once

#include <vector>

#include "runtime/base/task.h"

namespace capos::runtime {

class Event {
public:
    Event() = default;
    Event(const Event&) = delete;

    // Wakes all who wait now. They run one after the other before this returns; what they wait for may be over again then.
    void notify() {
        const u64 last = next_ticket_;
        while (!waiting_.empty() && waiting_.front()->ticket < last) {
            Waiting* first = waiting_.front();
            waiting_.erase(waiting_.begin());
            first->queued = false;
            first->continuation->proceed().resume();
        }
    }

    // The operation of one waiter; leaves the queue when its task is destroyed.
    class Waiting {
    public:
        explicit Waiting(Event& event) : event_{event} {}
        ~Waiting() {
            if (queued) std::erase(event_.waiting_, this);
        }
        Waiting(const Waiting&) = delete;

        bool ready() const { return false; }
        std::coroutine_handle<> start(Continuation& waiter) {
            continuation = &waiter;
            ticket = event_.next_ticket_++;
            queued = true;
            event_.waiting_.push_back(this);
            return std::noop_coroutine();
        }
        Outcome<void> take() { return done; }

        Continuation* continuation{};
        u64 ticket{};
        bool queued{};

    private:
        Event& event_;
    };
    Waiting wait() { return Waiting{*this}; }

private:
    std::vector<Waiting*> waiting_;
    u64 next_ticket_{};
};

}  // namespace capos::runtime
