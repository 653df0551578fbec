// Calls that hand over directly. When a caller and a server wait for each other, and nothing else has to be looked at, a CALL or
// RETURN that is alone in its enter switches to the other side in one step: its completion goes into the peer's registers if it
// waits with a register operation (abi/ring.h, kEnterCall and kEnterReturn), else into its queue. Every condition is checked
// before any effect; when one does not hold, the entry goes the general way (call.cc), with the same outcome. The simulator and
// the fuzz target `fastpath` compare the two ways.

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

u64 kind_of(const abi::Submission& entry) {
    u64 word;
    __builtin_memcpy(&word, &entry, sizeof word);
    return word;
}

abi::Submission entry_of(const UserContext& context) {
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

// The thread waits for one completion, and would go on with it.
bool waits_for_one(const Thread& thread) {
    return thread.state == ThreadState::waiting && thread.enter.min_complete == 1 && thread.ring.unread_known() == 0 &&
           thread.ring.free_slots() != 0 && !thread.own.limited();
}

// Nothing keeps the thread from waiting for one completion at once.
bool may_wait_at_once(Thread& thread, Time now) {
    const std::optional<u32> unread = thread.ring.unread();
    return unread && *unread == 0 && thread.starved == 0 && thread.own_calls.empty() && thread.deferred == 0 &&
           thread.active == &thread.own && !thread.own.limited() && thread.enter.deadline > now &&
           thread.process().space->lost.empty();
}

// The CPU can go on with the thread: nobody in its queue is better.
bool may_run_here(const Cpu& cpu, const Thread& thread) {
    return cpu.next == nullptr && Scheduler::beats_queue(cpu, thread) && (!thread.pinned || thread.pinned_cpu == &cpu);
}

}  // namespace

bool Kernel::enter_at_once(Cpu& cpu) {
    Thread& thread = *cpu.current;
    if (thread.state != ThreadState::running) return false;
    const std::optional<u32> unread = thread.ring.unread();
    if (!unread || *unread < thread.context.rsi || thread.starved != 0 || !thread.own_calls.empty() ||
        !thread.process().space->lost.empty()) {
        return false;
    }
    thread.context.rax = abi::EnterResult::make(0, Status::ok).value;
    return true;
}

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
    enter.in_registers = true;
    return start_single(thread, entry_of(context));
}

// One entry, and then a wait for one completion.
Kernel::Progress Kernel::start_single(Thread& thread, const abi::Submission& entry) {
    Thread::Enter& enter = thread.enter;
    if (!enter.chained && enter.chain == nullptr && entry.reserved == 0 && may_wait_at_once(thread, now_)) {
        const u64 kind = kind_of(entry);
        if ((kind & ~kMethodMask) == kPlainCall ? fast_call(thread, entry) : kind == kPlainReturn && fast_return(thread, entry)) {
            if (!enter.in_registers) thread.ring.consume_submission();
            return Progress::run;
        }
    }
    enter.consumed = 0;
    enter.woken = 0;
    enter.entry = entry;
    enter.entry_valid = true;
    return continue_enter(thread);
}

// `from` waits, `to` goes on with its completion.
void Kernel::hand_over(Thread& from, Thread& to, const abi::Completion& completion) {
    Cpu& cpu = *here_;
    from.enter.consumed = 1;
    from.enter.entry_valid = false;
    from.state = ThreadState::waiting;
    from.wake_at = from.enter.deadline;
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
    cpu.run_since = now_;
    if (cpu.ready != 0) cpu.timer_stale = true;
}

bool Kernel::fast_call(Thread& caller, const abi::Submission& entry) {
    const auto node = caller.process().table.lookup(nodes_, abi::CapId{entry.capability});
    if (!node || (*node)->interface != Interface::facet) return false;
    Node& facet = **node;
    auto& endpoint = static_cast<Endpoint&>(*facet.object);
    Pending* receive = endpoint.receivers.front();
    if (receive == nullptr || !endpoint.calls.empty()) return false;
    Thread& server = *receive->owner;
    if (!waits_for_one(server) || caller.own.priority > server.own.priority || !may_run_here(*here_, server)) return false;
    Ring& ring = server.ring;
    BufferGroup& group = ring.groups[receive->group];
    const u32 length = entry.params_length;
    if (length > abi::kMessageBytesMax || !caller.ring.arena_fits(entry.params_offset, length) ||
        entry.reply_capacity < kHeaderBytes || !caller.ring.arena_fits(entry.reply_offset, entry.reply_capacity) ||
        group.free == 0 || kHeaderBytes + words(length) > group.bytes || caller.ring.free_slots() == 0) {
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
    call.method = entry.method;
    call.user_data = entry.user_data;
    call.interface_id = entry.interface_id;
    call.reply_offset = entry.reply_offset;
    call.reply_capacity = entry.reply_capacity;
    call.through = facet.ref();
    call.received = received;
    nodes_.add_reference(facet);
    received->call = &call;
    received->server = &server;
    received->source = &endpoint;
    received->group = receive->group;
    received->buffer = static_cast<u8>(buffer);
    write_header(*reinterpret_cast<abi::MessageHeader*>(ring.arena(target)), facet, entry.interface_id);
    copy_message(ring.arena(target + kHeaderBytes), caller.ring.arena(entry.params_offset), length);
    hand_over(caller, server,
              {.user_data = receive->user_data,
               .token = ring.token_of(*received),
               .length = length,
               .offset = target,
               .method = call.method,
               .kind = static_cast<u8>(abi::CompletionKind::call)});
    return true;
}

bool Kernel::fast_return(Thread& server, const abi::Submission& entry) {
    Ring& ring = server.ring;
    Received* received = ring.find_received(entry.argument);
    if (received == nullptr || received->call == nullptr || received->lent != nullptr) return false;
    Pending& call = *received->call;
    Thread& caller = *call.owner;
    if (call.what != PendingKind::call || !waits_for_one(caller) || call.result_slots != 0 || call.answer != kNoAnswer ||
        caller.enter.chain != nullptr || !may_run_here(*here_, caller)) {
        return false;
    }
    BufferGroup& group = ring.groups[received->group];
    const u32 length = entry.params_length;
    if (length > abi::kMessageBytesMax || !ring.arena_fits(entry.params_offset, length) ||
        words(length) > words(call.reply_capacity - kHeaderBytes) || group.users == 0 || group.slots_each != 0) {
        return false;
    }

    // Point of no return.
    const abi::Completion completion{.user_data = call.user_data, .length = length, .offset = call.reply_offset};
    const NodeRef through = call.through;
    copy_message(caller.ring.arena(call.reply_offset + kHeaderBytes), ring.arena(entry.params_offset), length);
    group.free |= u64{1} << received->buffer;
    ring.free_received(*received);
    call.through = {};
    call.call_state = CallState::queued;
    caller.ring.drop_pending(call);
    hand_over(server, caller, completion);
    nodes_.drop_reference(through);
    return true;
}

}  // namespace capos::kernel
