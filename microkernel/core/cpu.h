// cpu.h - what the core knows of one CPU. Guarded by the kernel lock, except the atomics, which CPUs exchange without it
// (invalidation.h).
#pragma once

#include <atomic>

#include "core/interrupt.h"
#include "core/thread.h"

namespace capos::kernel {

constexpr u64 wakeup_key(const Thread& thread) { return thread.wake_at.ns; }
inline u64 timer_key(const Pending& pending) { return pending.deadline_ns; }

struct Cpu {
    CpuId id;
    bool online{};

    Thread* current{};        // null while idle
    Thread* next{};           // hand-off: goes on here if `current` waits now; state `ready`, in no queue
    Received* next_call{};    // the call that woke `next`, of this step
    PhysicalAddress root;     // page tables that it runs on, or is about to load
    Time run_since;           // when `current` was last charged
    Time slice_end{kNever};
    Time timer_at{kNever};    // what the machine's timer is set to
    bool timer_stale{true};   // a deadline or competition has come since it was looked at
    u32 steps_left{};         // work units until the lock is given up
    bool zeroing{};           // the last action was to zero the current thread's prepared block

    // Ready threads by priority; bit p of `ready` is set while queue p is not empty.
    List<Thread, &Thread::run_link> queues[kPriorities];
    u32 ready{};

    Tree<Thread, &Thread::timer_link, wakeup_key> wakeups;      // threads that wait in enter with a deadline, or for budget
    Tree<Pending, &Pending::timer_link, timer_key> timers;      // TIMER entries

    // Invalidation epochs: other CPUs ask for `flush_wanted`; this one answers when its translations are gone.
    std::atomic<u64> flush_wanted{};
    std::atomic<u64> flush_done{};
    std::atomic<u64> loaded_root{};  // what its CR3 really holds

    InterruptSet arrived;  // interrupts of devices that it has taken, without the lock, and the core not seen
};

}  // namespace capos::kernel
