#include "runtime/ring/ring.h"

#include <bit>

namespace capos::runtime {

namespace {

bool queue_fits(u32 offset, u64 entries, usize entry_bytes, u32 region_bytes) {
    return std::has_single_bit(entries) && entries <= Ring::kEntriesMax && offset % 8 == 0 &&
           offset >= sizeof(abi::RingHeader) && offset + entries * entry_bytes <= region_bytes;
}

}  // namespace

Result<Ring, Status> Ring::attach(std::byte* region) {
    abi::RingHeader& header = *reinterpret_cast<abi::RingHeader*>(region);
    if (header.magic != abi::kRingMagic || header.version != abi::kRingVersion) return fail(Status::bad_argument);
    const bool fits = queue_fits(header.sq_offset, header.sq_entries, sizeof(abi::Submission), header.region_bytes) &&
                      queue_fits(header.cq_offset, header.cq_entries, sizeof(abi::Completion), header.region_bytes) &&
                      header.arena_offset % 8 == 0 && header.arena_offset <= header.region_bytes &&
                      header.arena_bytes <= header.region_bytes - header.arena_offset &&
                      header.start_offset <= header.arena_bytes &&
                      header.start_length <= header.arena_bytes - header.start_offset;
    if (!fits) return fail(Status::bad_argument);

    Ring ring;
    ring.header_ = &header;
    ring.submissions_ = reinterpret_cast<abi::Submission*>(region + header.sq_offset);
    ring.completions_ = reinterpret_cast<const abi::Completion*>(region + header.cq_offset);
    ring.arena_ = region + header.arena_offset;
    ring.sq_entries_ = header.sq_entries;
    ring.cq_entries_ = header.cq_entries;
    ring.arena_bytes_ = header.arena_bytes;
    ring.sq_tail_ = ring.sq_taken_ = header.sq_tail;
    ring.cq_head_ = header.cq_head;
    ring.arena_next_ = align8(header.start_offset + header.start_length);
    return ring;
}

void Ring::set_taken(u32 index, bool value) {
    const u64 bit = u64{1} << slot(index) % 64;
    u64& word = taken_[slot(index) / 64];
    word = value ? word | bit : word & ~bit;
}

// Past the completion at the head, and past those behind it that were taken before.
void Ring::advance() {
    ++cq_head_;
    while (taken_count_ != 0 && taken(cq_head_)) {
        set_taken(cq_head_, false);
        --taken_count_;
        ++cq_head_;
    }
    // pairs with the kernel's acquire in enter
    std::atomic_ref{header_->cq_head}.store(cq_head_, std::memory_order_release);
}

std::optional<abi::Completion> Ring::next() {
    if (unread() == 0) return std::nullopt;
    const abi::Completion completion = completions_[slot(cq_head_)];
    advance();
    return completion;
}

std::optional<abi::Completion> Ring::take(u64 user_data) {
    const u32 count = unread();
    for (u32 i = 0; i < count && i < cq_entries_; ++i) {
        const u32 index = cq_head_ + i;
        const abi::Completion& completion = completions_[slot(index)];
        if (completion.user_data != user_data || (taken_count_ != 0 && taken(index))) continue;
        const abi::Completion found = completion;
        if (i == 0) {
            advance();
        } else {
            set_taken(index, true);
            ++taken_count_;
        }
        return found;
    }
    return std::nullopt;
}

Result<abi::Completion, Status> Ring::perform(abi::Submission entry, u64 deadline_ns) {
    entry.user_data = private_id();
    if (!push(entry)) return fail(Status::overloaded);
    const Result<abi::Completion, Status> completion = await(entry.user_data, deadline_ns);
    if (!completion && completion.error() == Status::timed_out) return fail(cancel_and_take(entry.user_data));
    return completion;
}

// Enters until the completion is there. The entry was pushed last, or is with the kernel already.
Result<abi::Completion, Status> Ring::await(u64 user_data, u64 deadline_ns) {
    while (true) {
        const u32 others = unread();
        const Status status = enter(others + 1 < cq_entries_ ? others + 1 : cq_entries_, deadline_ns);
        if (const std::optional<abi::Completion> completion = take(user_data)) return *completion;
        if (unsubmitted() != 0) {
            --sq_tail_;  // the kernel had no record for it: take it back
            return fail(Status::overloaded);
        }
        if (status == Status::timed_out) return fail(Status::timed_out);
    }
}

// Ends an entry that nobody waits for any more, so that its buffers are free when this returns. A CANCEL completes after what
// it cancels, so that waiting for one is waiting for both.
Status Ring::cancel_and_take(u64 user_data) {
    const Result<abi::Completion, Status> cancelled = perform(entry::cancel(user_data));
    const std::optional<abi::Completion> completion = take(user_data);
    return cancelled && completion ? Status::timed_out : Status::overloaded;
}

Result<u64, Status> Ring::collect(abi::CapId notification, u64 deadline_ns) {
    const u64 user_data = private_id();
    if (!push(entry::tagged(entry::receive_signals(notification), user_data))) return fail(Status::overloaded);
    const Result<abi::Completion, Status> first = await(user_data, deadline_ns);
    if (!first) return fail(first.error() == Status::timed_out ? cancel_and_take(user_data) : first.error());
    if (first->kind != static_cast<u8>(abi::CompletionKind::signal)) return fail(static_cast<Status>(first->status));
    // The RECEIVE goes on until it is cancelled, and may have collected more.
    u64 bits = first->token;
    TRY(perform(entry::cancel(user_data)));
    while (const std::optional<abi::Completion> next = take(user_data)) {
        if (next->kind == static_cast<u8>(abi::CompletionKind::signal)) bits |= next->token;
    }
    return bits;
}

Result<void, Status> Ring::post(abi::Submission entry) {
    entry.user_data = private_id();
    if (!push(entry)) return fail(Status::overloaded);
    (void)enter();
    if (unsubmitted() != 0) {
        --sq_tail_;
        return fail(Status::overloaded);
    }
    const std::optional<abi::Completion> completion = take(entry.user_data);
    if (completion) return fail(static_cast<Status>(completion->status));
    return done;
}

Result<ArenaRange, Status> Ring::reserve(u32 bytes) {
    if (arena_next_ > arena_bytes_ || bytes > arena_bytes_ - arena_next_) return fail(Status::quota);
    const ArenaRange range{arena_next_, bytes};
    arena_next_ += align8(bytes);
    return range;
}

}  // namespace capos::runtime
