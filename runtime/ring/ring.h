// ring.h - the user's side of the calling thread's ring region (layout and rules: abi/ring.h).
//
//      push, push, ...  ->  enter  ->  next, next, ...       batches: the caller matches completions by user data
//      perform(entry)                                         one entry, and its completion
//      collect(notification)                                  its bits, waiting for them
//      post(entry)                                            one entry that is silent on success
//
// One Ring per region, used by its own thread only. No allocation. User data with bit 63 set belongs to perform and post; all
// other values are the caller's. Completions of others that arrive while perform waits stay in the queue, in order.
//
// The indices that this side owns are kept here and only published: what another thread of the process writes over them costs
// that process its own ring, nothing else.
#pragma once

#include <atomic>
#include <optional>
#include <span>

#include "formats/support/result.h"
#include "runtime/ring/entries.h"
#include "runtime/ring/system_call.h"

namespace capos::runtime {

class Ring {
public:
    static constexpr u32 kEntriesMax = 512;
    static constexpr u64 kPrivate = u64{1} << 63;  // in user data

    // Errors: bad_argument when `region` does not start with the header of a ring of this version.
    static Result<Ring, Status> attach(std::byte* region);
    Ring(Ring&&) = default;
    Ring& operator=(Ring&&) = delete;
    Ring(const Ring&) = delete;

    abi::RingHeader& header() const { return *header_; }

    // --- submissions ---
    // False when the queue is full: enter first.
    bool push(const abi::Submission& entry) {
        if (unsubmitted() == sq_entries_) return false;
        submissions_[sq_tail_ & (sq_entries_ - 1)] = entry;
        ++sq_tail_;
        return true;
    }
    // Shows the kernel what was pushed, for a system call that is made by hand.
    void publish() {
        // pairs with the kernel's acquire in enter
        std::atomic_ref{header_->sq_tail}.store(sq_tail_, std::memory_order_release);
    }
    // Pushed, but not yet taken by the kernel.
    u32 unsubmitted() const { return sq_tail_ - sq_taken_; }

    // Hands over all that was pushed, and waits until `min_complete` completions are unread or the deadline passes. The kernel
    // takes fewer entries when its records for unfinished ones are used up: take completions, then enter again.
    Status enter(u32 min_complete = 0, u64 deadline_ns = kNoDeadline) {
        publish();
        const abi::EnterResult result = runtime::enter(unsubmitted(), min_complete, deadline_ns);
        sq_taken_ += result.consumed();
        return result.status();
    }

    // The shortest way to call, and to answer and wait for the next call: the entry goes in registers, and its completion may
    // come back in them. Only without capabilities, and with at most abi::kRegisterCallBytesMax of payload. Returns the oldest
    // completion; nothing when the kernel had no record for the entry, or the deadline passed.
    std::optional<abi::Completion> call_in_registers(const abi::Submission& call, u64 deadline_ns = kNoDeadline) {
        return first_of(enter_with_call(call, deadline_ns));
    }
    std::optional<abi::Completion> reply_in_registers(const abi::Submission& reply, u64 deadline_ns = kNoDeadline) {
        return first_of(enter_with_reply(reply, deadline_ns));
    }

    // --- completions ---
    // Includes those that were taken out of order and still occupy their slots.
    u32 unread() const {
        // pairs with the kernel's release when it posts
        return std::atomic_ref{header_->cq_tail}.load(std::memory_order_acquire) - cq_head_;
    }
    std::optional<abi::Completion> next();
    // The completion with that user data, wherever it stands in the queue.
    std::optional<abi::Completion> take(u64 user_data);

    // --- one entry ---
    // Submits it with a user data of its own and waits for its completion; cancels it when the deadline passes first. Errors:
    // overloaded when the ring has no room; timed_out. How the entry itself ended is the completion's status.
    Result<abi::Completion, Status> perform(abi::Submission entry, u64 deadline_ns = kNoDeadline);
    // Collects the bits of a notification once, waiting until there are some. Errors: as perform, and the status of the
    // RECEIVE.
    Result<u64, Status> collect(abi::CapId notification, u64 deadline_ns = kNoDeadline);
    // For RETURN, RELEASE, FINISH, SIGNAL and WAKE, which complete only when they fail. Errors: what the kernel said;
    // overloaded.
    Result<void, Status> post(abi::Submission entry);

    // --- arena ---
    // Sets a piece of the arena aside, for ever. Errors: quota.
    Result<ArenaRange, Status> reserve(u32 bytes);
    std::byte* at(u32 offset) const { return arena_ + offset; }
    std::span<std::byte> bytes(ArenaRange range) const { return {arena_ + range.offset, range.length}; }
    u32 arena_bytes() const { return arena_bytes_; }
    // Where the part that was not set aside begins.
    u32 arena_used() const { return arena_next_; }
    // The monotonic clock, in ns since boot, without a system call; the scale is in the ring's header.
    u64 now() const { return runtime::now_ns(*header_); }
    const abi::MessageHeader& message_header(const abi::Completion& completion) const {
        return *reinterpret_cast<const abi::MessageHeader*>(arena_ + completion.offset);
    }
    std::span<const std::byte> payload(const abi::Completion& completion) const {
        return {arena_ + completion.offset + sizeof(abi::MessageHeader), completion.length};
    }
    std::span<const u64> capabilities(const abi::Completion& completion) const {
        const usize count =
            completion.capability_count < abi::kCapabilitiesMax ? completion.capability_count : abi::kCapabilitiesMax;
        return {message_header(completion).capabilities, count};
    }

private:
    Ring() = default;

    std::optional<abi::Completion> first_of(const RegisterResult& entered) {
        if (entered.result.in_registers()) return entered.completion;
        return next();
    }
    u64 private_id() { return kPrivate | ++private_ids_; }
    bool taken(u32 index) const { return (taken_[slot(index) / 64] >> slot(index) % 64 & 1) != 0; }
    void set_taken(u32 index, bool value);
    u32 slot(u32 index) const { return index & (cq_entries_ - 1); }
    void advance();
    Result<abi::Completion, Status> await(u64 user_data, u64 deadline_ns);
    Status cancel_and_take(u64 user_data);

    abi::RingHeader* header_{};
    abi::Submission* submissions_{};
    const abi::Completion* completions_{};
    std::byte* arena_{};
    u32 sq_entries_{};
    u32 cq_entries_{};
    u32 arena_bytes_{};
    u32 sq_tail_{};
    u32 sq_taken_{};
    u32 cq_head_{};
    u32 taken_count_{};   // completions behind cq_head_ that take() removed
    u32 arena_next_{};
    u64 private_ids_{};
    u64 taken_[kEntriesMax / 64]{};
};

}  // namespace capos::runtime
