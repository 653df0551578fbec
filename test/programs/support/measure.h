// measure.h - counts guest instructions: under QEMU's `-icount shift=0` one tick of the time stamp counter is one instruction.
#pragma once

#include <algorithm>
#include <string_view>

#include "abi/types.h"

namespace capos::test {

inline u64 ticks() {
    u32 low, high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
    return low | u64{high} << 32;
}

// Some hundreds of measurements of one thing, and the line that reports them.
class Samples {
public:
    static constexpr usize kMax = 1000;

    void add(u64 value) {
        if (count_ < kMax) values_[count_++] = value;
    }
    usize count() const { return count_; }

    // By `console.say(pieces...)`. `divisor` operations were measured at once; `overhead` is what measuring itself takes.
    template <typename Console>
    void report(Console& console, std::string_view name, u64 overhead, u64 divisor = 1) {
        if (count_ == 0) return console.say("BENCH ", name, " was not measured");
        std::ranges::make_heap(values_, values_ + count_);
        std::ranges::sort_heap(values_, values_ + count_);
        console.say("BENCH ", name, " ", of_percent(50, overhead) / divisor, " ", of_percent(99, overhead) / divisor, " ",
                    count_, " instructions");
    }
    u64 least() const { return *std::min_element(values_, values_ + count_); }

private:
    // Nearest rank.
    u64 of_percent(usize percent, u64 overhead) const {
        const u64 value = values_[(count_ * percent + 99) / 100 - 1];
        return value > overhead ? value - overhead : 0;
    }

    u64 values_[kMax];
    usize count_{};
};

}  // namespace capos::test
