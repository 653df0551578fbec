// simulation.h - many random programs on one simulated machine. A run is a seed and a number of steps, and nothing else: the same
// pair does the same again, to the last event.
//
// Processes live on two islands that share nothing but the machine's own objects. What a process on one island reaches must never
// be of the other one: that is the reference model of authority.
#pragma once

#include <memory>
#include <unordered_map>

#include "sim/program.h"
#include "sim/world.h"

namespace capos::sim {

struct Settings {
    u32 cpus{2};
    u64 frames{700};
    u64 check_every{1};    // steps of the core between two looks at all invariants
    bool adversary{true};  // memory changes while the kernel reads it
    bool trace{};
    Temper temper;
};

class Simulation {
public:
    Simulation(Random random, const Settings& settings);
    ~Simulation();

    // Events until `steps` steps of the core have been made. Throws Violation or AssertionFailed.
    void run(u64 steps);
    // Ends everything, and checks that all of it comes back.
    void finish();
    u64 steps() const { return steps_; }
    Machine& machine() { return world_.machine; }
    // Actions of threads' programs, and threads that there were: that a run did something.
    struct Counts {
        u64 steps{}, actions{}, programs{};
    };
    const Counts& counts() const { return counts_; }

private:
    void populate();
    void event();
    Program& program_of(u32 cpu);
    void after_step(u32 cpu);
    void check_islands();
    void trace(u32 cpu, const char* what);

    Settings settings_;
    Random random_;
    World world_;
    std::unordered_map<u64, std::unique_ptr<Program>> programs_;  // by the number in the thread's rbx
    std::unordered_map<const kernel::Object*, u8> islands_;       // of accounts
    u64 next_program_{1};
    u64 steps_{};
    Counts counts_;
};

}  // namespace capos::sim
