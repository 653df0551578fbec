// ring.h - one direction of a queue in shared memory: a single producer, a single consumer, and neither trusts the other. Pure.
//
// Layout (little-endian, offsets in bytes from a multiple of 64):
//        0  u32 tail      producer: entries put so far               (release; pairs with the consumer's acquire)
//       64  u32 head      consumer: entries taken so far             (release; pairs with the producer's acquire)
//       68  u32 asleep    consumer: 1 while it waits for a doorbell  (see sleep)
//      128  Entry[entries], a power of two of them
// Indices run freely and wrap at 2^32; a slot is `index & (entries - 1)`. Empty: head == tail. Full: tail - head == entries.
//
// Each side keeps its own index, and the geometry, in private memory: what the peer writes over them in the shared memory
// changes nothing. The peer's index is read once and checked: one that is impossible (more entries than there are, or
// fewer than it said before) breaks the ring, for good and for this side only. Entries are copied out once and looked at
// only then; what is in them is as untrusted as any message. Memory that vanishes reads as zeros (design §4.5), which is at
// worst such an impossible index.
//
// Doorbells: the consumer that finds nothing calls `sleep`; if that says true it waits for the notification. The producer rings
// when `put` or `publish` says so. The two sides can't both miss each other:
//
//        consumer                                 producer
//        asleep = 1                               tail = n
//        fence (seq_cst)                          fence (seq_cst)
//        tail == head? then it may wait           asleep == 1? then ring
//
// Whichever fence comes second sees the other's write.
#pragma once

#include <atomic>
#include <bit>
#include <cstring>
#include <optional>
#include <type_traits>

#include "abi/types.h"

namespace capos::runtime::queue {

inline constexpr usize kTailOffset = 0, kHeadOffset = 64, kAsleepOffset = 68, kEntriesOffset = 128;
inline constexpr u32 kEntriesMax = 4096;

constexpr bool valid_entries(u32 entries) { return std::has_single_bit(entries) && entries <= kEntriesMax; }

// Bytes of a ring with so many entries, a multiple of 64.
template <typename Entry>
constexpr usize ring_bytes(u32 entries) {
    return kEntriesOffset + (entries * sizeof(Entry) + 63) / 64 * 64;
}

namespace detail {

template <typename Entry>
class Side {
public:
    // True once the peer has broken the rules: nothing more comes of this ring.
    bool broken() const { return broken_; }

protected:
    static_assert(std::is_trivially_copyable_v<Entry> && sizeof(Entry) % 8 == 0);

    // `memory` starts at a multiple of 64 and has ring_bytes(entries); `entries` is our own number, not the peer's.
    Side(std::byte* memory, u32 entries) : memory_{memory}, mask_{entries - 1} {}

    std::atomic_ref<u32> word(usize offset) const { return std::atomic_ref{*reinterpret_cast<u32*>(memory_ + offset)}; }
    std::byte* slot(u32 index) const { return memory_ + kEntriesOffset + (index & mask_) * sizeof(Entry); }
    u32 entries() const { return mask_ + 1; }

    std::byte* memory_;
    u32 mask_;
    bool broken_{};
};

}  // namespace detail

template <typename Entry>
class Producer : public detail::Side<Entry> {
public:
    Producer(std::byte* memory, u32 entries) : detail::Side<Entry>{memory, entries} {}

    // Room for so many entries now. 0 also when the ring is broken.
    u32 room() {
        const u32 used = tail_ - known_head_;
        if (used < this->entries() || this->broken_) return this->broken_ ? 0 : this->entries() - used;
        const u32 head = this->word(kHeadOffset).load(std::memory_order_acquire);  // pairs with the release in Consumer::take
        // The consumer may have taken what was put, and takes nothing back.
        this->broken_ = tail_ - head > tail_ - known_head_;
        if (this->broken_) return 0;
        known_head_ = head;
        return this->entries() - (tail_ - known_head_);
    }

    // Writes an entry that the consumer does not see before `publish`. False when there is no room.
    bool write(const Entry& entry) {
        if (room() == 0) return false;
        std::memcpy(this->slot(tail_), &entry, sizeof entry);
        ++tail_;
        return true;
    }
    // Shows all that was written. True: the consumer sleeps, ring its doorbell.
    bool publish() {
        this->word(kTailOffset).store(tail_, std::memory_order_release);  // pairs with the acquire in Consumer::available
        std::atomic_thread_fence(std::memory_order_seq_cst);              // pairs with the fence in Consumer::sleep
        return this->word(kAsleepOffset).load(std::memory_order_relaxed) != 0;
    }

private:
    u32 tail_{};
    u32 known_head_{};  // the last possible value that was read
};

template <typename Entry>
class Consumer : public detail::Side<Entry> {
public:
    Consumer(std::byte* memory, u32 entries) : detail::Side<Entry>{memory, entries} {}

    // The next entry, copied out; the producer may use its place again.
    std::optional<Entry> take() {
        if (available() == 0) return std::nullopt;
        Entry entry;
        std::memcpy(&entry, this->slot(head_), sizeof entry);
        ++head_;
        this->word(kHeadOffset).store(head_, std::memory_order_release);  // pairs with the acquire in Producer::room
        return entry;
    }

    // Entries to take now. 0 also when the ring is broken.
    u32 available() {
        if (this->broken_) return 0;
        if (known_tail_ != head_) return known_tail_ - head_;
        const u32 tail = this->word(kTailOffset).load(std::memory_order_acquire);  // pairs with the release in publish
        this->broken_ = tail - head_ > this->entries();
        if (this->broken_) return 0;
        known_tail_ = tail;
        return known_tail_ - head_;
    }

    // Says that this side will wait for its doorbell. False: there is something to take (or the ring is broken), don't wait.
    bool sleep() {
        this->word(kAsleepOffset).store(1, std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with the fence in Producer::publish
        if (available() == 0 && !this->broken_) return true;
        awake();
        return false;
    }
    // After the doorbell: the producer need not ring until the next sleep.
    void awake() { this->word(kAsleepOffset).store(0, std::memory_order_relaxed); }

private:
    u32 head_{};
    u32 known_tail_{};  // the last possible value that was read
};

}  // namespace capos::runtime::queue
