// Calls, from the caller's entry to its completion; and what can end one in between. A message is copied once, from the
// arena of the sender to the arena of the receiver, in the step that delivers it.

#include <algorithm>
#include <bit>

#include "core/kernel.h"
#include "core/speculation.h"

namespace capos::kernel {

namespace {

constexpr u32 kHeaderBytes = sizeof(abi::MessageHeader);
constexpr int kDeliveriesPerLook = 4;

constexpr u32 words(u32 bytes) { return (bytes + 7) & ~u32{7}; }

abi::MessageHeader& header_at(Ring& ring, u32 offset) { return *reinterpret_cast<abi::MessageHeader*>(ring.arena(offset)); }

// The checks of a CALL that need nothing but the entry.
Status check_call(const Ring& ring, const abi::Submission& entry) {
    if (entry.capability_count > abi::kCapabilitiesMax || entry.result_slots > abi::kCapabilitiesMax ||
        entry.group > kAnswers || (entry.flags & (abi::kProvide | abi::kError)) != 0) {
        return Status::bad_entry;
    }
    if (entry.params_length > abi::kMessageBytesMax) return Status::bad_message;
    if (!ring.arena_fits(entry.params_offset, entry.params_length) || entry.reply_capacity < kHeaderBytes ||
        !ring.arena_fits(entry.reply_offset, entry.reply_capacity) ||
        !ring.arena_fits(entry.capabilities_offset, u64{entry.capability_count} * sizeof(u64))) {
        return Status::bad_offset;
    }
    if (entry.group != 0 && ring.answers[entry.group - 1].state != Answer::State::free) return Status::bad_argument;
    return Status::ok;
}

}  // namespace

// --- the caller's side ---

Kernel::Outcome Kernel::submit_call(Thread& thread, const abi::Submission& entry) {
    if (thread.ring.free_slots() == 0) return Outcome::blocked;
    here_->steps_left -= std::min(here_->steps_left, kCallUnits);
    const Status status = check_call(thread.ring, entry);
    if (status != Status::ok) return end_entry(thread, entry, status);
    if ((entry.flags & abi::kPipelined) != 0) return call_pipelined(thread, entry);
    const auto node = thread.process().table.lookup(nodes_, abi::CapId{entry.capability});
    if (!node) return end_entry(thread, entry, node.error());
    return (*node)->interface == Interface::facet ? call_endpoint(thread, entry, **node) : call_object(thread, entry, **node);
}

// Takes a record for the call and everything that it reserves. Null, with the outcome in `outcome`, when something is short.
Pending* Kernel::take_call(Thread& thread, const abi::Submission& entry, Outcome& outcome) {
    Pending* call = thread.ring.take_pending();
    if (call == nullptr) {
        outcome = Outcome::blocked;
        return nullptr;
    }
    if (entry.result_slots != 0 && !thread.process().table.reserve(entry.result_slots)) {
        thread.ring.drop_pending(*call);
        outcome = end_entry(thread, entry, Status::quota);
        return nullptr;
    }
    call->what = PendingKind::call;
    call->owner = &thread;
    call->capability_count = entry.capability_count;
    call->result_slots = entry.result_slots;
    call->method = entry.method;
    call->user_data = entry.user_data;
    call->interface_id = entry.interface_id;
    call->params_offset = entry.params_offset;
    call->params_length = entry.params_length;
    call->reply_offset = entry.reply_offset;
    call->reply_capacity = entry.reply_capacity;
    call->capabilities_offset = entry.capabilities_offset;
    call->through = {};
    call->answer = kNoAnswer;
    if (entry.group != 0) {
        call->answer = static_cast<u8>(entry.group - 1);
        Answer& answer = thread.ring.answers[call->answer];
        answer.state = Answer::State::pending;
        answer.call = call;
    }
    entry_pending_ = call;
    outcome = Outcome::taken;
    return call;
}

Kernel::Outcome Kernel::call_endpoint(Thread& thread, const abi::Submission& entry, Node& node) {
    Outcome outcome;
    Pending* call = take_call(thread, entry, outcome);
    if (call != nullptr) send(*call, node);
    return outcome;
}

// Gives the call to a receiver, or queues it. The message stays in the caller's arena until then.
void Kernel::send(Pending& call, Node& facet) {
    auto& endpoint = static_cast<Endpoint&>(*facet.object);
    call_through(call, facet);
    if (endpoint.calls.empty() && deliver(endpoint, call)) return;
    enqueue(call, facet);
}

void Kernel::call_through(Pending& call, Node& node) {
    nodes_.add_reference(node);
    call.through = node.ref();
}

void Kernel::enqueue(Pending& call, Node& facet) {
    auto& endpoint = static_cast<Endpoint&>(*facet.object);
    call.call_state = CallState::queued;
    endpoint.calls.push_back(call);
    facet.uses.push_back(call);
    if (endpoint.down && endpoint.receiver.get() == nullptr) end_call(call, Status::disconnected);
}

// Ends a call that will not be answered; the caller's side is free at once.
void Kernel::end_call(Pending& call, Status status) {
    if (call.queue_link.linked()) call.queue_link.unlink();
    if (call.use_link.linked()) call.use_link.unlink();
    Thread& caller = *call.owner;
    if (call.call_state == CallState::held) {
        --caller.ring.answers[call.group].held_count;
    } else if (call.call_state == CallState::delivered) {
        abandon(*call.received);
    }
    if (call.what == PendingKind::fault) {
        nodes_.drop_reference(call.through);
        answer_fault(caller, status, false);
        return;
    }
    caller.process().table.unreserve(call.result_slots);
    finish_call(call, status, {}, {});
}

// The call is over, whatever became of it: held calls first, then the caller's completion, then the facet may go. `results` are
// the ids of the capabilities that it returned.
void Kernel::finish_call(Pending& call, Status status, const abi::Completion& completion, std::span<const u64> results) {
    if (call.answer != kNoAnswer) fill_answer(call.owner->ring.answers[call.answer], status, results);
    const NodeRef through = call.through;
    call.through = {};
    call.call_state = CallState::queued;
    complete(call, status, completion);
    nodes_.drop_reference(through);
}

// The caller of a delivered call no longer waits. The server is told; its RETURN frees the record and touches nothing else.
void Kernel::abandon(Received& received) {
    Thread& server = *received.server;
    received.call = nullptr;
    let_go(received);
    if (server.ended()) return;
    if (server.ring.free_slots() == 0) {
        received.cancel_unsaid = true;
        ++server.starved;
        return;
    }
    server.ring.post({.token = server.ring.token_of(received), .kind = static_cast<u8>(abi::CompletionKind::cancelled)});
    posted(server);
}

// --- delivery ---

// True when the call has left the endpoint: delivered, or ended because it cannot be.
bool Kernel::deliver(Endpoint& endpoint, Pending& call) {
    while (Pending* receive = first_receiver(endpoint.receivers)) {
        if (deliver_to(*receive, call)) return true;
    }
    return false;
}

// A thread that has ended takes nothing more: what comes later waits for the next receiver.
Pending* Kernel::first_receiver(PendingQueue& receivers) {
    while (Pending* receive = receivers.front()) {
        if (!receive->owner->ended()) return receive;
        receive->queue_link.unlink();  // its end is on its way
    }
    return nullptr;
}

bool Kernel::deliver_to(Pending& receive, Pending& call) {
    Thread& server = *receive.owner;
    Ring& ring = server.ring;
    BufferGroup& group = ring.groups[receive.group];
    Received* received = ring.free_slots() != 0 && group.free != 0 ? ring.take_received() : nullptr;
    if (received == nullptr) {
        starve(receive);
        return false;
    }
    Thread& caller = *call.owner;
    const bool fault = call.what == PendingKind::fault;
    Status status = Status::ok;
    Transfer transfer;
    if (call.through.get() == nullptr) {
        status = Status::bad_capability;  // killed, and the reaper has not come to this call yet
    } else if (kHeaderBytes + words(call.params_length) > group.bytes) {
        status = Status::no_buffer;
    } else if (call.capability_count > group.slots_each) {
        status = Status::overloaded;
    } else if (call.capability_count != 0) {
        const auto resolved = resolve(caller, call.capabilities_offset, call.capability_count, transfer);
        if (!resolved) status = resolved.error();
    }
    if (status != Status::ok) {
        ring.free_received(*received);
        call.call_state = CallState::queued;
        end_call(call, status);
        return true;
    }

    // Point of no return.
    spend(call.params_length / kBytesPerUnit);
    const auto buffer = static_cast<u32>(std::countr_zero(group.free));
    group.free &= group.free - 1;
    const u32 offset = group.first + buffer * group.bytes;
    abi::MessageHeader& header = header_at(ring, offset);
    write_header(header, *call.through.node, call.interface_id);
    copy_message(ring.arena(offset + kHeaderBytes),
                 fault ? caller.fault_message : caller.ring.arena(call.params_offset),
                 call.params_length);
    u8 capabilities = 0;
    if (group.slots_each != 0) {
        capabilities = install(transfer, group.slots_each, server.process());
        for (u8 i = 0; i < capabilities; ++i) header.capabilities[i] = transfer.installed[i];
        server.process().table.unreserve(group.slots_each - capabilities);
        remove_moved(caller, transfer);
    }
    if (call.queue_link.linked()) call.queue_link.unlink();
    if (call.use_link.linked()) call.use_link.unlink();
    received->call = &call;
    received->server = &server;
    received->source = receive.source;
    received->group = receive.group;
    received->buffer = static_cast<u8>(buffer);
    call.call_state = CallState::delivered;
    call.received = received;
    ring.post({.user_data = receive.user_data,
               .token = ring.token_of(*received),
               .length = call.params_length,
               .offset = offset,
               .method = call.method,
               .capability_count = capabilities,
               .kind = static_cast<u8>(abi::CompletionKind::call)});
    posted(server);
    if (here_->next == &server) here_->next_call = received;
    return true;
}

// A receiver that has no room gets nothing until its thread enters again and has made some.
void Kernel::starve(Pending& receive) {
    receive.queue_link.unlink();
    receive.starved = true;
    ++receive.owner->starved;
}

bool Kernel::deliver_event(PendingQueue& receivers, abi::CompletionKind kind, u64 token) {
    while (Pending* receive = first_receiver(receivers)) {
        Thread& thread = *receive->owner;
        if (thread.ring.free_slots() == 0) {
            starve(*receive);
            continue;
        }
        thread.ring.post({.user_data = receive->user_data, .token = token, .kind = static_cast<u8>(kind)});
        posted(thread);
        return true;
    }
    return false;
}

void Kernel::look_at(Object& source) {
    switch (source.type) {
        case ObjectType::endpoint: return look_at_endpoint(static_cast<Endpoint&>(source));
        case ObjectType::interrupt: return look_at_interrupt(static_cast<Interrupt&>(source));
        default: return look_at_notification(static_cast<Notification&>(source));
    }
}

void Kernel::look_at_endpoint(Endpoint& endpoint) {
    for (int i = 0; i < kDeliveriesPerLook && (i == 0 || here_->steps_left != 0); ++i) {
        if (Pending* call = endpoint.calls.front()) {
            if (endpoint.down && endpoint.receiver.get() == nullptr) {
                end_call(*call, Status::disconnected);
            } else if (!deliver(endpoint, *call)) {
                return;
            }
        } else if (Node* facet = endpoint.notices.front()) {
            if (!deliver_event(endpoint.receivers, abi::CompletionKind::notice, facet->badge)) return;
            endpoint.notices.remove(*facet);
            nodes_.finish_notice(*facet);
        } else {
            return;
        }
    }
    consequences_.look_at(endpoint);  // the rest in another piece
}

void Kernel::look_at_notification(Notification& notification) {
    if (notification.bits == 0) return;
    if (deliver_event(notification.receivers, abi::CompletionKind::signal, notification.bits)) notification.bits = 0;
}

// The thread is in enter and may have made room: what did not fit is tried again. False when the step is spent and there is
// more.
bool Kernel::serve_starved(Thread& thread) {
    Ring& ring = thread.ring;
    for (Received& received : ring.received()) {
        if (!received.cancel_unsaid || ring.free_slots() == 0) continue;
        if (here_->steps_left == 0) return false;
        spend(1);
        received.cancel_unsaid = false;
        --thread.starved;
        ring.post({.token = ring.token_of(received), .kind = static_cast<u8>(abi::CompletionKind::cancelled)});
    }
    for (Pending* receive = thread.receives.front(); receive != nullptr; receive = thread.receives.next(*receive)) {
        if (!receive->starved || ring.free_slots() == 0) continue;
        if (receive->through.get() == nullptr) continue;  // is about to end
        if (here_->steps_left == 0) return false;
        spend(1);
        receive->starved = false;
        --thread.starved;
        Object& source = *receive->source;
        if (source.type == ObjectType::endpoint) {
            static_cast<Endpoint&>(source).receivers.push_back(*receive);
        } else {
            static_cast<SignalSource&>(source).receivers.push_back(*receive);
        }
        look_at(source);
    }
    return true;
}

// --- the server's side ---

Kernel::Outcome Kernel::submit_receive(Thread& thread, const abi::Submission& entry) {
    if (thread.ring.free_slots() == 0) return Outcome::blocked;
    if ((entry.flags & abi::kProvide) != 0) {
        return end_silent(thread, entry, provide(thread, entry.group, entry.argument));
    }
    const auto node = thread.process().table.lookup(nodes_, abi::CapId{entry.capability});
    if (!node) return end_entry(thread, entry, node.error());
    const Interface interface = (*node)->interface;
    const bool calls = interface == Interface::receiver;
    if (!calls && interface != Interface::notification && interface != Interface::interrupt) {
        return end_entry(thread, entry, Status::wrong_interface);
    }
    Pending* receive = thread.ring.take_pending();
    if (receive == nullptr) return Outcome::blocked;
    if (const Status status = calls ? set_up_group(thread, entry) : Status::ok; status != Status::ok) {
        thread.ring.drop_pending(*receive);
        return end_entry(thread, entry, status);
    }

    // Point of no return.
    receive->what = PendingKind::receive;
    receive->owner = &thread;
    receive->user_data = entry.user_data;
    receive->starved = false;
    receive->group = static_cast<u8>(calls ? entry.group : kBufferGroups);
    receive->through = (*node)->ref();
    nodes_.add_reference(**node);
    (*node)->uses.push_back(*receive);
    thread.receives.push_back(*receive);
    Object& source = *(*node)->object;
    receive->source = &source;
    if (calls) {
        ++thread.ring.groups[entry.group].users;
        static_cast<Endpoint&>(source).receivers.push_back(*receive);
        static_cast<Endpoint&>(source).server = thread.process().pid;
    } else {
        static_cast<SignalSource&>(source).receivers.push_back(*receive);
    }
    entry_pending_ = receive;
    look_at(source);
    return Outcome::taken;
}

// Buffers of a group are set up by the first RECEIVE that uses it, and go with the last.
Status Kernel::set_up_group(Thread& thread, const abi::Submission& entry) {
    if (entry.group >= kBufferGroups) return Status::bad_argument;
    BufferGroup& group = thread.ring.groups[clamp_index(entry.group, kBufferGroups)];
    const u64 count = entry.interface_id;
    if (group.users != 0) return count == 0 ? Status::ok : Status::bad_argument;
    if (count == 0 || count > kBuffersMax || entry.result_slots > abi::kCapabilitiesMax) return Status::bad_argument;
    const u64 bytes = entry.params_length;
    if (bytes < kHeaderBytes || bytes % 8 != 0 || !thread.ring.arena_fits(entry.params_offset, bytes * count)) {
        return Status::bad_offset;
    }
    if (!thread.process().table.reserve(static_cast<u32>(count) * entry.result_slots)) return Status::quota;
    group = {.free = count == 64 ? ~u64{0} : (u64{1} << count) - 1,
             .first = entry.params_offset,
             .bytes = entry.params_length,
             .count = static_cast<u8>(count),
             .slots_each = entry.result_slots};
    return Status::ok;
}

Status Kernel::provide(Thread& thread, u64 group_index, u64 buffer) {
    const Status status = reserve_buffer(thread, group_index, buffer);
    if (status == Status::ok) thread.ring.groups[group_index].free |= u64{1} << buffer;
    return status;
}

// Everything about giving a buffer back that can fail.
Status Kernel::reserve_buffer(Thread& thread, u64 group_index, u64 buffer) {
    if (group_index >= kBufferGroups) return Status::bad_argument;
    BufferGroup& group = thread.ring.groups[clamp_index(group_index, kBufferGroups)];
    if (buffer >= group.count || group.users == 0 || (group.free >> buffer & 1) != 0) return Status::bad_argument;
    if (!thread.process().table.reserve(group.slots_each)) return Status::quota;
    return Status::ok;
}

// A RECEIVE goes. What came by it can still be answered, and ends with the receiver.
void Kernel::keep_received(const Pending& receive) {
    Node* node = receive.through.get();
    spend(receive.owner->ring.received().size() / kRecordsPerUnit);
    for (Received& received : receive.owner->ring.received()) {
        if (received.call == nullptr || received.source != receive.source || received.through.node != nullptr) continue;
        received.through = receive.through;
        if (node != nullptr) {
            nodes_.add_reference(*node);
            node->uses.push_back(received);
        } else {
            consequences_.ended.push_back(received);  // which has ended already
        }
    }
}

// The received call is answered, or abandoned.
void Kernel::let_go(Received& received) {
    if (received.through.node == nullptr) return;
    if (received.use_link.linked()) received.use_link.unlink();
    nodes_.drop_reference(std::exchange(received.through, {}));
}

void Kernel::end_receive(Pending& receive, Status status) {
    Thread& thread = *receive.owner;
    if (receive.group < kBufferGroups && !thread.ended()) keep_received(receive);
    if (receive.queue_link.linked()) receive.queue_link.unlink();
    if (receive.use_link.linked()) receive.use_link.unlink();
    receive.ring_link.unlink();
    if (receive.starved) --thread.starved;
    if (receive.group < kBufferGroups) {
        BufferGroup& group = thread.ring.groups[receive.group];
        if (--group.users == 0) {
            thread.process().table.unreserve(static_cast<u32>(std::popcount(group.free)) * group.slots_each);
            group = {};
        }
    }
    const NodeRef through = receive.through;
    receive.through = {};
    complete(receive, status);
    nodes_.drop_reference(through);
}

Kernel::Outcome Kernel::submit_return(Thread& thread, const abi::Submission& entry) {
    Ring& ring = thread.ring;
    const bool error = (entry.flags & abi::kError) != 0;
    if (entry.capability_count > abi::kCapabilitiesMax ||
        (error && (entry.group < static_cast<u16>(Status::failed) || entry.group > static_cast<u16>(Status::unimplemented)))) {
        return end_entry(thread, entry, Status::bad_entry);
    }
    if (entry.params_length > abi::kMessageBytesMax) return end_entry(thread, entry, Status::bad_message);
    if (!ring.arena_fits(entry.params_offset, entry.params_length) ||
        !ring.arena_fits(entry.capabilities_offset, u64{entry.capability_count} * sizeof(u64))) {
        return end_entry(thread, entry, Status::bad_offset);
    }
    Received* received = ring.find_received(entry.argument);
    if (received == nullptr) return end_entry(thread, entry, Status::stale);
    Pending* call = received->call;
    Transfer transfer;
    if (call != nullptr && entry.capability_count != 0) {
        const auto resolved = resolve(thread, entry.capabilities_offset, entry.capability_count, transfer);
        if (!resolved) return end_entry(thread, entry, resolved.error());
    }
    const bool provides = (entry.flags & abi::kProvide) != 0;
    const u8 group = received->group, buffer = received->buffer;
    if (call == nullptr && ring.free_slots() == 0) return Outcome::blocked;
    const Status provided = provides ? reserve_buffer(thread, group, buffer) : Status::ok;
    if (provided != Status::ok && ring.free_slots() == 0) return Outcome::blocked;

    // Point of no return. What there is to say comes first: the answer may fill this very queue.
    const Outcome outcome = end_silent(thread, entry, call == nullptr ? Status::stale : provided);
    if (call != nullptr) {
        const Status kind = error ? static_cast<Status>(entry.group) : Status::ok;
        answer_call(thread, *received, {.status = kind,
                                        .code = error ? entry.method : u16{0},
                                        .message = ring.arena(entry.params_offset),
                                        .length = entry.params_length}, transfer);
        remove_moved(thread, transfer);
    }
    if (received->cancel_unsaid) --thread.starved;
    ring.free_received(*received);
    if (provides && provided == Status::ok) ring.groups[group].free |= u64{1} << buffer;
    return outcome;
}

// The answer goes to the caller: message, capabilities, completion. What is larger than the room reserved for it is cut off.
void Kernel::answer_call(Thread& server, Received& received, const AnswerMessage& answer, Transfer& transfer) {
    Pending& call = *received.call;
    Thread& caller = *call.owner;
    Scheduler::give_back(server, received, caller);
    let_go(received);
    if (call.what == PendingKind::fault) {
        const bool resume = answer.status == Status::ok && wants_resume(answer.message, answer.length);
        nodes_.drop_reference(call.through);
        answer_fault(caller, answer.status, resume);
        return;
    }
    Status status = answer.status;
    u32 length = answer.length;
    const u32 room = call.reply_capacity - kHeaderBytes;
    if (words(length) > words(room)) {
        length = room & ~u32{7};
        status = Status::truncated;
    }
    spend(length / kBytesPerUnit);
    abi::MessageHeader& header = header_at(caller.ring, call.reply_offset);
    copy_message(caller.ring.arena(call.reply_offset + kHeaderBytes), answer.message, length);
    u8 capabilities = 0;
    if (call.result_slots != 0 || transfer.count != 0) {
        capabilities = install(transfer, call.result_slots, caller.process());
        for (u8 i = 0; i < capabilities; ++i) header.capabilities[i] = transfer.installed[i];
        caller.process().table.unreserve(call.result_slots - capabilities);
        if (capabilities < transfer.count && status == Status::ok) status = Status::truncated;
    }
    finish_call(call, status, {.length = length,
                               .offset = call.reply_offset,
                               .method = answer.code,
                               .capability_count = capabilities},
                std::span{transfer.installed}.first(capabilities));
}

}  // namespace capos::kernel
