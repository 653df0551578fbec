#include "runtime/loop/arena.h"

#include <bit>

namespace capos::runtime {

namespace {

// A mask of `count` ones, 1..64.
constexpr u64 ones(u32 count) { return ~u64{0} >> (64 - count); }

}  // namespace

Arena::Arena(u32 first_offset, u32 bytes)
    : start_{first_offset}, unit_count_{bytes / kUnitBytes}, free_units_{unit_count_},
      words_((unit_count_ + kWordUnits - 1) / kWordUnits, 0) {
    for (u32 unit = unit_count_; unit < words_.size() * kWordUnits; ++unit) {
        words_[unit / kWordUnits] |= u64{1} << unit % kWordUnits;
    }
}

ArenaRange Arena::allocate(u32 bytes) {
    const u32 units = units_of(bytes);
    const i64 unit = units <= kWordUnits ? find_in_word(units) : find_long(units);
    if (unit < 0) return {};
    set(static_cast<u32>(unit), units, true);
    free_units_ -= units;
    return {start_ + static_cast<u32>(unit) * kUnitBytes, bytes};
}

void Arena::free(ArenaRange range) {
    if (range.length == 0) return;
    const u32 units = units_of(range.length);
    set((range.offset - start_) / kUnitBytes, units, false);
    free_units_ += units;
}

// After k steps a bit of `runs` is set where a run of free units of the length so far begins.
i64 Arena::find_in_word(u32 units) const {
    for (u32 word = 0; word < words_.size(); ++word) {
        u64 runs = ~words_[word];
        u32 length = 1;
        while (length < units && runs != 0) {
            const u32 step = length < units - length ? length : units - length;
            runs &= runs >> step;
            length += step;
        }
        if (runs != 0) return i64{word} * kWordUnits + std::countr_zero(runs);
    }
    return -1;
}

i64 Arena::find_long(u32 units) const {
    u32 run = 0;
    for (u32 unit = 0; unit < unit_count_; ++unit) {
        run = used(unit) ? 0 : run + 1;
        if (run == units) return i64{unit} - units + 1;
    }
    return -1;
}

void Arena::set(u32 first, u32 units, bool used) {
    while (units != 0) {
        const u32 bit = first % kWordUnits, count = units < kWordUnits - bit ? units : kWordUnits - bit;
        const u64 mask = ones(count) << bit;
        u64& word = words_[first / kWordUnits];
        word = used ? word | mask : word & ~mask;
        first += count;
        units -= count;
    }
}

}  // namespace capos::runtime
