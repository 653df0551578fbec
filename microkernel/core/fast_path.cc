// Calls in registers (abi/ring.h, kEnterCall and kEnterReturn). The fast path is taken when a caller and a server that both use
// registers meet, and nothing else has to be looked at: it hands over directly, and queues are not touched. Every condition is
// checked before any effect; when one does not hold the entry goes the way of an entry of the queue, with the same outcome.
// test/sim and the fuzz target `fastpath` compare the two ways.

#include <bit>

#include "core/kernel.h"

namespace capos::kernel {

namespace {

constexpr u32 kHeaderBytes = sizeof(abi::MessageHeader);

constexpr u32 low(u64 word) { return static_cast<u32>(word); }
constexpr u32 high(u64 word) { return static_cast<u32>(word >> 32); }
constexpr u32 words(u32 bytes) { return (bytes + 7) & ~u32{7}; }

abi::Submission entry_of(const UserContext& context) {
    abi::Submission entry{};
    entry.params_offset = low(context.r10);
    entry.params_length = high(context.r10);
    if (context.rdi == abi::kEnterCall) {
        entry.opcode = static_cast<u8>(abi::Opcode::call);
        entry.method = static_cast<u16>(context.r14);
        entry.capability = context.r8;
        entry.interface_id = context.r9;
        entry.reply_offset = low(context.r12);
        entry.reply_capacity = high(context.r12);
    } else {
        entry.opcode = static_cast<u8>(abi::Opcode::return_);
        entry.flags = abi::kProvide;
        entry.argument = context.r8;
    }
    entry.user_data = context.r13;
    return entry;
}

// The thread waits for one completion, would take it in registers, and has nothing else to look at first.
bool takes_registers(const Thread& thread) {
    return thread.state == ThreadState::waiting && thread.enter.in_registers && thread.ring.unread_known() == 0 &&
           thread.enter.consumed == 1;
}

// Nothing keeps the thread from waiting at once.
bool may_wait_at_once(Thread& thread) {
    const auto unread = thread.ring.unread();
    return unread && *unread == 0 && thread.starved == 0 && !thread.enter.chained && thread.own_calls.empty() &&
           thread.deferred == 0 && thread.process().space->lost.empty();
}

}  // namespace

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
    enter.entry_valid = false;
    if (may_wait_at_once(thread) && (context.rdi == abi::kEnterCall ? fast_call(thread) : fast_return(thread))) {
        return Progress::run;
    }
    enter.entry = entry_of(context);
    enter.entry_valid = true;
    return continue_enter(thread);
}

// `from` waits, `to` goes on with its completion.
void Kernel::hand_over(Thread& from, Thread& to, const abi::Completion& completion) {
    Cpu& cpu = *here_;
    from.enter.consumed = 1;
    from.state = ThreadState::waiting;
    from.wake_at = from.enter.deadline;
    if (from.enter.deadline != kNever) scheduler_.sleep(from, cpu);
    port::save_extended(from.context);

    scheduler_.stop_sleeping(to);
    to.state = ThreadState::running;
    to.cpu = &cpu;
    to.context.rax = abi::EnterResult::make(1, Status::ok).value | abi::EnterResult::kInRegisters;
    const auto words_of = std::bit_cast<std::array<u64, 4>>(completion);
    to.context.rdi = words_of[0];
    to.context.rsi = words_of[1];
    to.context.rdx = words_of[2];
    to.context.r8 = words_of[3];
    cpu.current = &to;
    cpu.run_since = now_;
}

