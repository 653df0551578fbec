#include "runtime/loop/timers.h"

namespace capos::runtime {

void Timers::put(u32 place, Deadline& deadline) {
    heap_[place] = &deadline;
    deadline.place_ = place;
}

void Timers::up(u32 place) {
    Deadline& moved = *heap_[place];
    while (place != 0) {
        const u32 parent = (place - 1) / 2;
        if (heap_[parent]->at_ns_ <= moved.at_ns_) break;
        put(place, *heap_[parent]);
        place = parent;
    }
    put(place, moved);
}

void Timers::down(u32 place) {
    Deadline& moved = *heap_[place];
    const u32 count = static_cast<u32>(heap_.size());
    while (true) {
        u32 child = 2 * place + 1;
        if (child >= count) break;
        if (child + 1 < count && heap_[child + 1]->at_ns_ < heap_[child]->at_ns_) ++child;
        if (heap_[child]->at_ns_ >= moved.at_ns_) break;
        put(place, *heap_[child]);
        place = child;
    }
    put(place, moved);
}

void Timers::arm(Deadline& deadline, u64 at_ns) {
    disarm(deadline);
    deadline.at_ns_ = at_ns;
    heap_.push_back(&deadline);
    deadline.place_ = static_cast<u32>(heap_.size() - 1);
    up(deadline.place_);
}

void Timers::disarm(Deadline& deadline) {
    if (!deadline.armed()) return;
    const u32 place = deadline.place_;
    Deadline& last = *heap_.back();
    heap_.pop_back();
    deadline.place_ = Deadline::kNotArmed;
    if (&last == &deadline) return;
    put(place, last);
    up(place);
    down(last.place_);
}

bool Timers::expire(u64 now_ns) {
    bool any = false;
    while (!heap_.empty() && heap_.front()->at_ns_ <= now_ns) {
        Deadline& first = *heap_.front();
        disarm(first);
        first.expired();
        any = true;
    }
    return any;
}

}  // namespace capos::runtime
