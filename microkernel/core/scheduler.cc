#include "core/scheduler.h"

#include <algorithm>
#include <bit>

#include "core/ports.h"

namespace capos::kernel {

namespace {

constexpr int kStealDepth = 8;  // threads looked at in a queue for one that is not pinned

u8 highest(u32 ready) { return static_cast<u8>(31 - std::countl_zero(ready)); }

// Starts a new period when the old one is over.
void refill(SchedulingContext& context, Time now) {
    if (now < context.refill_at) return;
    context.left = context.budget;
    context.refill_at = now + context.period;
}

}  // namespace

void Scheduler::enqueue(Thread& thread, Cpu& cpu) {
    thread.state = ThreadState::ready;
    thread.cpu = &cpu;
    thread.queued_priority = thread.priority();
    cpu.queues[thread.queued_priority].push_back(thread);
    cpu.timer_stale = true;
    cpu.ready |= u32{1} << thread.queued_priority;
}

void Scheduler::remove(Thread& thread) {
    KERNEL_ASSERT(thread.state == ThreadState::ready && thread.run_link.linked());
    Cpu& cpu = *thread.cpu;
    cpu.queues[thread.queued_priority].remove(thread);
    if (cpu.queues[thread.queued_priority].empty()) cpu.ready &= ~(u32{1} << thread.queued_priority);
}

Cpu& Scheduler::place(Thread& thread, Cpu& here) const {
    if (thread.pinned) return *thread.pinned_cpu;
    Cpu& last = thread.cpu != nullptr && thread.cpu->online ? *thread.cpu : here;
    if (last.current == nullptr || last.current->priority() < thread.priority()) return last;
    for (Cpu& cpu : cpus_) {
        if (cpu.online && cpu.current == nullptr && cpu.next == nullptr && cpu.ready == 0) return cpu;
    }
    return last;
}

void Scheduler::make_ready(Thread& thread, Cpu& here, Time now) {
    if (thread.active == &thread.own && thread.own.limited()) {
        refill(thread.own, now);
        if (thread.own.left.value == 0) {
            thread.state = ThreadState::throttled;
            thread.wake_at = thread.own.refill_at;
            sleep(thread, here);
            return;
        }
    }
    Cpu& cpu = place(thread, here);
    enqueue(thread, cpu);
    if (&cpu != &here && (cpu.current == nullptr || cpu.current->priority() < thread.priority())) port::send_ipi(cpu.id);
}

Thread* Scheduler::steal(Cpu& thief) const {
    Thread* best = nullptr;
    for (Cpu& cpu : cpus_) {
        if (&cpu == &thief || !cpu.online || cpu.ready == 0) continue;
        auto& queue = cpu.queues[highest(cpu.ready)];
        Thread* candidate = queue.front();
        for (int i = 0; candidate != nullptr && candidate->pinned && i < kStealDepth; ++i) candidate = queue.next(*candidate);
        if (candidate == nullptr || candidate->pinned) continue;
        if (best == nullptr || candidate->queued_priority > best->queued_priority) best = candidate;
    }
    return best;
}

Thread* Scheduler::pick(Cpu& cpu, Time now) {
    Thread* next = cpu.ready != 0 ? cpu.queues[highest(cpu.ready)].front() : nullptr;
    if (next == nullptr && cpus_.size() > 1) next = steal(cpu);
    if (next != nullptr) {
        remove(*next);
        next->state = ThreadState::running;
        next->cpu = &cpu;
        cpu.slice_end = now + kSlice;
        cpu.run_since = now;
    } else {
        cpu.slice_end = kNever;
    }
    cpu.current = next;
    cpu.timer_stale = true;
    return next;
}

void Scheduler::yield(Cpu& cpu, Time now) {
    KERNEL_ASSERT(cpu.current != nullptr);
    Thread& thread = *cpu.current;
    cpu.current = nullptr;
    make_ready(thread, cpu, now);
}

bool Scheduler::should_preempt(const Cpu& cpu, Time now) const {
    if (cpu.ready == 0) return false;
    const u8 best = highest(cpu.ready), own = cpu.current->priority();
    return best > own || (best == own && now >= cpu.slice_end);
}

bool Scheduler::charge(Cpu& cpu, Time now) {
    Thread& thread = *cpu.current;
    SchedulingContext& context = *thread.active;
    if (!context.limited()) return true;
    const Duration used = now - cpu.run_since;
    cpu.run_since = now;
    refill(context, now);
    context.left = used < context.left ? context.left - used : Duration{};
    if (context.left.value != 0) return true;
    if (&context == &thread.own) return false;
    reclaim(*context.owner);
    return charge(cpu, now);
}

void Scheduler::throttle(Cpu& cpu) {
    Thread& thread = *cpu.current;
    cpu.current = nullptr;
    thread.state = ThreadState::throttled;
    thread.wake_at = thread.own.refill_at;
    sleep(thread, cpu);
}

void Scheduler::lend(Thread& from, Thread& to, Received& received) {
    SchedulingContext& context = *from.active;
    if (to.active != &to.own) return;  // it works for somebody already
    from.active = &from.own;
    to.active = &context;
    context.user = &to;
    context.through = &received;
    received.lent = &context;
}

void Scheduler::give_back(Thread& worker, Received& received, Thread& caller) {
    SchedulingContext* context = received.lent;
    received.lent = nullptr;
    // Where the worker has it, it is alive: its owner's end would have taken it back.
    if (context == nullptr || worker.active != context || context->through != &received) return;
    worker.active = &worker.own;
    context->through = nullptr;
    context->user = context->owner;
    if (context->owner == &caller) return;
    // The caller had borrowed it too. Its own record of that is no longer known here: it keeps the context until its owner
    // runs again, which is when the owner's call ends.
    if (caller.active == &caller.own) {
        caller.active = context;
        context->user = &caller;
    }
}

void Scheduler::reclaim(Thread& owner) {
    SchedulingContext& context = owner.own;
    if (context.user != &owner) {
        context.user->active = &context.user->own;
        context.user = &owner;
        context.through = nullptr;
    }
}

void Scheduler::sleep(Thread& thread, Cpu& cpu) {
    thread.timer_cpu = &cpu;
    cpu.wakeups.insert(thread);
    cpu.timer_stale = true;
}

void Scheduler::stop_sleeping(Thread& thread) {
    if (thread.timer_link.linked) thread.timer_cpu->wakeups.erase(thread);
}

void Scheduler::program_timer(Cpu& cpu, Time now, Time latest) {
    Time at = latest;
    if (const Thread* sleeper = cpu.wakeups.first()) at = std::min(at, sleeper->wake_at);
    if (const Pending* timer = cpu.timers.first()) at = std::min(at, Time{timer->deadline_ns});
    if (Thread* current = cpu.current) {
        // Competition of equals needs a tick; a better thread preempts at once and needs none.
        if ((cpu.ready & u32{1} << current->priority()) != 0) at = std::min(at, cpu.slice_end);
        if (current->active->limited()) at = std::min(at, now + current->active->left);
    }
    cpu.timer_stale = false;
    if (at >= cpu.timer_at) return;  // fires early or in time, and is then looked at again
    cpu.timer_at = at;
    port::set_timer(at);
}

}  // namespace capos::kernel