bool Kernel::fast_call(Thread& caller) {
    const UserContext& context = caller.context;
    const auto node = caller.process().table.lookup(nodes_, abi::CapId{context.r8});
    if (!node || (*node)->interface != Interface::facet) return false;
    auto& endpoint = static_cast<Endpoint&>(*(*node)->object);
    Pending* receive = endpoint.receivers.front();
    if (receive == nullptr || !endpoint.calls.empty()) return false;
    Thread& server = *receive->owner;
    if (!takes_registers(server) || caller.own.limited() || server.own.limited() || caller.active != &caller.own ||
        caller.priority() > server.priority() || !Scheduler::beats_queue(*here_, server) || here_->next != nullptr ||
        (server.pinned && server.pinned_cpu != here_) || caller.enter.deadline <= now_) {
        return false;
    }
    Ring& ring = server.ring;
    BufferGroup& group = ring.groups[receive->group];
    const u32 length = high(context.r10), offset = low(context.r10);
    const u32 reply_offset = low(context.r12), reply_capacity = high(context.r12);
    if (!caller.ring.arena_fits(offset, length) || reply_capacity < kHeaderBytes ||
        !caller.ring.arena_fits(reply_offset, reply_capacity) || group.free == 0 || ring.free_slots() == 0 ||
        kHeaderBytes + words(length) > group.bytes || caller.ring.free_slots() == 0) {
        return false;
    }
    Received* received = ring.take_received();
    if (received == nullptr) return false;

    // Point of no return.
    Pending& call = *caller.ring.take_pending();
    const auto buffer = static_cast<u32>(std::countr_zero(group.free));
    group.free &= group.free - 1;
    if (group.slots_each != 0) server.process().table.unreserve(group.slots_each);
    const u32 target = group.first + buffer * group.bytes;
    call.what = PendingKind::call;
    call.call_state = CallState::delivered;
    call.owner = &caller;
    call.capability_count = 0;
    call.result_slots = 0;
    call.answer = kNoAnswer;
    call.method = static_cast<u16>(context.r14);
    call.user_data = context.r13;
    call.interface_id = context.r9;
    call.reply_offset = reply_offset;
    call.reply_capacity = reply_capacity;
    call.through = (*node)->ref();
    call.received = received;
    nodes_.add_reference(**node);
    received->call = &call;
    received->server = &server;
    received->group = receive->group;
    received->buffer = static_cast<u8>(buffer);
    write_header(*reinterpret_cast<abi::MessageHeader*>(ring.arena(target)), **node, context.r9);
    copy_message(ring.arena(target + kHeaderBytes), caller.ring.arena(offset), length);
    hand_over(caller, server,
              {.user_data = receive->user_data,
               .token = ring.token_of(*received),
               .length = length,
               .offset = target,
               .method = call.method,
               .kind = static_cast<u8>(abi::CompletionKind::call)});
    return true;
}

bool Kernel::fast_return(Thread& server) {
    const UserContext& context = server.context;
    Ring& ring = server.ring;
    Received* received = ring.find_received(context.r8);
    if (received == nullptr || received->call == nullptr || received->lent != nullptr) return false;
    Pending& call = *received->call;
    Thread& caller = *call.owner;
    if (call.what != PendingKind::call || !takes_registers(caller) || call.result_slots != 0 || call.answer != kNoAnswer ||
        caller.own.limited() || server.own.limited() || server.active != &server.own || caller.active != &caller.own ||
        caller.own.user != &caller || !Scheduler::beats_queue(*here_, caller) || here_->next != nullptr ||
        (caller.pinned && caller.pinned_cpu != here_) || server.enter.deadline <= now_) {
        return false;
    }
    BufferGroup& group = ring.groups[received->group];
    const u32 length = high(context.r10), offset = low(context.r10);
    if (!ring.arena_fits(offset, length) || words(length) > words(call.reply_capacity - kHeaderBytes) || group.users == 0 ||
        group.slots_each != 0) {
        return false;
    }

    // Point of no return.
    const u32 target = call.reply_offset;
    const u64 user_data = call.user_data;
    const NodeRef through = call.through;
    copy_message(caller.ring.arena(target + kHeaderBytes), ring.arena(offset), length);
    group.free |= u64{1} << received->buffer;
    ring.free_received(*received);
    call.through = {};
    call.call_state = CallState::queued;
    caller.ring.drop_pending(call);
    hand_over(server, caller, {.user_data = user_data, .length = length, .offset = target});
    nodes_.drop_reference(through);
    return true;
}

}  // namespace capos::kernel
