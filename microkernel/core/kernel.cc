#include "core/kernel.h"

#include <algorithm>

namespace capos::kernel {

namespace {
// Every so many steps, one does a unit of the reaper's work although its own thread wants none: about 5 % of the time, so that
// memory always comes back.
constexpr u32 kReaperShare = 16;
// And a CPU whose thread never enters the kernel is interrupted for a step of that work this often: again 5 %.
constexpr Duration kReaperPause{100'000};
}  // namespace

Kernel::Kernel(const Configuration& c)
    : cpus_{c.cpus},
      frames_{c.frames},
      kernel_table_{c.kernel_table},
      command_line_{c.command_line},
      kernel_bytes_{c.kernel_bytes},
      kept_ports_{c.kept_ports},
      console_ports_{c.console_ports},
      interrupt_overrides_{c.interrupt_overrides},
      nodes_{consequences_},
      scheduler_{c.cpus},
      invalidation_{c.cpus},
      root_account_{Resources{.frames = c.frames.free_frames(),
                              .objects = static_cast<u32>(c.object_memory.size() / sizeof(CellPool<kObjectCellBytes>::Cell)),
                              .nodes = static_cast<u32>(c.node_memory.size() / sizeof(Node))}} {
    nodes_.initialise(c.node_memory);
    cells_.initialise(c.object_memory);
    for (Cpu& cpu : cpus_) {
        cpu.root = kernel_table_.root();
        cpu.loaded_root.store(kernel_table_.root().value, std::memory_order_relaxed);
    }
    struct {
        Object& object;
        Interface interface;
    } const roots[] = {{root_account_, Interface::account},     {clock_, Interface::clock},
                       {kernel_log_, Interface::kernel_log},    {entropy_, Interface::entropy},
                       {power_, Interface::power},              {platform_info_, Interface::platform_info},
                       {profile_, Interface::profile},          {port_space_, Interface::io_port_space},
                       {interrupt_space_, Interface::interrupt_space}};
    for (const auto& root : roots) {
        const bool paid = root_account_.charge({.nodes = 1}).has_value();
        KERNEL_ASSERT(paid);
        // The kernel's own reference: these objects never end.
        nodes_.add_reference(nodes_.make_root(root.object, root.interface, &root_account_));
    }
}

bool Kernel::has_work() const {
    return !consequences_.empty() || !losing_.empty() || !retiring_.empty();
}

// Some of it does not wait for other CPUs, as far as can be seen from here.
bool Kernel::work_at_hand() const { return !consequences_.empty() || !losing_.empty() || may_retire(); }

void Kernel::begin(Cpu& cpu, Time now) {
    here_ = &cpu;
    now_ = now;
    cpu.steps_left = kStepUnits;
    cpu.next_call = nullptr;
    // Time is charged before anything happens: by the end of the step a lent context may have gone back, or the thread waits.
    if (cpu.current != nullptr && cpu.current->active->limited()) scheduler_.charge(cpu, now);
}

Action Kernel::system_call(Cpu& cpu, Time now) {
    begin(cpu, now);
    Thread& thread = *cpu.current;
    if (thread.state == ThreadState::running) {
        switch (static_cast<abi::SystemCall>(thread.context.rax)) {
            case abi::SystemCall::enter:
                if (start_enter(thread) == Progress::run && cpu.next == nullptr && consequences_.empty()) {
                    return run(*cpu.current);  // another thread, after a call in registers
                }
                break;
            case abi::SystemCall::exit: exit_thread(thread, thread.context.rdi); break;
            default: crash(thread, abi::CrashCause::bad_system_call, 0, 0); break;
        }
    }
    return resume();
}

Action Kernel::fault(Cpu& cpu, const Fault& fault, Time now) {
    begin(cpu, now);
    Thread& thread = *cpu.current;
    if (thread.state == ThreadState::running) {
        thread.fault = fault;
        thread.continuation = Continuation::fault;
    }
    return resume();
}

Action Kernel::interrupt(Cpu& cpu, Time now) {
    begin(cpu, now);
    cpu.timer_at = kNever;
    cpu.timer_stale = true;
    take_interrupts();
    expire();
    if (has_work()) do_work(cpu.steps_left);
    return resume();
}

Action Kernel::proceed(Cpu& cpu, Time now) {
    begin(cpu, now);
    if (cpu.zeroing) cpu.current->prepared.zeroed = true;
    cpu.zeroing = false;
    take_interrupts();
    return resume();
}

// Chooses what the CPU does next. Every way out of the core but the shortest ends here.
Action Kernel::resume() {
    Cpu& cpu = *here_;
    while (true) {
        if (machine_action_ != Action::Kind::run) return Action{.kind = machine_action_};
        for (; cpu.steps_left != 0 && may_retire(); spend(1)) retire_step();
        if (has_work() && ++share_ % kReaperShare == 0) do_work(1);
        if (cpu.current != nullptr && cpu.current->state != ThreadState::running) leave_current();
        if (cpu.current != nullptr && !scheduler_.charge(cpu, now_)) {
            port::save_extended(cpu.current->context);
            scheduler_.throttle(cpu);
        }
        if (cpu.next != nullptr) settle_next();
        if (cpu.current != nullptr && scheduler_.should_preempt(cpu, now_)) {
            port::save_extended(cpu.current->context);
            scheduler_.yield(cpu, now_);
        }
        if (cpu.current == nullptr && scheduler_.pick(cpu, now_) == nullptr) {
            if (work_at_hand()) {
                if (cpu.loaded_root.load(std::memory_order_relaxed) != kernel_table_.root().value) port::use_kernel_tables(cpu);
                cpu.root = kernel_table_.root();
                do_work(cpu.steps_left);
                cpu.steps_left = 0;
                if (cpu.ready == 0 && cpu.next == nullptr) return Action{.kind = Action::Kind::again};
                continue;
            }
            cpu.root = kernel_table_.root();
            scheduler_.program_timer(cpu, now_);
            return Action{.kind = Action::Kind::idle};
        }
        Thread& thread = *cpu.current;
        switch (go_on(thread)) {
            case Progress::run:
                // Only what this thread has caused itself may delay it; the rest is the reaper's.
                if (consequences_.urgent()) {
                    if (cpu.steps_left == 0) return Action{.kind = Action::Kind::again};
                    do_work(1);
                    continue;
                }
                if (cpu.next != nullptr) continue;
                if (has_work()) scheduler_.program_timer(cpu, now_, now_ + kReaperPause);
                return run(thread);
            case Progress::switched: continue;
            case Progress::zero:
                cpu.zeroing = true;
                return Action{.kind = Action::Kind::zero, .block = thread.prepared.address, .order = thread.prepared.order};
            case Progress::again: return Action{.kind = Action::Kind::again};
        }
    }
}

Kernel::Progress Kernel::go_on(Thread& thread) {
    switch (thread.continuation) {
        case Continuation::none: return Progress::run;
        case Continuation::enter: return continue_enter(thread);
        case Continuation::fault: return start_fault(thread);
    }
    return Progress::run;
}

Action Kernel::run(Thread& thread) {
    Cpu& cpu = *here_;
    cpu.root = PhysicalAddress{thread.context.cr3};
    if (cpu.timer_stale || thread.active->limited()) scheduler_.program_timer(cpu, now_);
    return Action{.kind = Action::Kind::run, .context = &thread.context};
}

// The current thread waits or has ended. A thread that is about to run again by itself keeps its registers in its context.
void Kernel::leave_current() {
    Cpu& cpu = *here_;
    Thread& thread = *cpu.current;
    port::save_extended(thread.context);
    cpu.current = nullptr;
    // Direct hand-off: who waits for an answer lends its time and priority to whoever works on it.
    if (cpu.next_call == nullptr || cpu.next == nullptr || thread.state != ThreadState::waiting) return;
    const Pending* call = cpu.next_call->call;
    if (call == nullptr || call->owner != &thread) return;
    if (thread.active->limited() || thread.priority() > cpu.next->priority())
        Scheduler::lend(thread, *cpu.next, *cpu.next_call);
}

// Work that was not foreseen in what the step had to do. A step that has none left ends as soon as it can.
void Kernel::spend(u64 units) { here_->steps_left -= static_cast<u32>(std::min<u64>(here_->steps_left, units)); }

// Times that have come: threads that slept, and TIMER entries. What is left when the step is spent is due at once again.
void Kernel::expire() {
    Cpu& cpu = *here_;
    while (Thread* thread = cpu.wakeups.first()) {
        if (thread->wake_at > now_ || cpu.steps_left == 0) break;
        spend(1);
        scheduler_.stop_sleeping(*thread);
        if (thread->state == ThreadState::throttled) {
            scheduler_.make_ready(*thread, cpu, now_);
        } else if (thread->state == ThreadState::faulted) {
            end_call(thread->fault_call, Status::timed_out);
        } else {
            return_from_enter(*thread, Status::timed_out);
            wake(*thread);
        }
    }
    while (Pending* timer = cpu.timers.first()) {
        if (timer->deadline_ns > now_.ns || cpu.steps_left == 0) break;
        spend(1);
        cpu.timers.erase(*timer);
        complete(*timer, Status::ok);
    }
}

// A thread that waited has what it waited for. The last one woken by the current thread may go on here, without a queue.
void Kernel::wake(Thread& thread) {
    Cpu& cpu = *here_;
    scheduler_.stop_sleeping(thread);
    Scheduler::reclaim(thread);
    if (cpu.current != nullptr && cpu.next == nullptr && !thread.own.limited() &&
        (!thread.pinned || thread.pinned_cpu == &cpu)) {
        thread.state = ThreadState::ready;
        thread.cpu = &cpu;
        cpu.next = &thread;
        cpu.next_call = nullptr;
    } else {
        scheduler_.make_ready(thread, cpu, now_);
    }
}

// A woken thread was waiting for the current one to wait, which it does not do: both are ready.
void Kernel::settle_next() {
    Cpu& cpu = *here_;
    if (take_next()) return;
    Thread& thread = *cpu.next;
    cpu.next = nullptr;
    scheduler_.make_ready(thread, cpu, now_);
}

// With nobody current, the woken thread goes on here unless the queue has a better one.
bool Kernel::take_next() {
    Cpu& cpu = *here_;
    if (cpu.current != nullptr || !Scheduler::beats_queue(cpu, *cpu.next)) return false;
    Thread& thread = *cpu.next;
    cpu.next = nullptr;
    thread.state = ThreadState::running;
    thread.cpu = &cpu;
    cpu.current = &thread;
    cpu.run_since = now_;
    if (cpu.ready != 0) cpu.timer_stale = true;
    return true;
}

// At most `units` pieces of what operations left to be carried out; what is left of them. When that is all of them, nothing
// can be done before another CPU has done something.
u32 Kernel::do_work(u32 units) {
    while (units > 0) {
        const u32 before = units;
        if (Object* source = consequences_.attention.pop_front()) {
            --units;
            look_at(*source);
        } else if (NodeUse* use = consequences_.ended.pop_front()) {
            --units;
            end_use(*use);
        } else if (Pending* pending = consequences_.finished.pop_front()) {
            --units;
            complete_deferred(*pending, Status::ok);
        } else if (may_retire()) {
            --units;
            retire_step();
        } else if (!reap_step(units)) {
            break;
        }
        spend(before - units);
        units = std::min(units, here_->steps_left);
    }
    return units;
}

}  // namespace capos::kernel
