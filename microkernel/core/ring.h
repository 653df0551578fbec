// ring.h - the kernel's side of one thread's ring region (layout and rules: abi/ring.h).
//
// Guarded by the kernel lock. Geometry, sq_head and cq_tail are the kernel's own copies; of the region itself only sq_tail,
// cq_head, entries and messages are read, each once. Completion slots are counted, so that posting never fails: a Pending
// record owns the slot of its terminal completion, and an event is posted only while an unreserved slot is free.
#pragma once

#include <optional>
#include <span>

#include "core/account.h"
#include "core/records.h"
#include "core/shared.h"

namespace capos::kernel {

struct RingGeometry {
    u32 region_bytes{abi::kRegionBytesDefault};
    u32 sq_entries{abi::kSubmissionEntriesDefault};
    u32 cq_entries{abi::kCompletionEntriesDefault};

    u32 sq_offset() const { return sizeof(abi::RingHeader); }
    u32 cq_offset() const { return sq_offset() + sq_entries * u32{sizeof(abi::Submission)}; }
    u32 arena_offset() const;
    u32 arena_bytes() const { return region_bytes - arena_offset(); }
    // Powers of two, at least one page of arena, and no more than the maximum.
    bool valid() const;
    static constexpr u32 kEntriesMax = 512;  // bounds the search of CANCEL
};

// What stands in front of a call's message in its receiver's arena.
inline void write_header(abi::MessageHeader& header, const Node& facet, u64 interface_id) {
    header.badge = facet.badge;
    header.interface_id = interface_id;
    header.incarnation = facet.incarnation;
    header.reserved = 0;
}

class Ring {
public:
    // `region` is zeroed and belongs to the thread. `pending` and `received` are storage for cq_entries records each, which are
    // constructed when they are first needed.
    void initialise(const RingGeometry& geometry, std::byte* region, std::span<Pending> pending, std::span<Received> received);

    // Entries that the user has published and the kernel has not taken. Nothing: the indices are impossible, a fault.
    std::optional<u32> submissions();
    abi::Submission next_submission() const { return snapshot_shared<abi::Submission>(next_slot()); }
    // Where it lies: user memory.
    const std::byte* next_slot() const {
        return submissions_ + (sq_head_ & (geometry_.sq_entries - 1)) * sizeof(abi::Submission);
    }
    void consume_submission();

    // Completions that the user has not read. Nothing: the index is impossible, a fault.
    std::optional<u32> unread();
    // The same from the kernel's last reading of cq_head: for a thread that is not running.
    u32 unread_known() const { return cq_tail_ - cq_head_; }
    // Slots that no Pending record owns.
    u32 free_slots() const { return geometry_.cq_entries - (cq_tail_ - cq_head_) - reserved_; }

    // Null when no completion slot is free, and so no record: the entry is then not consumed.
    Pending* take_pending();
    // Posts the record's terminal completion and frees it.
    void complete(Pending& pending, abi::Completion completion);
    // Frees the record without a completion: an opcode that is silent on success.
    void drop_pending(Pending& pending);
    // Posts an event; only while free_slots() > 0.
    void post(const abi::Completion& completion) {
        KERNEL_ASSERT(free_slots() > 0);
        const u32 slot = cq_tail_ & (geometry_.cq_entries - 1);
        __builtin_memcpy(completions_ + slot * sizeof(abi::Completion), &completion, sizeof completion);
        write_shared_release(header().cq_tail, ++cq_tail_);
    }

    Received* take_received();
    void free_received(Received& received);
    Received* find_received(u64 token);
    u64 token_of(const Received& received) const;

    // True if [offset, offset + bytes) lies in the arena and offset is a multiple of 8. So does the end rounded up to 8 then,
    // because the arena is a whole number of pages.
    bool arena_fits(u32 offset, u64 bytes) const {
        return offset % 8 == 0 && offset <= arena_bytes_ && bytes <= arena_bytes_ - offset;
    }
    std::byte* arena(u32 offset) const { return arena_ + offset; }
    u32 arena_bytes() const { return arena_bytes_; }
    abi::RingHeader& header() const { return *reinterpret_cast<abi::RingHeader*>(region_); }

    // The records that were ever used.
    std::span<Pending> pending() const { return pending_.first(fresh_pending_); }
    std::span<Received> received() const { return received_.first(fresh_received_); }
    const RingGeometry& geometry() const { return geometry_; }
    u32 sq_head() const { return sq_head_; }
    u32 cq_tail() const { return cq_tail_; }
    BufferGroup groups[kBufferGroups];
    Answer answers[kAnswers];

private:
    RingGeometry geometry_;
    std::byte* region_{};
    std::byte* submissions_{};
    std::byte* completions_{};
    std::byte* arena_{};
    u32 arena_bytes_{};
    u32 sq_head_{};
    u32 cq_tail_{};
    u32 cq_head_{};   // the last value read from the user that was possible
    u32 reserved_{};  // slots owned by Pending records
    std::span<Pending> pending_;
    std::span<Received> received_;
    List<Pending, &Pending::queue_link> free_pending_;
    u32 fresh_pending_{};   // records never used so far begin here
    u32 fresh_received_{};
    u16 free_received_{};
};

}  // namespace capos::kernel
