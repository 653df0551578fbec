// bytes.h - ByteReader: bounds-checked access to untrusted bytes. Pure, freestanding.
//
// Every parser in runtime/formats reads through it: an offset or length that leaves the input gives no value, never a wild
// read, and arithmetic on attacker-chosen numbers happens here, where it cannot wrap.
#pragma once

#include <cstring>
#include <optional>
#include <span>
#include <type_traits>

#include "abi/types.h"

namespace capos::formats {

using Bytes = std::span<const std::byte>;

// True if [offset, offset + length) lies inside `size` bytes; immune to wrap-around.
constexpr bool range_fits(u64 offset, u64 length, u64 size) { return offset <= size && length <= size - offset; }

class ByteReader {
public:
    constexpr ByteReader() = default;
    constexpr explicit ByteReader(Bytes bytes) : bytes_{bytes} {}

    constexpr usize size() const { return bytes_.size(); }
    constexpr Bytes bytes() const { return bytes_; }

    // A copy of the T at `offset`; nothing if it does not fit. T's alignment does not matter.
    template <typename T>
        requires std::is_trivially_copyable_v<T>
    std::optional<T> read(u64 offset) const {
        if (!range_fits(offset, sizeof(T), bytes_.size())) return std::nullopt;
        T value;
        std::memcpy(&value, bytes_.data() + offset, sizeof(T));
        return value;
    }

    // The bytes [offset, offset + length), or nothing if they leave the input.
    constexpr std::optional<Bytes> slice(u64 offset, u64 length) const {
        if (!range_fits(offset, length, bytes_.size())) return std::nullopt;
        return bytes_.subspan(static_cast<usize>(offset), static_cast<usize>(length));
    }

private:
    Bytes bytes_{};
};

}  // namespace capos::formats
