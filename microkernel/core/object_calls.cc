// Calls to kernel objects: the message is copied, its capabilities are resolved, a handler decodes and acts, the results go to
// the caller's reply buffer. The methods themselves are in object_*.cc; their documentation is idl/kernel.capnp.

#include "core/kernel.h"

namespace capos::kernel {

namespace {

constexpr u32 kHeaderBytes = sizeof(abi::MessageHeader);

bool implements(Interface interface, u64 id) {
    switch (interface) {
        case Interface::account: return id == idl::Account::kInterfaceId;
        case Interface::process: return id == idl::Process::kInterfaceId;
        case Interface::thread: return id == idl::Thread::kInterfaceId;
        case Interface::address_space: return id == idl::AddressSpace::kInterfaceId;
        case Interface::memory: return id == idl::Memory::kInterfaceId || id == idl::ReadableMemory::kInterfaceId;
        case Interface::readable_memory: return id == idl::ReadableMemory::kInterfaceId;
        case Interface::endpoint: return id == idl::Endpoint::kInterfaceId;
        case Interface::receiver: return id == idl::Receiver::kInterfaceId;
        case Interface::notification: return id == idl::Notification::kInterfaceId;
        case Interface::io_ports: return id == idl::IoPorts::kInterfaceId;
        case Interface::interrupt: return id == idl::Interrupt::kInterfaceId;
        case Interface::clock: return id == idl::Clock::kInterfaceId;
        case Interface::kernel_log: return id == idl::KernelLog::kInterfaceId;
        case Interface::entropy: return id == idl::Entropy::kInterfaceId;
        case Interface::power: return id == idl::Power::kInterfaceId;
        case Interface::platform_info: return id == idl::PlatformInfo::kInterfaceId;
        case Interface::profile: return id == idl::Profile::kInterfaceId;
        case Interface::io_port_space: return id == idl::IoPortSpace::kInterfaceId;
        case Interface::interrupt_space: return id == idl::InterruptSpace::kInterfaceId;
        case Interface::facet:
        case Interface::none: return false;
    }
    return false;
}

}  // namespace

Kernel::Outcome Kernel::call_object(Thread& thread, const abi::Submission& entry, Node& node, Pending* record) {
    alignas(8) std::byte message[idl::flat::kParamsBytesMax];
    Ring& ring = thread.ring;
    const u32 room = (entry.reply_capacity - kHeaderBytes) & ~u32{7};
    ObjectCall call{.caller = thread,
                    .entry = entry,
                    .node = node,
                    .record = record,
                    .message = {message, entry.params_length},
                    .arguments = {},
                    .out = {ring.arena(entry.reply_offset + kHeaderBytes), room}};
    if (!implements(node.interface, entry.interface_id)) return reply_object(call, Status::wrong_interface);
    if (entry.params_length > sizeof message) return reply_object(call, Status::bad_message);
    // So that no method fails after its effect.
    if (room < abi::kObjectReplyBytesMin) return reply_object(call, Status::no_buffer);
    copy_message(message, ring.arena(entry.params_offset), entry.params_length);
    if (entry.capability_count != 0) {
        const auto resolved = resolve(thread, entry.capabilities_offset, entry.capability_count, call.arguments);
        if (!resolved) return reply_object(call, resolved.error());
    }
    const auto restart = dispatch(call);
    if (!restart) return reply_object(call, restart.error());
    switch (*restart) {
        case Restart::none: return reply_object(call, Status::ok);
        case Restart::deferred: return Outcome::taken;
        case Restart::zero: return Outcome::zero;
        case Restart::again: return Outcome::again;
        case Restart::ended: return Outcome::ended;
    }
    return Outcome::taken;
}

KernelResult<Kernel::Restart> Kernel::dispatch(ObjectCall& call) {
    switch (call.node.interface) {
        case Interface::account: return call_account(call);
        case Interface::process: return call_process(call);
        case Interface::thread: return call_thread(call);
        case Interface::address_space: return call_space(call);
        case Interface::memory:
        case Interface::readable_memory: return call_memory(call);
        case Interface::endpoint:
        case Interface::receiver: return call_endpoint_object(call);
        case Interface::io_ports: return call_ports(call);
        case Interface::interrupt: return call_interrupt(call);
        case Interface::clock: return call_clock(call);
        case Interface::kernel_log: return call_kernel_log(call);
        case Interface::entropy: return call_entropy(call);
        case Interface::power: return call_power(call);
        case Interface::platform_info: return call_platform(call);
        case Interface::profile: return call_profile(call);
        case Interface::io_port_space: return call_port_space(call);
        case Interface::interrupt_space: return call_interrupt_space(call);
        case Interface::notification:
        case Interface::facet:
        case Interface::none: break;
    }
    return fail(Status::unimplemented);
}

KernelResult<void> Kernel::ObjectCall::reserve(u8 count) {
    if (entry.result_slots < count) return fail(Status::truncated);
    if (record == nullptr) TRY(caller.process().table.reserve(count));
    reserved = count;
    return done;
}

// Ends the call now: with results, or with nothing.
Kernel::Outcome Kernel::reply_object(ObjectCall& call, Status status) {
    Ring& ring = call.caller.ring;
    CapabilityTable& table = call.caller.process().table;
    auto& header = *reinterpret_cast<abi::MessageHeader*>(ring.arena(call.entry.reply_offset));
    u64 ids[ObjectCall::kResultsMax];
    u8 count = 0;
    u32 length = 0;
    if (status == Status::ok) {
        for (; count < call.result_count; ++count) {
            header.capabilities[count] = ids[count] = table.install_reserved(*call.results[count], nodes_).value;
        }
        length = call.out_bytes;
        if (call.arguments.moves != 0) remove_moved(call.caller, call.arguments);
    }
    if (call.record != nullptr) {
        const abi::Completion completion{.length = length, .offset = call.entry.reply_offset, .capability_count = count};
        table.unreserve(call.record->result_slots - count);
        call.record->queue_link.unlink();
        finish_call(*call.record, status, completion, std::span{ids}.first(count));
        return Outcome::taken;
    }
    if (call.reserved != 0) table.unreserve(call.reserved - count);
    if (call.entry.group != 0) fill_answer(ring.answers[call.entry.group - 1], status, std::span{ids}.first(count));
    entry_status_ = status;
    ring.post({.user_data = call.entry.user_data,
               .length = length,
               .offset = call.entry.reply_offset,
               .status = static_cast<u16>(status),
               .capability_count = count});
    return Outcome::taken;
}

// The call completes later, without results. A record is free: submit_call saw a free completion slot.
Kernel::Restart Kernel::defer(ObjectCall& call, PendingQueue& waiters) {
    Pending* record = call.record;
    if (record != nullptr) {
        record->queue_link.unlink();
        call.caller.process().table.unreserve(record->result_slots);
        nodes_.drop_reference(record->through);
        record->through = {};
    } else {
        Outcome outcome;
        abi::Submission entry = call.entry;
        entry.result_slots = 0;
        record = take_call(call.caller, entry, outcome);
        KERNEL_ASSERT(record != nullptr);
    }
    record->what = PendingKind::work;
    record->call_state = CallState::queued;
    ++call.caller.deferred;
    waiters.push_back(*record);
    return Restart::deferred;
}

void Kernel::complete_deferred(Pending& pending, Status status) {
    Thread& caller = *pending.owner;
    if (pending.what == PendingKind::stall) {
        pending.what = PendingKind::unused;
        if (!caller.ended()) scheduler_.make_ready(caller, *here_, now_);
        return;
    }
    --caller.deferred;
    if (pending.answer != kNoAnswer) fill_answer(caller.ring.answers[pending.answer], status, {});
    complete(pending, status, {.offset = pending.reply_offset});
}

// A cell for a new object, paid for together with its root node and what else it needs. Null when the account has not that
// much.
void* Kernel::charge_and_take(Account& account, Resources extra) {
    ++extra.objects;
    ++extra.nodes;
    if (!account.charge(extra)) return nullptr;
    return cells_.take();
}

void Kernel::adopt(Object& object, Interface interface, Account& account) {
    object.account = &account;
    account.objects.push_back(object);
    nodes_.make_root(object, interface, &account);
}

}  // namespace capos::kernel
