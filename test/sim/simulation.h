// simulation.h - many random programs on one simulated machine. A run is a seed and a number of steps, and nothing else: the
// same pair does the same again, to the last event.
//
// Processes live on two islands (accounts) that share nothing but the machine's own objects. What a process on one island
// reaches must never be of the other one: that is the reference model of authority.
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
    bool until_exhausted{};  // a run ends with the input that it is drawn from
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
    std::string objects() { return world_.inspect.objects(); }
    Machine& machine() { return world_.machine; }
    // Actions of threads' programs, and threads that there were: that a run did something.
    struct Counts {
        u64 steps{}, actions{}, programs{};
    };
    const Counts& counts() const { return counts_; }

private:
    // An island: what init holds of it. When nobody lives there any more it sinks, and another one rises.
    struct Island {
        std::vector<abi::CapId> held;
        abi::CapId account;
        const kernel::Object* object{};
        std::vector<kernel::Process*> processes;
    };
    void populate(Island& island);
    void supervise();
    bool inhabited(const Island& island);
    void event();
    Program& program_of(u32 cpu);
    void after_step(u32 cpu);
    const Island* island_of(const kernel::Object& object) const;
    void check_islands();
    void check_work();
    void trace(u32 cpu, const char* what);

    Settings settings_;
    Random random_;
    World world_;
    std::unordered_map<u64, std::unique_ptr<Program>> programs_;  // by the number in the thread's rbx
    Island islands_[2];
    u64 next_program_{1};
    u64 steps_{};
    Counts counts_;
    std::unordered_map<u64, u32> posted_;  // by physical address of a thread: completions so far
};

}  // namespace capos::sim
