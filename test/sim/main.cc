// sim: random programs on the simulated machine (simulation.h).
//
//     sim --seeds A..B --steps N [--cpus K] [--check-every N]     runs them all; a failure prints its seed and step
//     sim --seed S --steps N --until STEP --trace                 the same run again, up to that step
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "sim/simulation.h"

using namespace capos;
using namespace capos::sim;

namespace {

struct Arguments {
    u64 first{1}, last{1}, steps{2'000}, until{~u64{0}}, check_every{1}, cpus{0};
    bool trace{};
};

bool number(std::string_view text, u64& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size();
}

bool parse(int count, char** words, Arguments& a) {
    for (int i = 1; i < count; ++i) {
        const std::string_view word{words[i]};
        if (word == "--trace") {
            a.trace = true;
            continue;
        }
        if (++i == count) return false;
        const std::string_view value{words[i]};
        bool good = false;
        if (word == "--seeds") {
            const usize dots = value.find("..");
            good = dots != std::string_view::npos && number(value.substr(0, dots), a.first) &&
                   number(value.substr(dots + 2), a.last);
        } else if (word == "--seed") {
            good = number(value, a.first);
            a.last = a.first;
        } else if (word == "--steps") {
            good = number(value, a.steps);
        } else if (word == "--until") {
            good = number(value, a.until);
        } else if (word == "--cpus") {
            good = number(value, a.cpus);
        } else if (word == "--check-every") {
            good = number(value, a.check_every) && a.check_every != 0;
        }
        if (!good) return false;
    }
    return a.first <= a.last;
}

// True when the run found nothing.
bool run(const Arguments& a, u64 seed, Simulation::Counts& counts) {
    // Without a number of CPUs each seed takes its own.
    const auto cpus = static_cast<u32>(a.cpus != 0 ? a.cpus : 1 + seed % 4);
    u64 step = 0;
    try {
        Simulation simulation{Random{seed}, {.cpus = cpus, .check_every = a.check_every, .trace = a.trace}};
        try {
            simulation.run(a.steps < a.until ? a.steps : a.until);
            counts.actions += simulation.counts().actions;
            counts.programs += simulation.counts().programs;
            counts.steps += simulation.steps();
            if (a.until >= a.steps) simulation.finish();
            step = simulation.steps();
            return true;
        } catch (...) {
            step = simulation.steps();
            if (a.trace) std::fputs(simulation.objects().c_str(), stderr);
            throw;
        }
    } catch (const std::exception& problem) {
        std::printf("FAILED --seed %llu --steps %llu --cpus %u, step %llu: %s\n", static_cast<unsigned long long>(seed),
                    static_cast<unsigned long long>(a.steps), cpus, static_cast<unsigned long long>(step), problem.what());
    }
    return false;
}

}  // namespace

int main(int count, char** words) {
    Arguments arguments;
    if (!parse(count, words, arguments)) {
        std::fputs("usage: sim --seeds A..B | --seed S  --steps N [--cpus K] [--check-every N] [--until STEP] [--trace]\n",
                   stderr);
        return 2;
    }
    u64 failed = 0;
    Simulation::Counts counts;
    for (u64 seed = arguments.first; seed <= arguments.last; ++seed) failed += run(arguments, seed, counts) ? 0 : 1;
    std::printf("%llu seeds, %llu failed; %llu steps, %llu actions of %llu threads\n",
                static_cast<unsigned long long>(arguments.last - arguments.first + 1), static_cast<unsigned long long>(failed),
                static_cast<unsigned long long>(counts.steps), static_cast<unsigned long long>(counts.actions),
                static_cast<unsigned long long>(counts.programs));
    return failed == 0 ? 0 : 1;
}
