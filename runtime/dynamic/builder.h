// builder.h - Builder: the words of a message while it is put together. Pure.
//
// Parts are taken one behind the other; a position is in words from the beginning. Word 0 is the root pointer.
#pragma once

#include <bit>
#include <cstring>
#include <optional>
#include <vector>

#include "abi/ring.h"
#include "idl/pointer.h"

namespace capos::dynamic {

namespace wire = idl::wire;

class Builder {
public:
    Builder() : bytes_(wire::kWordBytes) {}

    // Zeroed words at the end; nothing when the message would become too large.
    std::optional<u64> take(u64 words) {
        const u64 at = bytes_.size() / wire::kWordBytes;
        if (words > abi::kMessageBytesMax / wire::kWordBytes - at) return std::nullopt;
        bytes_.resize(bytes_.size() + words * wire::kWordBytes);
        return at;
    }

    void set_word(u64 at, u64 value) { wire::store(bytes_.data() + at * wire::kWordBytes, value); }

    // Adds bits to zeroed ones.
    void set_bits(u64 at, u64 bit, u64 value) {
        std::byte* const word = bytes_.data() + (at + bit / 64) * wire::kWordBytes;
        wire::store(word, wire::load<u64>(word) | value << bit % 64);
    }

    // Makes the pointer at `position` lead to what starts at `target`, which lies behind it.
    void point_to_struct(u64 position, u64 target, u16 data_words, u16 pointers) {
        // An empty struct points at itself; all zero would be a null pointer.
        const bool is_empty = data_words == 0 && pointers == 0;
        set_word(position, wire::make_struct(is_empty ? -1 : static_cast<i64>(target - position - 1), data_words, pointers));
    }
    void point_to_list(u64 position, u64 target, u64 element_size, u64 count) {
        set_word(position, wire::make_list(target - position - 1, element_size, count));
    }

    void copy(u64 at, const void* from, usize bytes) {
        if (bytes != 0) std::memcpy(bytes_.data() + at * wire::kWordBytes, from, bytes);
    }

    std::vector<std::byte> finish() { return std::move(bytes_); }

private:
    std::vector<std::byte> bytes_;
};

}  // namespace capos::dynamic
