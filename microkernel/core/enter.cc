// The enter system call: takes entries from the submission queue one after another, then waits for completions. It can stop
// between any two entries, and inside an operation that restarts; where it stands is in Thread::enter.

#include "core/kernel.h"

namespace capos::kernel {

Kernel::Progress Kernel::start_enter(Thread& thread) {
    const UserContext& context = thread.context;
    const RingGeometry& geometry = thread.ring.geometry();
    if (context.rdi >= abi::kEnterCall) return start_register_enter(thread);
    if (context.rdi > geometry.sq_entries || context.rsi > geometry.cq_entries) {
        crash(thread, abi::CrashCause::bad_enter, 0, 0);
        return Progress::switched;
    }
    Thread::Enter& enter = thread.enter;
    enter.to_submit = static_cast<u32>(context.rdi);
    enter.min_complete = static_cast<u32>(context.rsi);
    enter.deadline = Time{context.rdx};
    enter.in_registers = false;
    enter.consumed = 0;
    enter.woken = 0;
    enter.entry_valid = false;
    if (enter.to_submit == 1 && enter.chain == nullptr && thread.own_calls.empty()) return enter_single(thread);
    return continue_enter(thread);
}

// The most common enter, without the loop: one entry.
Kernel::Progress Kernel::enter_single(Thread& thread) {
    Thread::Enter& enter = thread.enter;
    const std::optional<u32> available = thread.ring.submissions();
    if (!available || *available == 0) return continue_enter(thread);
    const abi::Submission entry = thread.ring.next_submission();
    const Outcome outcome = submit(thread, entry);
    if (outcome == Outcome::taken) {
        thread.ring.consume_submission();
        enter.consumed = 1;
        return finish_enter(thread, true);
    }
    if (outcome == Outcome::ended) return Progress::switched;
    if (outcome == Outcome::blocked) return continue_enter(thread);  // once more, with what the user has read meanwhile
    thread.continuation = Continuation::enter;
    enter.entry = entry;
    enter.entry_valid = true;
    return outcome == Outcome::zero ? Progress::zero : Progress::again;
}

Kernel::Progress Kernel::continue_enter(Thread& thread) {
    Thread::Enter& enter = thread.enter;
    thread.continuation = Continuation::enter;
    if (!thread.own_calls.empty()) {
        if (const Progress progress = carry_out_own(thread); progress != Progress::run) return progress;
    }
    while (enter.consumed < enter.to_submit && enter.chain == nullptr) {
        if (here_->steps_left == 0) return Progress::again;
        --here_->steps_left;
        Outcome outcome;
        if (enter.entry_valid) {
            outcome = submit(thread, enter.entry);
            if (outcome == Outcome::taken) hand_over_unfinished(thread);
        } else {
            const std::optional<u32> available = thread.ring.submissions();
            if (!available) {
                crash(thread, abi::CrashCause::bad_ring, 0, 0);
                return Progress::switched;
            }
            if (*available == 0) break;
            const abi::Submission entry = thread.ring.next_submission();
            outcome = submit(thread, entry);
            if (outcome == Outcome::zero || outcome == Outcome::again) {
                enter.entry = entry;
                enter.entry_valid = true;
            }
        }
        switch (outcome) {
            case Outcome::taken: break;
            case Outcome::blocked:
                enter.entry_valid = enter.in_registers;
                // The user may have read completions since the kernel last looked.
                if (thread.ring.unread() && thread.ring.free_slots() != 0) continue;
                return finish_enter(thread, false);
            case Outcome::zero: return Progress::zero;
            case Outcome::again: return Progress::again;
            case Outcome::ended: return Progress::switched;
        }
        enter.entry_valid = false;
        if (!enter.in_registers) thread.ring.consume_submission();
        ++enter.consumed;
    }
    return finish_enter(thread, true);
}

Kernel::Progress Kernel::finish_enter(Thread& thread, bool may_wait) {
    Thread::Enter& enter = thread.enter;
    std::optional<u32> unread = thread.ring.unread();
    if (!unread) {
        crash(thread, abi::CrashCause::bad_ring, 0, 0);
        return Progress::switched;
    }
    if (thread.starved != 0) {
        if (!serve_starved(thread)) return more_to_do(thread);
        unread = thread.ring.unread_known();
    }
    if (!thread.process().space->lost.empty()) {
        if (!report_lost(thread.process())) return more_to_do(thread);
        unread = thread.ring.unread_known();
    }
    if (*unread >= enter.min_complete || !may_wait) return return_from_enter(thread, Status::ok);
    if (enter.deadline <= now_) return return_from_enter(thread, Status::timed_out);
    // A thread that waits for something to be taken down does the work itself, in its own time.
    // When all that is left is up to other CPUs, it waits like others.
    if (thread.deferred != 0 && work_at_hand()) {
        const u32 before = here_->steps_left;
        if (before == 0 || do_work(before) != before) return more_to_do(thread);
    }
    thread.state = ThreadState::waiting;
    thread.continuation = Continuation::none;
    thread.wake_at = enter.deadline;
    if (enter.deadline != kNever) scheduler_.sleep(thread, *here_);
    return Progress::switched;
}

// The rest in another step.
Kernel::Progress Kernel::more_to_do(Thread& thread) {
    here_->steps_left = 0;
    thread.continuation = Continuation::enter;
    return Progress::again;
}

Kernel::Progress Kernel::return_from_enter(Thread& thread, Status status) {
    thread.continuation = Continuation::none;
    thread.context.rax = abi::EnterResult::make(thread.enter.consumed, status).value;
    return Progress::run;
}

// A completion was posted to the thread's ring.
void Kernel::posted(Thread& thread) {
    if (thread.state != ThreadState::waiting) return;
    const Thread::Enter& enter = thread.enter;
    if (thread.ring.unread_known() >= enter.min_complete) {
        return_from_enter(thread, Status::ok);
    } else if ((enter.chain == nullptr && enter.consumed < enter.to_submit) || !thread.own_calls.empty()) {
        thread.continuation = Continuation::enter;  // there is something that it has to do itself
    } else {
        return;
    }
    wake(thread);
}

// The terminal completion of an entry that had to wait. The caller has taken it out of every queue.
void Kernel::complete(Pending& pending, Status status, abi::Completion completion) {
    Thread& thread = *pending.owner;
    completion.status = static_cast<u16>(status);
    if (thread.enter.chain == &pending) {
        thread.enter.chain = nullptr;
        thread.enter.chain_failed = status != Status::ok;
    }
    if (entry_pending_ == &pending) {  // at once, in the step that took the entry
        entry_pending_ = nullptr;
        entry_status_ = status;
    }
    thread.ring.complete(pending, completion);
    posted(thread);
}

// Completes an entry at once. Not consumed while the queue has no free slot.
Kernel::Outcome Kernel::end_entry(Thread& thread, const abi::Submission& entry, Status status) {
    if (thread.ring.free_slots() == 0) return Outcome::blocked;
    entry_status_ = status;
    thread.ring.post({.user_data = entry.user_data, .status = static_cast<u16>(status)});
    return Outcome::taken;
}

// The same for opcodes that are silent on success.
Kernel::Outcome Kernel::end_silent(Thread& thread, const abi::Submission& entry, Status status) {
    return status == Status::ok ? Outcome::taken : end_entry(thread, entry, status);
}

Kernel::Outcome Kernel::submit(Thread& thread, const abi::Submission& entry) {
    entry_status_ = Status::ok;
    entry_pending_ = nullptr;
    Outcome outcome;
    if (thread.enter.chained && thread.enter.chain_failed) {
        outcome = end_entry(thread, entry, Status::cancelled);
    } else if ((entry.flags & ~abi::kSubmissionFlagsAll) != 0 || entry.reserved != 0) {
        outcome = end_entry(thread, entry, Status::bad_entry);
    } else {
        switch (static_cast<abi::Opcode>(entry.opcode)) {
            case abi::Opcode::nop: outcome = end_entry(thread, entry, Status::ok); break;
            case abi::Opcode::call: outcome = submit_call(thread, entry); break;
            case abi::Opcode::receive: outcome = submit_receive(thread, entry); break;
            case abi::Opcode::return_: outcome = submit_return(thread, entry); break;
            case abi::Opcode::cancel: outcome = submit_cancel(thread, entry); break;
            case abi::Opcode::finish: outcome = submit_finish(thread, entry); break;
            case abi::Opcode::release: outcome = submit_release(thread, entry); break;
            case abi::Opcode::wait: outcome = submit_wait(thread, entry); break;
            case abi::Opcode::wake: outcome = submit_wake(thread, entry); break;
            case abi::Opcode::timer: outcome = submit_timer(thread, entry); break;
            case abi::Opcode::signal: outcome = submit_signal(thread, entry); break;
            default: outcome = end_entry(thread, entry, Status::bad_entry); break;
        }
    }
    if (outcome == Outcome::taken && (thread.enter.chained || (entry.flags & abi::kLink) != 0)) {
        const bool linked = (entry.flags & abi::kLink) != 0;
        thread.enter.chained = linked;
        thread.enter.chain = linked ? entry_pending_ : nullptr;
        thread.enter.chain_failed = entry_status_ != Status::ok;
    }
    return outcome;
}

Kernel::Outcome Kernel::submit_release(Thread& thread, const abi::Submission& entry) {
    const auto released = thread.process().table.release(abi::CapId{entry.capability}, nodes_);
    return end_silent(thread, entry, released ? Status::ok : released.error());
}

Kernel::Outcome Kernel::submit_cancel(Thread& thread, const abi::Submission& entry) {
    // Holds a completion slot, whatever the cancelled entry causes in this very queue.
    Pending* own = thread.ring.take_pending();
    if (own == nullptr) return Outcome::blocked;
    bool ended = false;
    spend(thread.ring.pending().size() / kRecordsPerUnit);
    for (Pending& pending : thread.ring.pending()) {
        if (pending.what == PendingKind::unused || pending.user_data != entry.argument) continue;
        ended = cancel(pending, Status::cancelled);
        break;
    }
    thread.ring.drop_pending(*own);
    return end_entry(thread, entry, ended ? Status::ok : Status::too_late);
}

// Ends an entry that waits; exactly one completion comes of it. False when it cannot be ended any more.
bool Kernel::cancel(Pending& pending, Status status) {
    switch (pending.what) {
        case PendingKind::call:
            if (pending.call_state == CallState::own && pending.owner->own_calls.front() == &pending)
                return false;  // has begun
            end_call(pending, status);
            return true;
        case PendingKind::receive: end_receive(pending, status); return true;
        case PendingKind::timer:
            pending.timer_cpu->timers.erase(pending);
            complete(pending, status);
            return true;
        case PendingKind::wait:
            pending.memory->waiters.erase(pending);
            complete(pending, status);
            return true;
        case PendingKind::work:
        case PendingKind::stall:
        case PendingKind::fault:
        case PendingKind::unused: return false;
    }
    return false;
}

void Kernel::exit_thread(Thread& thread, u64 code) {
    Process& process = thread.process();
    if (process.thread_count == 1) process.exit_code = code;
    end_thread(thread);
}

}  // namespace capos::kernel
