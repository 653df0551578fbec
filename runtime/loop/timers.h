// timers.h - the deadlines of one event loop, earliest first. Pure: times are numbers, the loop waits for the earliest.
#pragma once

#include <vector>

#include "abi/types.h"
#include "runtime/ring/system_call.h"

namespace capos::runtime {

// Something with a deadline. Unmovable while it is armed; disarms itself when it is destroyed.
class Deadline {
public:
    Deadline() = default;
    Deadline(const Deadline&) = delete;
    virtual void expired() = 0;
    bool armed() const { return place_ != kNotArmed; }

protected:
    ~Deadline() = default;

private:
    friend class Timers;
    static constexpr u32 kNotArmed = ~u32{0};

    u64 at_ns_{};
    u32 place_{kNotArmed};
};

// A binary heap; each deadline knows its place, so that disarming needs no search.
class Timers {
public:
    void arm(Deadline& deadline, u64 at_ns);
    void disarm(Deadline& deadline);

    u64 earliest() const { return heap_.empty() ? kNoDeadline : heap_.front()->at_ns_; }
    // Disarms and calls every deadline that `now` has reached. True if there was one.
    bool expire(u64 now_ns);

private:
    void put(u32 place, Deadline& deadline);
    void up(u32 place);
    void down(u32 place);

    std::vector<Deadline*> heap_;
};

}  // namespace capos::runtime
