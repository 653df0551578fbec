// types.h - one type per kind of number that the kernel computes with. Construction is explicit, and kinds don't mix.
#pragma once

#include <compare>

#include "abi/types.h"

namespace capos::kernel {

inline constexpr u64 kPageBytes = 4096;
inline constexpr unsigned kPageShift = 12;

// A number with a unit. Values of one kind add, subtract and compare with each other, never with another kind.
template <typename Tag, typename Rep = u64>
struct Quantity {
    Rep value{};

    constexpr Quantity() = default;
    constexpr explicit Quantity(Rep v) : value{v} {}
    constexpr auto operator<=>(const Quantity&) const = default;

    constexpr Quantity& operator+=(Quantity other) { return value = static_cast<Rep>(value + other.value), *this; }
    constexpr Quantity& operator-=(Quantity other) { return value = static_cast<Rep>(value - other.value), *this; }
    friend constexpr Quantity operator+(Quantity a, Quantity b) { return a += b; }
    friend constexpr Quantity operator-(Quantity a, Quantity b) { return a -= b; }
};

using PageCount = Quantity<struct PageCountTag>;
using ByteCount = Quantity<struct ByteCountTag>;
using Duration = Quantity<struct DurationTag>;  // nanoseconds

// An address: a byte count can be added to it, and two of a kind have a distance.
template <typename Tag>
struct Address {
    u64 value{};

    constexpr Address() = default;
    constexpr explicit Address(u64 v) : value{v} {}
    constexpr auto operator<=>(const Address&) const = default;

    constexpr bool page_aligned() const { return (value & (kPageBytes - 1)) == 0; }
    constexpr Address page_floor() const { return Address{value & ~(kPageBytes - 1)}; }
    constexpr u64 page_offset() const { return value & (kPageBytes - 1); }
    friend constexpr Address operator+(Address a, ByteCount n) { return Address{a.value + n.value}; }
    friend constexpr Address operator+(Address a, PageCount n) { return Address{a.value + n.value * kPageBytes}; }
    friend constexpr ByteCount operator-(Address a, Address b) { return ByteCount{a.value - b.value}; }
};

using PhysicalAddress = Address<struct PhysicalAddressTag>;
using VirtualAddress = Address<struct VirtualAddressTag>;
using IoAddress = Address<struct IoAddressTag>;  // what a device puts on the bus; translated by its IOMMU domain

constexpr ByteCount bytes_of(PageCount pages) { return ByteCount{pages.value * kPageBytes}; }
constexpr PageCount pages_for(ByteCount bytes) {
    return PageCount{bytes.value / kPageBytes + (bytes.value % kPageBytes != 0 ? 1 : 0)};
}

// A point on the monotonic clock: nanoseconds since boot.
struct Time {
    u64 ns{};
    constexpr auto operator<=>(const Time&) const = default;
    friend constexpr Time operator+(Time t, Duration d) { return Time{t.ns + d.value}; }
    friend constexpr Duration operator-(Time a, Time b) { return Duration{a.ns - b.ns}; }
};
inline constexpr Time kNever{~u64{0}};

// A CPU by its dense index, 0 = the boot CPU. Only the CPU table makes one from an APIC id, and an unknown id gives none (R13).
struct CpuId {
    u32 index{};
    constexpr auto operator<=>(const CpuId&) const = default;
};
inline constexpr u32 kCpusMax = 64;

}  // namespace capos::kernel
