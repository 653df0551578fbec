// live.h - programs of the runtime on the simulated machine: each is a host thread that runs real runtime code over the ring of
// a simulated thread, whose system calls go to the real kernel core. One of them runs at a time, so that everything is
// deterministic; when all wait, time passes to the next timer.
//
//      Live live;
//      Spawned server = live.world.spawn("server"), client = live.world.spawn("client")
//      live.start(server, [&](runtime::Loop& loop) { ... });
//      live.start(client, [&](runtime::Loop& loop) { ... });
//      live.finish();             // until all have ended; throws when they wait for ever
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/loop/loop.h"
#include "sim/world.h"

namespace capos::sim {

class Live {
public:
    Live();
    ~Live();

    // One CPU for each program that may run.
    World world{{.machine = {.cpus = 6}}};

    using Program = std::function<void(runtime::Loop&)>;
    void start(Spawned& process, Program program);
    void finish();
    // Ends a process as a fault would, from inside a program; its own program sees nothing more.
    void kill(Spawned& process);
    u64 system_calls{};

    // For the ports of runtime/ring/system_call.h.
    runtime::RegisterResult system_call(u64 rdi, u64 rsi, u64 rdx, const abi::Submission* entry);
    u64 now() const { return world.machine.time.ns; }

private:
    struct Running {
        User user;
        std::thread thread;
        bool ended{}, killed{};
    };
    struct Killed {};  // unwinds the host thread of a killed process

    void run(Running& self, const Program& program);
    void pass_baton();
    void wait_for_turn(Running& self);
    bool can_run(const Running& one) const { return !one.ended && (one.killed || one.user.running()); }

    std::mutex mutex_;
    std::condition_variable turn_;
    std::vector<std::unique_ptr<Running>> programs_;
    Running* current_{};
    bool stuck_{};
};

}  // namespace capos::sim
