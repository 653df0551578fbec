// endian.h - le<T>, be<T>: integers of on-disk and wire structures, byte-aligned and of fixed byte order. Pure, freestanding.
#pragma once

#include <array>
#include <bit>
#include <concepts>

#include "abi/types.h"

namespace capos::formats {

template <std::unsigned_integral T, std::endian Order>
class Ordered {
public:
    constexpr Ordered() = default;
    constexpr Ordered(T value) { store(value); }  // NOLINT(google-explicit-constructor): reads as an integer field
    constexpr operator T() const { return load(); }  // NOLINT(google-explicit-constructor)

    constexpr T load() const {
        const T raw = std::bit_cast<T>(bytes_);
        return Order == std::endian::native ? raw : std::byteswap(raw);
    }
    constexpr void store(T value) {
        bytes_ = std::bit_cast<decltype(bytes_)>(Order == std::endian::native ? value : std::byteswap(value));
    }

private:
    std::array<u8, sizeof(T)> bytes_{};
};

template <std::unsigned_integral T>
using le = Ordered<T, std::endian::little>;
template <std::unsigned_integral T>
using be = Ordered<T, std::endian::big>;

static_assert(sizeof(le<u64>) == 8 && alignof(le<u64>) == 1);

}  // namespace capos::formats
