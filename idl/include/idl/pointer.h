// pointer.h - the words of a Cap'n Proto message (capnproto.org/encoding.html): what flat.h and wire.h are built on.
// Freestanding; pure functions of one word, or of bytes that the caller has checked.
#pragma once

#include <bit>
#include <cstddef>
#include <span>
#include <string_view>

#include "abi/types.h"

namespace capos::idl {

// Which of the capabilities that travel with a message a field means: a position in the entry's capability list.
struct CapabilityIndex {
    static constexpr u8 kAbsent = 0xff;
    u8 value{kAbsent};
    constexpr bool present() const { return value != kAbsent; }
    constexpr bool operator==(const CapabilityIndex&) const = default;
};

namespace wire {

static_assert(std::endian::native == std::endian::little, "fields are copied to and from the wire as they are");

using Bytes = std::span<const std::byte>;

inline constexpr usize kWordBytes = 8;

// The builtins, as a freestanding build doesn't inline std::memcpy. Alignment does not matter.
template <typename T>
T load(const std::byte* from) {
    T value;
    __builtin_memcpy(&value, from, sizeof(T));
    return value;
}
template <typename T>
void store(std::byte* to, T value) {
    __builtin_memcpy(to, &value, sizeof(T));
}

enum Kind : u64 { kStruct = 0, kList = 1, kOther = 3 };  // kind 2, far pointers, does not exist in one segment

// Element size codes of list pointers.
inline constexpr u64 kVoidElements = 0, kBitElements = 1, kByteList = 2, kPointerElements = 6, kStructElements = 7;
inline constexpr u64 kListCountMax = (u64{1} << 29) - 1;

constexpr u64 kind(u64 pointer) { return pointer & 3; }
// Words from the end of the pointer to its target.
constexpr i64 offset(u64 pointer) { return static_cast<i32>(static_cast<u32>(pointer)) >> 2; }
constexpr u64 data_words(u64 pointer) { return pointer >> 32 & 0xffff; }
constexpr u64 pointers(u64 pointer) { return pointer >> 48; }
constexpr u64 element_size(u64 pointer) { return pointer >> 32 & 7; }
constexpr u64 count(u64 pointer) { return pointer >> 35; }  // elements; of a struct list, the words behind its tag
constexpr u64 tag_count(u64 tag) { return static_cast<u32>(tag) >> 2; }
constexpr bool is_capability(u64 pointer) { return static_cast<u32>(pointer) == kOther; }
constexpr u64 capability(u64 pointer) { return pointer >> 32; }

constexpr u64 make_struct(i64 offset_words, u16 data_words, u16 pointers) {
    return static_cast<u32>(offset_words << 2) | u64{data_words} << 32 | u64{pointers} << 48;
}
constexpr u64 make_list(u64 offset_words, u64 element_size, u64 count) {
    return offset_words << 2 | kList | element_size << 32 | count << 35;
}
constexpr u64 make_capability(u8 index) { return u64{index} << 32 | kOther; }

// What the contents of a Text or Data field add to a message.
constexpr usize data_bytes(Bytes value) { return (value.size() + kWordBytes - 1) / kWordBytes * kWordBytes; }
constexpr usize text_bytes(std::string_view value) {
    return value.empty() ? 0 : (value.size() + kWordBytes) / kWordBytes * kWordBytes;
}

}  // namespace wire
}  // namespace capos::idl
