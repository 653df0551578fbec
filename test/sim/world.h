// world.h - a simulated machine with the first process on it, which makes the others through the kernel's own interfaces. Each
// thread that a test drives is pinned to a CPU of its own unless it says otherwise.
#pragma once

#include "sim/inspector.h"
#include "sim/machine.h"
#include "sim/user.h"

namespace capos::sim {

// A process that `init` has made, with its first thread.
struct Spawned {
    abi::CapId process, space, thread;  // in init's table
    kernel::Process* object{};
    User user;
};

class World {
public:
    struct Options {
        Machine::Configuration machine{.cpus = 4};
        u32 cpu_of_init{0};
    };
    World() : World(Options{}) {}
    explicit World(const Options& options);

    Machine machine;
    Inspector inspect;

    // --- the first process ---
    User init;
    kernel::Process* init_process{};
    abi::CapId account, clock, kernel_log, entropy, power, platform, profile, ports, interrupts;
    abi::CapId init_self, init_space, init_thread;

    struct SpawnOptions {
        std::optional<u32> cpu{};  // pinned there
        u8 priority{10};
        u32 region_bytes{0};
        u16 submissions{0}, completions{0};
        abi::CapId account{};      // that pays; the root account by default
        bool start{true};
    };
    Spawned spawn(std::string_view name, const SpawnOptions& options);
    Spawned spawn(std::string_view name) { return spawn(name, {.cpu = next_cpu_++}); }
    // Another thread of a process.
    User add_thread(Spawned& process, abi::CapId& id, const SpawnOptions& options);

    // Copies a capability of init's into the process's table.
    abi::CapId grant(const Spawned& to, abi::CapId id);
    // In init's table.
    abi::CapId make_endpoint();
    abi::CapId make_receiver(abi::CapId endpoint);
    abi::CapId make_facet(abi::CapId endpoint, u64 badge);
    abi::CapId make_memory(u64 pages);
    abi::CapId make_notification();
    abi::CapId make_account(u64 frames, u32 objects, u32 nodes);

    // Lets everything come to rest, timers aside, with all that was dropped taken down.
    void drain();
    // drain, then all invariants.
    void check();

    // The object that a capability of init's names; null when it is dead.
    kernel::Object* object(abi::CapId id) { return inspect.object(*init_process, id); }

private:
    u32 next_cpu_{1};
};

// A server as most tests need it: `receive` posted on a receiver, with `count` buffers of `bytes` each above User::kFree.
struct ReceiveSetup {
    u8 group{0};
    u8 count{4};
    u32 bytes{512};
    u8 slots_each{2};
    u32 first{User::kFree};
};
abi::Submission receive_entry(abi::CapId source, const ReceiveSetup& setup = {}, u64 user_data = 0x5e11);
// A call with a text, from the scratch space of the typed calls.
abi::Submission text_call(const User& user, abi::CapId facet, std::string_view text, u64 user_data, u8 result_slots = 0);

}  // namespace capos::sim
