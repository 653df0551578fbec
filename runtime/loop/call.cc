#include "runtime/loop/call.h"

#include <cstring>

namespace capos::runtime {

Answer* Answer::create(Loop& loop) {
    const u32 index = loop.take_answer();
    return index == Loop::kAnswers ? nullptr : new Answer{loop, index};
}

void Answer::release() {
    if (--holders_ != 0) return;
    loop_.finish_answer(index_);
    delete this;
}

Client Client::promised(Loop& loop, Answer* answer, u8 index) {
    Client client;
    client.loop_ = &loop;
    client.answer_ = answer;
    client.promise_ = index;
    answer->hold();
    return client;
}

Client& Client::operator=(Client&& other) noexcept {
    std::swap(loop_, other.loop_);
    std::swap(id_, other.id_);
    std::swap(answer_, other.answer_);
    std::swap(promise_, other.promise_);
    std::swap(owned_, other.owned_);
    return *this;
}

void Client::reset() {
    if (answer_ != nullptr) std::exchange(answer_, nullptr)->release();
    if (std::exchange(owned_, false)) loop_->release(id_);
    id_ = {};
}

bool PendingCall::prepare(const Client& target, u64 interface_id, u16 method, u32 params_bytes, u32 reply_bytes,
                          u8 result_slots) {
    params_ = loop_.arena().allocate(align8(params_bytes) + u32{abi::kCapabilitiesMax} * 8);
    if (params_.length == 0) return false;
    reply_ = loop_.arena().allocate(align8(static_cast<u32>(sizeof(abi::MessageHeader)) + reply_bytes));
    if (reply_.length == 0) {
        loop_.arena().free(std::exchange(params_, {}));
        return false;
    }
    entry_ = {.opcode = static_cast<u8>(abi::Opcode::call),
              .flags = static_cast<u8>(target.is_promise() ? abi::kPipelined : 0),
              .method = method,
              .result_slots = result_slots,
              .capability = target.target(),
              .interface_id = interface_id,
              .params_offset = params_.offset,
              .reply_offset = reply_.offset,
              .reply_capacity = reply_.length};
    state_ = State::prepared;
    deadline_ns_ = 0;
    return true;
}

void PendingCall::attach(CapabilityList& capabilities, usize params_length) {
    entry_.params_length = static_cast<u32>(params_length);
    entry_.capability_count = capabilities.count();
    if (capabilities.count() == 0) return;
    capabilities_ = std::move(capabilities);
    entry_.capabilities_offset = params_.offset + align8(entry_.params_length);
    std::memcpy(loop_.at(entry_.capabilities_offset), capabilities_.ids(), usize{capabilities_.count()} * 8);
}

void PendingCall::send() {
    if (state_ != State::prepared) return;
    state_ = State::sent;
    if (deadline_ns_ != kNoDeadline) {
        loop_.timers().arm(*this, deadline_ns_ != 0 ? deadline_ns_ : loop_.now() + kCallNs);
    }
    loop_.submit(entry_, this);
}

Answer* PendingCall::answer() {
    if (answer_ != nullptr || state_ != State::prepared) return answer_;
    answer_ = Answer::create(loop_);
    if (answer_ == nullptr) return nullptr;
    entry_.group = static_cast<u16>(answer_->index() + 1);
    send();
    return answer_;
}

void PendingCall::complete(const abi::Completion& completion) {
    completion_ = completion;
    state_ = State::ended;
    loop_.timers().disarm(*this);
    loop_.arena().free(std::exchange(params_, {}));
    capabilities_.clear();
    if (abandoned_) return recycle();
    if (continuation_ != nullptr) std::exchange(continuation_, nullptr)->proceed().resume();
}

void PendingCall::expired() {
    timed_out_ = true;
    loop_.cancel(*this);
}

Error PendingCall::error() const {
    const Status status = static_cast<Status>(completion_.status);
    if (timed_out_ && status == Status::cancelled) return Error{Status::timed_out};
    if (completion_.length == 0) return Error{status, completion_.method, {}};
    const std::span<const std::byte> text = loop_.ring().payload(completion_);
    return Error{status, completion_.method, {reinterpret_cast<const char*>(text.data()), text.size()}};
}

void PendingCall::abandon() {
    continuation_ = nullptr;
    if (state_ == State::sent) {
        abandoned_ = true;
        return loop_.cancel(*this);
    }
    recycle();
}

// Results that nobody took are released: they are in this process's table.
void PendingCall::recycle() {
    if (state_ == State::ended && !results_taken_ && completion_.status == static_cast<u16>(Status::ok)) {
        const ReceivedCapabilities unwanted{loop_, completion_};
    }
    loop_.arena().free(std::exchange(params_, {}));
    loop_.arena().free(std::exchange(reply_, {}));
    capabilities_.clear();
    if (answer_ != nullptr) std::exchange(answer_, nullptr)->release();
    abandoned_ = timed_out_ = results_taken_ = false;
    loop_.give_back(*this);
}

ReceivedCapabilities::ReceivedCapabilities(Loop& loop, const abi::Completion& completion) {
    for (const u64 id : loop.ring().capabilities(completion)) clients_.emplace(loop, abi::CapId{id});
}

}  // namespace capos::runtime
