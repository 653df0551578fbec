// Waiting without a peer: words of shared memory, times, notifications.

#include "core/kernel.h"

namespace capos::kernel {

// The word at a user address, through the thread's own mappings: the same word of one memory has one name in every process.
std::optional<Kernel::Word> Kernel::word_at(Thread& thread, u64 address) const {
    if (address % sizeof(u32) != 0) return std::nullopt;
    const Region* region = thread.process().space->region_at(VirtualAddress{address});
    if (region == nullptr || region->memory == nullptr) return std::nullopt;
    return Word{region->memory, region->first_page * kPageBytes + (address - region->start.value)};
}

// A word that nobody touched is 0.
u32 Kernel::read_word(Word word) const {
    const auto frame = word.memory->frame(word.offset / kPageBytes);
    if (!frame) return 0;
    return read_shared_acquire(*reinterpret_cast<const u32*>(port::direct_map(frame->address) + word.offset % kPageBytes));
}

// Compare and enqueue are one step: whoever changes the word and then wakes cannot be missed.
Kernel::Outcome Kernel::submit_wait(Thread& thread, const abi::Submission& entry) {
    if (thread.ring.free_slots() == 0) return Outcome::blocked;
    const std::optional<Word> word = word_at(thread, entry.capability);
    if (!word) return end_entry(thread, entry, Status::bad_argument);
    if (read_word(*word) != static_cast<u32>(entry.interface_id)) return end_entry(thread, entry, Status::ok);
    Pending* wait = thread.ring.take_pending();
    if (wait == nullptr) return Outcome::blocked;

    // Point of no return.
    wait->what = PendingKind::wait;
    wait->owner = &thread;
    wait->user_data = entry.user_data;
    wait->memory = word->memory;
    wait->word_key = word->memory->next_word_key(word->offset);
    word->memory->waiters.insert(*wait);
    entry_pending_ = wait;
    return Outcome::taken;
}

// Wakes those that wait for the word, in order of arrival, at most `argument` of them.
Kernel::Outcome Kernel::submit_wake(Thread& thread, const abi::Submission& entry) {
    const std::optional<Word> word = word_at(thread, entry.capability);
    if (!word) {
        thread.enter.woken = 0;
        return end_entry(thread, entry, Status::bad_argument);
    }
    const u64 first = Memory::word_key(word->offset), end = Memory::word_key(word->offset + sizeof(u32));
    u64& woken = thread.enter.woken;
    for (; woken < entry.argument; ++woken) {
        Pending* wait = word->memory->waiters.at_or_above(first);
        if (wait == nullptr || wait->word_key >= end) break;
        if (here_->steps_left == 0) return Outcome::again;
        --here_->steps_left;
        word->memory->waiters.erase(*wait);
        complete(*wait, Status::ok);
    }
    woken = 0;
    return Outcome::taken;
}

Kernel::Outcome Kernel::submit_timer(Thread& thread, const abi::Submission& entry) {
    if (thread.ring.free_slots() == 0) return Outcome::blocked;
    if (entry.argument <= now_.ns) return end_entry(thread, entry, Status::ok);
    Pending* timer = thread.ring.take_pending();
    if (timer == nullptr) return Outcome::blocked;

    // Point of no return.
    timer->what = PendingKind::timer;
    timer->owner = &thread;
    timer->user_data = entry.user_data;
    timer->deadline_ns = entry.argument;
    timer->timer_cpu = here_;
    here_->timers.insert(*timer);
    here_->timer_stale = true;
    entry_pending_ = timer;
    return Outcome::taken;
}

Kernel::Outcome Kernel::submit_signal(Thread& thread, const abi::Submission& entry) {
    const auto node = thread.process().table.lookup(nodes_, abi::CapId{entry.capability});
    if (!node) return end_entry(thread, entry, node.error());
    if ((*node)->interface != Interface::notification) return end_entry(thread, entry, Status::wrong_interface);
    if (entry.argument == 0 || entry.argument >> Notification::kBits != 0) {
        return end_entry(thread, entry, Status::bad_argument);
    }
    signal(static_cast<Notification&>(*(*node)->object), entry.argument);
    return Outcome::taken;
}

void Kernel::signal(Notification& notification, u64 bits) {
    notification.bits |= bits;
    look_at_notification(notification);
}

}  // namespace capos::kernel
