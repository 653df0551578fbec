// call.h - calls as operations: encode now, send when awaited, decode at the end.
//
//      auto reply = co_await disk.read(7, 1);                  // send and wait; an error leaves the coroutine
//      auto reply = co_await disk.read(7, 1).within(1_s);      // with a deadline other than kCallNs
//      auto file = directory.open("x");                        // Call<Open>, not sent yet
//      auto size = co_await file.promise().size();             // both are sent; one wait for the two
//
// Parameters are encoded when the method is called, into the ring's arena, so that views among them need to live no longer than
// that. A Call is move-only. Destroying one that has not ended cancels it: it may or may not have happened.
#pragma once

#include <algorithm>
#include <memory>
#include <type_traits>

#include "runtime/loop/client.h"
#include "runtime/loop/loop.h"

namespace capos::runtime {

inline constexpr u64 kCallNs = 30'000'000'000;       // the deadline of a call that names none
inline constexpr u32 kReplyBytesUsual = 2048;        // room for a reply whose size is not fixed, without its header

// One call: its entry, its buffers, and who waits for it. Lives in the loop's pool and moves for nobody.
class PendingCall final : public Completable, public Deadline {
public:
    explicit PendingCall(Loop& loop) : loop_{loop} {}

    // Sets the call up with room for its parameters (at params()) and for the reply. False when the arena has none.
    bool prepare(const Client& target, u64 interface_id, u16 method, u32 params_bytes, u32 reply_bytes, u8 result_slots);
    std::span<std::byte> params() { return loop_.bytes(params_); }
    void attach(CapabilityList& capabilities, usize params_length);
    void set_deadline(u64 at_ns) { deadline_ns_ = at_ns; }

    void send();
    bool ended() const { return state_ == State::ended; }
    void wait(Continuation& continuation) { continuation_ = &continuation; }
    // The answer that this call fills, for promises of its results. Null when none is free, or the call was sent without one.
    Answer* answer();

    Loop& loop() const { return loop_; }
    const abi::Completion& completion() const { return completion_; }
    Error error() const;
    ArenaRange take_reply() { return std::exchange(reply_, {}); }
    void results_taken() { results_taken_ = true; }
    CapabilityList& capabilities() { return capabilities_; }

    // The owner has lost interest: cancels what is under way, and goes back to the pool in the end.
    void abandon();

    void complete(const abi::Completion& completion) override;
    void expired() override;

private:
    enum class State : u8 { prepared, sent, ended };
    void recycle();

    Loop& loop_;
    State state_{State::prepared};
    bool abandoned_{};
    bool timed_out_{};
    bool results_taken_{};
    abi::Submission entry_{};
    ArenaRange params_, reply_;
    CapabilityList capabilities_;
    u64 deadline_ns_{};
    Answer* answer_{};
    Continuation* continuation_{};
    abi::Completion completion_{};
};

// A reply's buffer: what Text, Data and lists among the results point into, for as long as this lives.
class ReplyHold {
public:
    ReplyHold() = default;
    ReplyHold(Loop& loop, ArenaRange buffer) : loop_{&loop}, buffer_{buffer} {}
    ReplyHold(ReplyHold&& other) noexcept { *this = std::move(other); }
    ReplyHold& operator=(ReplyHold&& other) noexcept {
        std::swap(loop_, other.loop_);
        std::swap(buffer_, other.buffer_);
        return *this;
    }
    ~ReplyHold() {
        if (loop_ != nullptr) loop_->arena().free(buffer_);
    }

private:
    Loop* loop_{};
    ArenaRange buffer_;
};

// The capabilities that came with a message, to be taken out one by one; what is not taken is released.
class ReceivedCapabilities {
public:
    ReceivedCapabilities(Loop& loop, const abi::Completion& completion);
    template <typename T = Client>
    T take(u8 index) {
        return index < clients_.size() ? T{std::move(clients_[index])} : T{};
    }

private:
    Few<Client, abi::kCapabilitiesMax> clients_;
};

// A call of `Method`, a generated struct with Params, Results and Reply: void, or what the caller gets.
template <typename Method>
class [[nodiscard]] Call {
public:
    using Reply = typename Method::Reply;

    explicit Call(Error error) : error_{std::make_unique<Error>(std::move(error))} {}
    explicit Call(PendingCall& call) : call_{&call} {}
    Call(Call&& other) noexcept : call_{std::exchange(other.call_, nullptr)}, error_{std::move(other.error_)} {}
    Call& operator=(Call&&) = delete;
    ~Call() {
        if (call_ != nullptr) call_->abandon();
    }

    Call&& within(u64 ns) && {
        if (call_ != nullptr) call_->set_deadline(call_->loop().now() + ns);
        return std::move(*this);
    }
    // Waits for as long as it takes: for calls that end when something happens.
    Call&& unbounded() && {
        if (call_ != nullptr) call_->set_deadline(kNoDeadline);
        return std::move(*this);
    }
    // Sends it now; what it returns is taken later, by co_await.
    Call& send() & {
        if (call_ != nullptr) call_->send();
        return *this;
    }
    // The capability that it will return: the `index`-th of its results. Generated Calls have named functions for these.
    template <typename Interface>
    typename Interface::Client promised(u8 index) {
        if (call_ == nullptr) return {};
        Answer* answer = call_->answer();
        if (answer == nullptr) return {};
        return typename Interface::Client{Client::promised(call_->loop(), answer, index)};
    }

    // As an operation.
    bool ready() const { return error_ != nullptr || call_->ended(); }
    std::coroutine_handle<> start(Continuation& continuation) {
        call_->wait(continuation);
        call_->send();
        return std::noop_coroutine();
    }
    Outcome<Reply> take() {
        if (error_ != nullptr) return fail(std::move(*error_));
        const abi::Completion& completion = call_->completion();
        if (completion.status != static_cast<u16>(Status::ok)) return fail(call_->error());
        Loop& loop = call_->loop();
        ReceivedCapabilities capabilities{loop, completion};
        call_->results_taken();
        const std::span<const std::byte> message = loop.ring().payload(completion);
        const auto results = Method::Results::decode(message, completion.capability_count);
        if (!results) return fail(Error{Status::bad_message});
        if constexpr (std::is_void_v<Reply>) return done;
        else return Reply{*results, capabilities, ReplyHold{loop, call_->take_reply()}};
    }

private:
    PendingCall* call_{};
    std::unique_ptr<Error> error_;
};

// Starts a call: what generated client methods return. `params` is encoded at once.
template <typename Method>
Call<Method> make_call(const Client& target, const typename Method::Params& params, CapabilityList& capabilities) {
    if (target.loop() == nullptr) return Call<Method>{Error{Status::bad_capability}};
    const usize bytes = params.encoded_bytes();
    if (bytes > abi::kMessageBytesMax) return Call<Method>{Error{Status::failed, 0, "the message is larger than 8 KiB"}};
    constexpr bool kFixed = Method::Results::kFixedSize;
    constexpr u32 kReplyBytes =
        !kFixed ? kReplyBytesUsual : std::max<u32>(Method::Results::kBytesMin, abi::kObjectReplyBytesMin);
    PendingCall* call = target.loop()->take_call();
    if (!call->prepare(target, Method::kInterfaceId, Method::kOrdinal, static_cast<u32>(bytes), kReplyBytes,
                       Method::Results::kCapabilities)) {
        target.loop()->give_back(*call);
        return Call<Method>{Error{Status::overloaded, 0, "too many calls at once: the ring's arena is full"}};
    }
    call->attach(capabilities, params.encode(call->params()));
    return Call<Method>{*call};
}

}  // namespace capos::runtime
