// figures.h - measures in guest instructions: under `-icount shift=0` one tick of the TSC is one instruction (design §12).
//
// A figure is the distribution of many single runs, each between two readings of the TSC, less what two readings in a row give. It
// goes to the log as `BENCH name p50 p99 runs instructions`, where ./capos bench looks for it.
#pragma once

#include <algorithm>

#include "support/world.h"

namespace capos::test {

inline u64 read_tsc() {
    u32 low, high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return u64{high} << 32 | low;
}

class Figures {
public:
    static constexpr usize kRuns = 300;
    static constexpr usize kWarmUp = 20;

    explicit Figures(World& world) : world_{world}, overhead_{smallest_gap()} {}

    // `work` is one run; a run that does `per_run` operations counts as that many.
    template <typename Work>
    void measure(std::string_view name, Work work, u64 per_run = 1) {
        u64 samples[kRuns];
        for (usize i = 0; i < kWarmUp; ++i) work();
        for (u64& sample : samples) {
            const u64 start = read_tsc();
            work();
            sample = (read_tsc() - start - overhead_) / per_run;
        }
        report(name, samples);
    }
    // The same where `work` measures itself and returns the ticks.
    template <typename Work>
    void measure_self(std::string_view name, Work work) {
        u64 samples[kRuns];
        for (usize i = 0; i < kWarmUp; ++i) (void)work();
        for (u64& sample : samples) sample = work();
        report(name, samples);
    }

private:
    static u64 smallest_gap() {
        u64 smallest = ~u64{0};
        for (int i = 0; i < 16; ++i) {
            const u64 start = read_tsc();
            smallest = std::min(smallest, read_tsc() - start);
        }
        return smallest;
    }
    static void sort(std::span<u64> values) {
        for (usize i = 1; i < values.size(); ++i) {
            const u64 value = values[i];
            usize at = i;
            for (; at > 0 && values[at - 1] > value; --at) values[at] = values[at - 1];
            values[at] = value;
        }
    }
    void report(std::string_view name, std::span<u64> samples) {
        sort(samples);
        world_.say("BENCH ", name, " ", samples[samples.size() / 2], " ", samples[samples.size() * 99 / 100], " ", samples.size(),
                   " instructions");
    }

    World& world_;
    u64 overhead_;
};

}  // namespace capos::test
