// Promise pipelining: calls on capabilities that an earlier call will return. Each ring has a table of answers; a pipelined
// call is an ordinary Pending record that waits on one, in the caller's own ring.

#include <algorithm>

#include "core/kernel.h"
#include "core/speculation.h"

namespace capos::kernel {

Kernel::Outcome Kernel::call_pipelined(Thread& thread, const abi::Submission& entry) {
    const u64 number = entry.capability >> 32;
    const auto result = static_cast<u32>(entry.capability);
    if (number == 0 || number > kAnswers || result >= abi::kCapabilitiesMax) {
        return end_entry(thread, entry, Status::bad_argument);
    }
    Answer& answer = thread.ring.answers[clamp_index(number - 1, kAnswers)];
    switch (answer.state) {
        case Answer::State::free: return end_entry(thread, entry, Status::stale);
        case Answer::State::failed: return end_entry(thread, entry, answer.error);
        case Answer::State::done: {
            if (result >= answer.count) return end_entry(thread, entry, Status::bad_capability);
            const auto node = thread.process().table.lookup(nodes_, answer.results[result]);
            if (!node) return end_entry(thread, entry, node.error());
            return (*node)->interface == Interface::facet ? call_endpoint(thread, entry, **node)
                                                          : call_object(thread, entry, **node);
        }
        case Answer::State::pending: break;
    }
    if (answer.held_count == abi::kPipelineDepthMax) return end_entry(thread, entry, Status::overloaded);
    Outcome outcome;
    Pending* call = take_call(thread, entry, outcome);
    if (call == nullptr) return outcome;
    call->call_state = CallState::held;
    call->group = static_cast<u8>(number - 1);
    call->result_index = static_cast<u8>(result);
    answer.held.push_back(*call);
    ++answer.held_count;
    return outcome;
}

// Forgets an answer. One that is still pending takes its call with it, and the calls that it holds.
Kernel::Outcome Kernel::submit_finish(Thread& thread, const abi::Submission& entry) {
    if (entry.argument >= kAnswers) return end_entry(thread, entry, Status::bad_argument);
    Answer& answer = thread.ring.answers[clamp_index(entry.argument, kAnswers)];
    if (answer.state == Answer::State::free) return end_entry(thread, entry, Status::stale);
    if (answer.state == Answer::State::pending && !cancel(*answer.call, Status::cancelled)) {
        return end_entry(thread, entry, Status::too_late);
    }
    answer.state = Answer::State::free;
    return Outcome::taken;
}

// The call that the answer stands for is over: what it holds goes on, or ends with its error.
void Kernel::fill_answer(Answer& answer, Status status, std::span<const u64> results) {
    const bool good = status == Status::ok || status == Status::truncated;
    spend(answer.held_count);
    answer.state = good ? Answer::State::done : Answer::State::failed;
    answer.error = status;
    answer.call = nullptr;
    answer.count = static_cast<u8>(results.size());
    std::ranges::transform(results, answer.results, [](u64 id) { return abi::CapId{id}; });
    while (Pending* call = answer.held.pop_front()) {
        --answer.held_count;
        call->call_state = CallState::queued;
        release_held(*call, answer);
    }
}

void Kernel::release_held(Pending& call, const Answer& answer) {
    if (answer.state == Answer::State::failed) return end_call(call, answer.error);
    if (call.result_index >= answer.count) return end_call(call, Status::bad_capability);
    Thread& caller = *call.owner;
    const auto node = caller.process().table.lookup(nodes_, answer.results[call.result_index]);
    if (!node) return end_call(call, node.error());
    call_through(call, **node);
    if ((*node)->interface == Interface::facet) {
        // Its turn among the others is now; its message is copied in a piece of its own.
        consequences_.look_at(*(*node)->object);
        return enqueue(call, **node);
    }
    // A kernel object acts in its caller's time.
    call.call_state = CallState::own;
    caller.own_calls.push_back(call);
    posted(caller);
}

// Calls to kernel objects whose capability has arrived meanwhile.
Kernel::Progress Kernel::carry_out_own(Thread& thread) {
    while (Pending* call = thread.own_calls.front()) {
        if (here_->steps_left == 0) return Progress::again;
        --here_->steps_left;
        Node* node = call->through.get();
        if (node == nullptr) {
            end_call(*call, Status::bad_capability);
            continue;
        }
        const abi::Submission entry{.opcode = static_cast<u8>(abi::Opcode::call),
                                    .method = call->method,
                                    .capability_count = call->capability_count,
                                    .result_slots = call->result_slots,
                                    .interface_id = call->interface_id,
                                    .params_offset = call->params_offset,
                                    .params_length = call->params_length,
                                    .reply_offset = call->reply_offset,
                                    .reply_capacity = call->reply_capacity,
                                    .capabilities_offset = call->capabilities_offset};
        switch (call_object(thread, entry, *node, call)) {
            case Outcome::taken: hand_over_unfinished(thread); break;
            case Outcome::ended: return Progress::switched;
            case Outcome::zero: return Progress::zero;
            case Outcome::again: return Progress::again;
            case Outcome::blocked: KERNEL_ASSERT(false);  // its completion slot is reserved
        }
    }
    return Progress::run;
}

}  // namespace capos::kernel
