// Methods of Process and Thread.

#include <algorithm>

#include "core/kernel.h"

namespace capos::kernel {

namespace {

constexpr u64 kPeriodMin = 100'000, kPeriodMax = 10'000'000'000;
constexpr u64 kFaultTimeoutMax = 60'000'000'000;
constexpr u32 kAnyCpu = ~u32{0};
constexpr u8 kOwnPriority = 0xff;  // createThread: the maker's own

bool in_user_half(u64 address) { return AddressSpace::in_user_half(VirtualAddress{address & ~(kPageBytes - 1)}, PageCount{1}); }

}  // namespace

KernelResult<Kernel::Restart> Kernel::call_process(ObjectCall& call) {
    auto& process = static_cast<Process&>(*call.node.object);
    switch (call.method()) {
        case idl::Process::Grant::kOrdinal: {
            const auto params = TRY(call.decode<idl::Process::Grant>());
            Node* node = TRY(call.argument(params.capability));
            if (process.state != Process::State::alive) return fail(Status::disconnected);
            const abi::CapId id = TRY(process.table.install(*node, nodes_));
            return call.reply(idl::Process::Grant::Results{.id = id.value});
        }
        case idl::Process::CreateThread::kOrdinal: return create_thread(call, process);
        case idl::Process::Kill::kOrdinal: {
            TRY(call.decode<idl::Process::Kill>());
            if (&process == &call.caller.process()) {
                end_process(process);
                return Restart::ended;
            }
            if (process.state == Process::State::ended) return call.reply(idl::Process::Kill::Results{});
            const Restart restart = defer(call, process.end_waiters);
            end_process(process);
            return restart;
        }
        case idl::Process::Supervise::kOrdinal: {
            const auto params = TRY(call.decode<idl::Process::Supervise>());
            Node* node = TRY(call.argument(params.notification));
            if (node->interface != Interface::notification) return fail(Status::wrong_interface);
            if (params.bit >= Notification::kBits) return fail(Status::bad_argument);
            if (process.state == Process::State::ended) {
                // Not here and now: it may be this very caller who receives it.
                static_cast<Notification&>(*node->object).bits |= u64{1} << params.bit;
                consequences_.look_at(*node->object);
            } else {
                nodes_.drop_reference(process.supervisor);
                process.supervisor = node->ref();
                process.supervisor_bit = params.bit;
                nodes_.add_reference(*node);
            }
            return call.reply(idl::Process::Supervise::Results{});
        }
        case idl::Process::State::kOrdinal: {
            TRY(call.decode<idl::Process::State>());
            return call.reply(idl::Process::State::Results{.ended = process.state == Process::State::ended,
                                                           .crashed = process.crashed,
                                                           .exit_code = process.exit_code,
                                                           .threads = process.thread_count,
                                                           .number = process.pid,
                                                           .name = process.name.view()});
        }
        case idl::Process::Crash::kOrdinal: {
            TRY(call.decode<idl::Process::Crash>());
            const auto record = std::as_bytes(std::span{&process.crash, process.crashed ? 1u : 0u});
            if (call.out.size() < idl::Process::Crash::Results::kBytesMin + record.size()) return fail(Status::no_buffer);
            return call.reply(idl::Process::Crash::Results{.record = record});
        }
        default: return fail(Status::unimplemented);
    }
}

KernelResult<Kernel::Restart> Kernel::create_thread(ObjectCall& call, Process& process) {
    const auto params = TRY(call.decode<idl::Process::CreateThread>());
    RingGeometry geometry;
    if (params.region_bytes != 0) geometry.region_bytes = params.region_bytes;
    if (params.submission_entries != 0) geometry.sq_entries = params.submission_entries;
    if (params.completion_entries != 0) geometry.cq_entries = params.completion_entries;
    const u8 priority = params.priority == kOwnPriority ? call.caller.own.priority : params.priority;
    if (!geometry.valid() || priority > kPriorityMax) return fail(Status::bad_argument);
    if (priority > call.caller.own.priority) return fail(Status::not_permitted);
    if (process.state != Process::State::alive) return fail(Status::disconnected);
    TRY(call.reserve(1));

    const auto order = static_cast<u8>(std::countr_zero(geometry.region_bytes) - static_cast<int>(kPageShift));
    if (const Restart restart = TRY(prepare(call.caller, order)); restart != Restart::none) {
        // Reserved again when the entry restarts.
        if (call.record == nullptr) call.caller.process().table.unreserve(call.reserved);
        return restart;
    }
    const PhysicalAddress block = call.caller.prepared.address;
    const u64 frames = call.caller.prepared.charged;
    call.payer().refund({.frames = frames});
    auto made = make_thread(process, geometry, priority, params.name, block);
    if (!made) {
        const bool charged = call.payer().charge({.frames = frames}).has_value();
        KERNEL_ASSERT(charged);  // it was refunded in this very step
        drop_prepared(call.caller);
        return fail(made.error());
    }
    call.caller.prepared = {};
    Thread& thread = **made;
    call.give(*thread.root);
    return call.reply(idl::Process::CreateThread::Results{.thread = {0}, .region = thread.region->start.value});
}

KernelResult<Kernel::Restart> Kernel::call_thread(ObjectCall& call) {
    auto& thread = static_cast<Thread&>(*call.node.object);
    switch (call.method()) {
        case idl::Thread::WriteArena::kOrdinal: {
            const auto params = TRY(call.decode<idl::Thread::WriteArena>());
            if (thread.state != ThreadState::created) return fail(Status::not_permitted);
            if (params.offset > thread.ring.arena_bytes() || params.data.size() > thread.ring.arena_bytes() - params.offset) {
                return fail(Status::bad_argument);
            }
            std::memcpy(thread.ring.arena(params.offset), params.data.data(), params.data.size());
            return call.reply(idl::Thread::WriteArena::Results{});
        }
        case idl::Thread::Start::kOrdinal: return start_thread(call, thread);
        case idl::Thread::Kill::kOrdinal: {
            TRY(call.decode<idl::Thread::Kill>());
            if (&thread == &call.caller) {
                end_thread(thread);
                return Restart::ended;
            }
            if (thread.released()) return call.reply(idl::Thread::Kill::Results{});
            const Restart restart = defer(call, thread.end_waiters);
            end_thread(thread);
            return restart;
        }
        case idl::Thread::SetPriority::kOrdinal: {
            const auto params = TRY(call.decode<idl::Thread::SetPriority>());
            if (params.priority > kPriorityMax) return fail(Status::bad_argument);
            if (params.priority > call.caller.own.priority) return fail(Status::not_permitted);
            const bool queued = thread.state == ThreadState::ready && thread.run_link.linked();
            if (queued) scheduler_.remove(thread);
            thread.own.priority = params.priority;
            if (queued) scheduler_.make_ready(thread, *here_, now_);
            look_again(thread);
            return call.reply(idl::Thread::SetPriority::Results{});
        }
        case idl::Thread::SetBudget::kOrdinal: {
            const auto params = TRY(call.decode<idl::Thread::SetBudget>());
            const bool unlimited = params.budget == 0 && params.period == 0;
            if (!unlimited && (params.period < kPeriodMin || params.period > kPeriodMax || params.budget == 0 ||
                               params.budget > params.period)) {
                return fail(Status::bad_argument);
            }
            thread.own.budget = thread.own.left = Duration{params.budget};
            thread.own.period = Duration{params.period};
            thread.own.refill_at = now_ + thread.own.period;
            look_again(thread);
            return call.reply(idl::Thread::SetBudget::Results{});
        }
        case idl::Thread::SetCpu::kOrdinal: {
            const auto params = TRY(call.decode<idl::Thread::SetCpu>());
            if (params.cpu != kAnyCpu && (params.cpu >= cpus_.size() || !cpus_[params.cpu].online))
                return fail(Status::bad_argument);
            pin(thread, params.cpu == kAnyCpu ? nullptr : &cpus_[params.cpu]);
            return call.reply(idl::Thread::SetCpu::Results{});
        }
        case idl::Thread::HandleFaults::kOrdinal: return handle_faults(call, thread);
        case idl::Thread::Wait::kOrdinal: {
            TRY(call.decode<idl::Thread::Wait>());
            if (thread.released()) return call.reply(idl::Thread::Wait::Results{});
            return defer(call, thread.end_waiters);
        }
        default: return fail(Status::unimplemented);
    }
}

// What the CPU that runs the thread has decided about it holds no more.
void Kernel::look_again(Thread& thread) {
    if (thread.state != ThreadState::running) return;
    thread.cpu->run_since = now_;
    thread.cpu->timer_stale = true;
    if (thread.cpu != here_) port::send_ipi(thread.cpu->id);
}

// Where a thread is pinned is where it was last, and stays. One that is ready or runs elsewhere moves when it next becomes
// ready.
void Kernel::pin(Thread& thread, Cpu* cpu) {
    const bool queued = thread.state == ThreadState::ready && thread.run_link.linked();
    if (queued) scheduler_.remove(thread);
    thread.pinned = cpu != nullptr;
    thread.pinned_cpu = cpu;
    if (queued) scheduler_.make_ready(thread, *here_, now_);
}

KernelResult<Kernel::Restart> Kernel::start_thread(ObjectCall& call, Thread& thread) {
    const auto params = TRY(call.decode<idl::Thread::Start>());
    if (!in_user_half(params.entry) || !in_user_half(params.stack - 1)) return fail(Status::bad_argument);
    if (params.start_offset > thread.ring.arena_bytes() ||
        params.start_length > thread.ring.arena_bytes() - params.start_offset) {
        return fail(Status::bad_argument);
    }
    if (thread.state != ThreadState::created) return fail(Status::not_permitted);
    start(thread, params.entry, params.stack, params.argument, params.start_offset, params.start_length);
    return call.reply(idl::Thread::Start::Results{});
}

KernelResult<Kernel::Restart> Kernel::handle_faults(ObjectCall& call, Thread& thread) {
    const auto params = TRY(call.decode<idl::Thread::HandleFaults>());
    NodeRef handler;
    if (params.handler.present()) {
        Node* node = TRY(call.argument(params.handler));
        if (node->interface != Interface::facet || params.timeout == 0 || params.timeout > kFaultTimeoutMax) {
            return fail(Status::bad_argument);
        }
        if (thread.ended()) return call.reply(idl::Thread::HandleFaults::Results{});
        nodes_.add_reference(*node);
        handler = node->ref();
    }
    nodes_.drop_reference(thread.fault_facet);
    thread.fault_facet = handler;
    thread.fault_timeout = Duration{params.timeout};
    return call.reply(idl::Thread::HandleFaults::Results{});
}

}  // namespace capos::kernel
