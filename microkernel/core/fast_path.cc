// Calls that hand over directly. When a caller and a server wait for each other, and nothing else has to be looked at, a
// CALL or RETURN that is alone in its enter switches to the other side in one step: its completion goes into the peer's
// registers if it waits with a register operation (abi/ring.h, kEnterCall and kEnterReturn), else into its queue. Every
// condition is checked before any effect; when one does not hold, the entry goes the general way (call.cc), with the same
// outcome. The simulator and the fuzz target `fastpath` compare the two ways.

#include <bit>

#include "core/kernel.h"

namespace capos::kernel {

namespace {

constexpr u32 kHeaderBytes = sizeof(abi::MessageHeader);

constexpr u32 low(u64 word) { return static_cast<u32>(word); }
constexpr u32 high(u64 word) { return static_cast<u32>(word >> 32); }
constexpr u32 words(u32 bytes) { return (bytes + 7) & ~u32{7}; }

// The first word of an entry, without the method of a call: what kind it is, and that it has no capabilities, answer or link.
constexpr u64 kMethodMask = u64{0xffff} << 16;
constexpr u64 kPlainCall = static_cast<u64>(abi::Opcode::call);
constexpr u64 kPlainReturn = static_cast<u64>(abi::Opcode::return_) | u64{abi::kProvide} << 8;

constexpr usize kCapabilityAt = offsetof(abi::Submission, capability), kInterfaceAt = offsetof(abi::Submission, interface_id);
constexpr usize kParamsAt = offsetof(abi::Submission, params_offset), kReplyAt = offsetof(abi::Submission, reply_offset);
constexpr usize kReservedAt = offsetof(abi::Submission, capabilities_offset), kArgumentAt = offsetof(abi::Submission, argument);
constexpr usize kUserDataAt = offsetof(abi::Submission, user_data);

// The thread waits for one completion, and would go on with it.
bool waits_for_one(const Thread& thread) {
    return thread.state == ThreadState::waiting && thread.enter.min_complete == 1 && thread.ring.unread_known() == 0 &&
           thread.ring.free_slots() != 0 && !thread.own.limited();
}

// Nothing keeps the thread from returning to its program, or from waiting, at once. Its unread completions; nothing: not so.
[[gnu::always_inline]] inline std::optional<u32> undisturbed(Thread& thread) {
    const std::optional<u32> unread = thread.ring.unread();
    if (!unread || thread.state != ThreadState::running || (thread.starved | thread.deferred) != 0 ||
        !thread.own_calls.empty() || !thread.process().space->lost.empty()) {
        return std::nullopt;
    }
    return unread;
}

// The CPU can go on with the thread: nobody in its queue is better.
bool may_run_here(const Cpu& cpu, const Thread& thread) {
    return cpu.next == nullptr && Scheduler::beats_queue(cpu, thread) && (!thread.pinned || thread.pinned_cpu == &cpu);
}

}  // namespace

// `from` waits, `to` goes on with its completion.
[[gnu::always_inline]] inline void Kernel::hand_over(Cpu& cpu, Thread& from, Thread& to, const abi::Completion& completion) {
    from.enter.consumed = 1;
    from.enter.min_complete = 1;
    from.enter.entry_valid = false;
    from.enter.deadline = Time{from.context.rdx};
    from.state = ThreadState::waiting;
    from.continuation = Continuation::none;
    from.wake_at = from.enter.deadline;  // one that has passed ends the wait as soon as interrupts are on
    if (from.enter.deadline != kNever) scheduler_.sleep(from, cpu);
    port::save_extended(from.context);

    Scheduler::stop_sleeping(to);
    Scheduler::reclaim(to);
    to.state = ThreadState::running;
    to.cpu = &cpu;
    to.context.rax = abi::EnterResult::make(to.enter.consumed, Status::ok).value;
    if (to.enter.in_registers) {
        to.context.rax |= abi::EnterResult::kInRegisters;
        to.context.rdi = completion.user_data;
        to.context.rsi = completion.token;
        to.context.rdx = completion.length | u64{completion.offset} << 32;
        to.context.r8 = completion.status | u64{completion.method} << 16 | u64{completion.capability_count} << 32 |
                        u64{completion.kind} << 40;
    } else {
        to.ring.post(completion);
    }
    cpu.current = &to;
    if (cpu.ready != 0) cpu.timer_stale = true;
}

[[gnu::always_inline]] inline Thread* Kernel::fast_call(Cpu& cpu, Thread& caller, Node& facet, const FastEntry& entry) {
    auto& endpoint = static_cast<Endpoint&>(*facet.object);
    Pending* receive = endpoint.receivers.front();
    if (receive == nullptr || !endpoint.calls.empty()) return nullptr;
    Thread& server = *receive->owner;
    if (!waits_for_one(server) || caller.own.priority > server.own.priority || !may_run_here(cpu, server)) return nullptr;
    Ring& ring = server.ring;
    BufferGroup& group = ring.groups[receive->group];
    const u32 length = high(entry.params), source = low(entry.params);
    if (length > abi::kMessageBytesMax || !caller.ring.arena_fits(source, length) ||
        high(entry.reply) < kHeaderBytes || !caller.ring.arena_fits(low(entry.reply), high(entry.reply)) ||
        group.free == 0 || kHeaderBytes + words(length) > group.bytes || caller.ring.free_slots() == 0) {
        return nullptr;
    }
    Received* received = ring.take_received();
    if (received == nullptr) return nullptr;

    // Point of no return.
    Pending& call = *caller.ring.take_pending();
    const auto buffer = static_cast<u32>(std::countr_zero(group.free));
    group.free &= group.free - 1;
    if (group.slots_each != 0) server.process().table.unreserve(group.slots_each);
    const u32 target = group.first + buffer * group.bytes;
    call.what = PendingKind::call;
    call.call_state = CallState::delivered;
    call.owner = &caller;
    call.result_slots = 0;
    call.answer = kNoAnswer;
    call.user_data = entry.user_data;
    call.reply_offset = low(entry.reply);
    call.reply_capacity = high(entry.reply);
    call.through = facet.ref();
    call.received = received;
    nodes_.add_reference(facet);
    received->call = &call;
    received->server = &server;
    received->source = &endpoint;
    received->group = receive->group;
    received->buffer = static_cast<u8>(buffer);
    write_header(*reinterpret_cast<abi::MessageHeader*>(ring.arena(target)), facet, entry.interface_id);
    copy_message(ring.arena(target + kHeaderBytes), caller.ring.arena(source), length);
    hand_over(cpu, caller, server,
              {.user_data = receive->user_data,
               .token = ring.token_of(*received),
               .length = length,
               .offset = target,
               .method = entry.method,
               .kind = static_cast<u8>(abi::CompletionKind::call)});
    return &server;
}

[[gnu::always_inline]] inline Thread* Kernel::fast_return(Cpu& cpu, Thread& server, const FastEntry& entry) {
    Ring& ring = server.ring;
    Received* received = ring.find_received(entry.subject);
    if (received == nullptr || received->call == nullptr || received->lent != nullptr || received->through.node != nullptr) {
        return nullptr;
    }
    Pending& call = *received->call;
    Thread& caller = *call.owner;
    if (call.what != PendingKind::call || !waits_for_one(caller) || call.result_slots != 0 || call.answer != kNoAnswer ||
        caller.enter.chain != nullptr || !may_run_here(cpu, caller)) {
        return nullptr;
    }
    BufferGroup& group = ring.groups[received->group];
    const u32 length = high(entry.params), source = low(entry.params);
    if (length > abi::kMessageBytesMax || !ring.arena_fits(source, length) ||
        words(length) > words(call.reply_capacity - kHeaderBytes) || group.users == 0 || group.slots_each != 0) {
        return nullptr;
    }

    // Point of no return.
    const abi::Completion completion{.user_data = call.user_data, .length = length, .offset = call.reply_offset};
    const NodeRef through = call.through;
    copy_message(caller.ring.arena(call.reply_offset + kHeaderBytes), ring.arena(source), length);
    group.free |= u64{1} << received->buffer;
    ring.free_received(*received);
    call.through = {};
    call.call_state = CallState::queued;
    caller.ring.drop_pending(call);
    hand_over(cpu, server, caller, completion);
    nodes_.drop_reference(through);
    return &caller;
}

bool Kernel::enter_at_once(Cpu& cpu) {
    Thread& thread = *cpu.current;
    const std::optional<u32> unread = undisturbed(thread);
    if (!unread || *unread < thread.context.rsi || thread.context.rax != static_cast<u64>(abi::SystemCall::enter)) return false;
    thread.context.rax = abi::EnterResult::make(0, Status::ok).value;
    return true;
}

UserContext* Kernel::hand_over_at_once(Cpu& cpu) {
    Thread& thread = *cpu.current;
    const UserContext& context = thread.context;
    Thread::Enter& enter = thread.enter;
    Ring& ring = thread.ring;
    if (context.rax != static_cast<u64>(abi::SystemCall::enter) || context.rsi != 1) return nullptr;

    // What it is; this much is known soon.
    const bool in_registers = context.rdi != 1;
    const std::byte* slot = nullptr;
    bool is_call = context.rdi == abi::kEnterCall;
    FastEntry entry;
    if (in_registers) {
        if ((!is_call && context.rdi != abi::kEnterReturn) || high(context.r10) > abi::kRegisterCallBytesMax) return nullptr;
        if (context.r14 > 0xffff) return nullptr;
        entry.subject = context.r8;
        entry.method = static_cast<u16>(context.r14);
    } else {
        const std::optional<u32> available = ring.submissions();
        if (!available || *available == 0) return nullptr;
        slot = ring.next_slot();
        const u64 kind = read_shared_word(slot);
        is_call = (kind & ~kMethodMask) == kPlainCall;
        if (!is_call && kind != kPlainReturn) return nullptr;
        entry.subject = read_shared_word(slot + (is_call ? kCapabilityAt : kArgumentAt));
        entry.method = static_cast<u16>(kind >> 16);
    }
    Node* facet = nullptr;
    if (is_call) {
        const auto node = thread.process().table.lookup(nodes_, abi::CapId{entry.subject});
        if (!node || (*node)->interface != Interface::facet) return nullptr;
        facet = *node;
    }

    const std::optional<u32> unread = undisturbed(thread);
    if (!unread || *unread != 0 || enter.chained || enter.chain != nullptr || thread.active != &thread.own ||
        thread.own.limited() || !consequences_.empty()) {
        return nullptr;
    }
    if (in_registers) {
        entry.interface_id = context.r9;
        entry.params = context.r10;
        entry.reply = context.r12;
        entry.user_data = context.r13;
    } else {
        entry.interface_id = read_shared_word(slot + kInterfaceAt);
        entry.params = read_shared_word(slot + kParamsAt);
        entry.reply = read_shared_word(slot + kReplyAt);
        entry.user_data = read_shared_word(slot + kUserDataAt);
        if (read_shared_word(slot + kReservedAt) != 0) return nullptr;
    }
    Thread* peer = is_call ? fast_call(cpu, thread, *facet, entry) : fast_return(cpu, thread, entry);
    if (peer == nullptr) return nullptr;
    enter.in_registers = in_registers;
    enter.to_submit = 1;
    if (!in_registers) ring.consume_submission();
    cpu.root = PhysicalAddress{peer->context.cr3};
    if (cpu.timer_stale) scheduler_.program_timer(cpu, Time{});  // looks at the time only for limited threads
    return &peer->context;
}

// The same entry as it would be in the queue.
static abi::Submission entry_of(const UserContext& context) {
    const bool call = context.rdi == abi::kEnterCall;
    return {.opcode = static_cast<u8>(call ? abi::Opcode::call : abi::Opcode::return_),
            .flags = call ? u8{0} : u8{abi::kProvide},
            .method = call ? static_cast<u16>(context.r14) : u16{0},
            .capability = call ? context.r8 : 0,
            .interface_id = call ? context.r9 : 0,
            .params_offset = low(context.r10),
            .params_length = high(context.r10),
            .reply_offset = call ? low(context.r12) : 0,
            .reply_capacity = call ? high(context.r12) : 0,
            .argument = call ? 0 : context.r8,
            .user_data = context.r13};
}

// A register operation that goes the general way.
Kernel::Progress Kernel::start_register_enter(Thread& thread) {
    const UserContext& context = thread.context;
    Thread::Enter& enter = thread.enter;
    if ((context.rdi != abi::kEnterCall && context.rdi != abi::kEnterReturn) || context.rsi != 1 ||
        high(context.r10) > abi::kRegisterCallBytesMax || context.r14 > 0xffff) {
        crash(thread, abi::CrashCause::bad_enter, 0, 0);
        return Progress::switched;
    }
    enter.to_submit = 1;
    enter.min_complete = 1;
    enter.deadline = Time{context.rdx};
    enter.consumed = 0;
    enter.woken = 0;
    enter.in_registers = true;
    enter.entry = entry_of(context);
    enter.entry_valid = true;
    return continue_enter(thread);
}

}  // namespace capos::kernel
