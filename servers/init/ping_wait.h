// ping_wait.h - where a service's ping waits for its answer: until the supervisor wakes it, or a time comes.
#pragma once

#include "runtime/base/task.h"
#include "runtime/loop/loop.h"

namespace capos::init {

class PingWait;

// One for each service.
struct PingPlace {
    PingWait* waiting{};
    bool stop{};     // what the answer says
    u32 early{};     // answers given before the usual time
};

class PingWait final : public runtime::Deadline {
public:
    // Takes the place, and wakes whoever was in it: a service has one line. `until_ns` kNoDeadline: only when woken.
    PingWait(runtime::Loop& loop, PingPlace& place, u64 until_ns) : loop_{loop}, place_{place}, until_ns_{until_ns} {}
    ~PingWait() {
        loop_.timers().disarm(*this);
        if (place_.waiting == this) place_.waiting = nullptr;
    }
    PingWait(const PingWait&) = delete;

    bool ready() const { return place_.stop; }
    std::coroutine_handle<> start(runtime::Continuation& continuation) {
        continuation_ = &continuation;
        if (PingWait* before = std::exchange(place_.waiting, this)) before->wake();
        if (until_ns_ != runtime::kNoDeadline) loop_.timers().arm(*this, until_ns_);
        return std::noop_coroutine();
    }
    runtime::Outcome<void> take() { return done; }

    void expired() override { wake(); }
    void wake() {
        if (place_.waiting == this) place_.waiting = nullptr;
        continuation_->proceed().resume();
    }

private:
    runtime::Loop& loop_;
    PingPlace& place_;
    u64 until_ns_;
    runtime::Continuation* continuation_{};
};

}  // namespace capos::init
