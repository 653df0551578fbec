#include "core/ring.h"

#include <bit>

#include "core/ports.h"
#include "core/speculation.h"

namespace capos::kernel {

namespace {
constexpr u16 kNoReceived = 0xffff;
}

u32 RingGeometry::arena_offset() const {
    const u32 end = cq_offset() + cq_entries * u32{sizeof(abi::Completion)};
    return (end + u32{kPageBytes} - 1) & ~(u32{kPageBytes} - 1);
}

bool RingGeometry::valid() const {
    return std::has_single_bit(region_bytes) && region_bytes <= abi::kRegionBytesMax &&  //
           std::has_single_bit(sq_entries) && sq_entries <= kEntriesMax &&                //
           std::has_single_bit(cq_entries) && cq_entries <= kEntriesMax &&                //
           u64{arena_offset()} + kPageBytes <= region_bytes;
}

void Ring::initialise(const RingGeometry& geometry, std::byte* region, std::span<Pending> pending,
                      std::span<Received> received) {
    KERNEL_ASSERT(geometry.valid() && pending.size() == geometry.cq_entries && received.size() < kNoReceived);
    geometry_ = geometry;
    region_ = region;
    submissions_ = region + geometry.sq_offset();
    completions_ = region + geometry.cq_offset();
    arena_ = region + geometry.arena_offset();
    arena_bytes_ = geometry.arena_bytes();
    pending_ = pending;
    received_ = received;
    free_received_ = kNoReceived;

    abi::RingHeader& h = header();
    h.magic = abi::kRingMagic;
    h.version = abi::kRingVersion;
    h.region_bytes = geometry.region_bytes;
    h.sq_offset = geometry.sq_offset();
    h.sq_entries = geometry.sq_entries;
    h.cq_offset = geometry.cq_offset();
    h.cq_entries = geometry.cq_entries;
    h.arena_offset = geometry.arena_offset();
    h.arena_bytes = arena_bytes_;
    const port::ClockScale clock = port::clock_scale();
    h.clock_zero = clock.zero;
    h.clock_ns_per_tick = clock.ns_per_tick;
}

std::optional<u32> Ring::submissions() {
    const u32 count = read_shared_acquire(header().sq_tail) - sq_head_;
    if (count > geometry_.sq_entries) return std::nullopt;
    return count;
}

void Ring::consume_submission() { write_shared_release(header().sq_head, ++sq_head_); }

std::optional<u32> Ring::unread() {
    const u32 head = read_shared_acquire(header().cq_head);
    // The user can only have read what was posted since its last report.
    if (head - cq_head_ > cq_tail_ - cq_head_) return std::nullopt;
    cq_head_ = head;
    return cq_tail_ - head;
}

Pending* Ring::take_pending() {
    if (free_slots() == 0) return nullptr;
    ++reserved_;
    if (Pending* pending = free_pending_.pop_front()) return pending;
    KERNEL_ASSERT(fresh_pending_ < pending_.size());  // as many as there are completion slots
    return new (&pending_[fresh_pending_++]) Pending;
}

void Ring::complete(Pending& pending, abi::Completion completion) {
    completion.user_data = pending.user_data;
    drop_pending(pending);
    post(completion);
}

void Ring::drop_pending(Pending& pending) {
    KERNEL_ASSERT(reserved_ > 0 && !pending.queue_link.linked() && !pending.use_link.linked());
    --reserved_;
    pending.what = PendingKind::unused;
    free_pending_.push_front(pending);
}

Received* Ring::take_received() {
    Received* received;
    if (free_received_ != kNoReceived) {
        received = &received_[free_received_];
        free_received_ = received->next_free;
    } else if (fresh_received_ < received_.size()) {
        received = new (&received_[fresh_received_++]) Received;
    } else {
        return nullptr;
    }
    received->in_use = true;
    return received;
}

void Ring::free_received(Received& received) {
    KERNEL_ASSERT(received.in_use && received.through.node == nullptr);
    received.call = nullptr;
    received.lent = nullptr;
    received.in_use = false;
    received.cancel_unsaid = false;
    if (++received.generation == 0) return;  // a generation that would wrap retires its record
    received.next_free = free_received_;
    free_received_ = static_cast<u16>(&received - received_.data());
}

Received* Ring::find_received(u64 token) {
    const u64 index = token & 0xffff;
    if (index >= fresh_received_) return nullptr;
    Received& received = received_[clamp_index(index, fresh_received_)];
    return received.in_use && u64{received.generation} << 16 == (token & ~u64{0xffff}) ? &received : nullptr;
}

u64 Ring::token_of(const Received& received) const {
    return u64{received.generation} << 16 | static_cast<u64>(&received - received_.data());
}

}  // namespace capos::kernel
