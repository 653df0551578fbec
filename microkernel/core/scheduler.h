// scheduler.h - which thread runs where, and whose time it uses: fixed priorities, round robin inside one, per-CPU queues,
// stealing by idle CPUs, scheduling contexts with budgets that are lent along direct hand-offs.
//
// Guarded by the kernel lock. A CPU always runs the highest-priority thread of its own queue; a thread that becomes ready
// goes to the CPU it ran on last, unless that one is busy with at least its priority and another CPU is idle. An idle CPU
// takes the best thread that any queue has. The timer of a CPU is set only while it has a deadline or competition: idle and
// single threads run without ticks.
#pragma once

#include <span>

#include "core/cpu.h"

namespace capos::kernel {

inline constexpr Duration kSlice{10'000'000};  // 10 ms

class Scheduler {
public:
    explicit Scheduler(std::span<Cpu> cpus) : cpus_{cpus} {}

    // Makes a thread ready and sees to it that a CPU will pick it. `here` is the CPU that executes this.
    void make_ready(Thread& thread, Cpu& here, Time now);
    // Takes a ready thread out of its queue.
    void remove(Thread& thread);
    // Picks the CPU's next thread and makes it the current one; null = idle.
    Thread* pick(Cpu& cpu, Time now);
    // The current thread goes behind the others of its priority. The caller has saved its state.
    void yield(Cpu& cpu, Time now);
    // True if a better thread than the current one is ready on this CPU, or its time is up.
    bool should_preempt(const Cpu& cpu, Time now) const;
    // True if `thread` would be picked before every thread in the CPU's queue.
    static bool beats_queue(const Cpu& cpu, const Thread& thread) { return cpu.ready >> thread.priority() <= 1; }

    // Charges the current thread's context for the time since the last charge. False when its budget is used up: the
    // thread has then given back what it had borrowed, or must be throttled.
    bool charge(Cpu& cpu, Time now);
    // The current thread waits until its own context has budget again.
    void throttle(Cpu& cpu);

    // Direct hand-off: `from` waits for the call that `received` is, and `to` works for it.
    static void lend(Thread& from, Thread& to, Received& received);
    // The answer to `received` goes to `caller`: what came with it goes back, if `worker` still has it.
    static void give_back(Thread& worker, Received& received, Thread& caller);
    // The owner runs again, or ends: its context comes back from wherever it is.
    static void reclaim(Thread& owner);

    // Threads that wait until thread.wake_at.
    void sleep(Thread& thread, Cpu& cpu);
    static void stop_sleeping(Thread& thread);

    // Sets the machine's timer for the earliest deadline of this CPU, when that is before what it is set to.
    void program_timer(Cpu& cpu, Time now, Time latest = kNever);

    std::span<Cpu> cpus() const { return cpus_; }

private:
    void enqueue(Thread& thread, Cpu& cpu);
    Thread* steal(Cpu& thief) const;
    Cpu& place(Thread& thread, Cpu& here) const;

    std::span<Cpu> cpus_;
};

}  // namespace capos::kernel
