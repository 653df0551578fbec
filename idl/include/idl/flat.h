// flat.h - flat messages: reads and writes the Cap'n Proto structs that the kernel understands, without Cap'n Proto's library.
// Freestanding; no allocation, no exceptions. The generated `idl/kernel_messages.h` is a list of fields over these primitives.
//
// The format is Cap'n Proto's encoding (capnproto.org/encoding.html), restricted as the kernel's interfaces are (design §4.5):
// one segment, no segment table, one struct of integers, booleans, enumerants, Text, Data and capabilities.
//
// What is accepted. Bytes come from a hostile process; every rule is checked before anything is read, and what breaks one is
// no message (Status::bad_message):
//  - The length is a multiple of 8 and at most Layout::bytes_max. A message of length 0 has all fields at their defaults.
//  - Word 0 is a struct pointer (section "Structs"): kind 0, its target anywhere inside the message. A null root is an empty
//    struct. Far and double-far pointers (kind 2) are refused: there is one segment.
//  - The data and pointer sections may be shorter or longer than ours (section "Structs", evolution): what is missing reads as
//    zero, what is beyond is not looked at. Defaults other than zero do not exist; the generator refuses them.
//  - Text and Data are null or a list pointer (kind 1) to bytes (element size 2), wholly inside the message. The last byte
//    of a Text is zero and is not part of the value (section "Blobs"). Null reads as empty.
//  - A capability is null (absent) or a capability pointer (kind 3, bits 2..31 zero) whose index is below the number of
//    capabilities that came with the message (section "Capabilities").
// libcapnp is laxer in two things: it takes an empty struct or list whose pointer leaves the message, and an index beyond the
// capabilities received as a broken capability. Parts may overlap, as in libcapnp: nothing here is written.
//
// An enumerant that the schema does not name passes unchanged, as in Cap'n Proto; whoever switches on one has a default case.
// The views in a decoded struct (string_view, span) point into the message and live as long as it.
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

#include "abi/ring.h"
#include "abi/types.h"
#include "idl/pointer.h"

namespace capos::idl {

namespace flat {

using wire::Bytes, wire::kWordBytes, wire::load, wire::store;

inline constexpr usize kParamsBytesMax = 256;    // the kernel decodes from a private copy of at most this size
inline constexpr usize kResultsBytesMax = abi::kMessageBytesMax;

template <typename T>
concept Scalar = (std::integral<T> && !std::same_as<T, bool>) || std::is_enum_v<T>;

// The shape of one struct, as the schema compiler laid it out.
struct Layout {
    u16 data_words;
    u16 pointers;
    usize bytes_max;

    constexpr usize bytes_min() const { return kWordBytes * (1 + usize{data_words} + pointers); }
};

// What the contents of a Text or Data field add to a message.
using wire::data_bytes, wire::text_bytes;

// Where the sections of the root struct are, in words.
struct Root {
    u64 start;
    u64 data_words;
    u64 pointers;
};

// Any root pointer in a message of `words` words; nothing for one that breaks the rules.
inline std::optional<Root> parse_root(u64 pointer, u64 words) {
    const u64 start = static_cast<u64>(1 + wire::offset(pointer));  // a target before the message wraps, beyond any end
    const u64 data_words = wire::data_words(pointer), pointers = wire::pointers(pointer);
    if (wire::kind(pointer) != wire::kStruct || start > words || data_words + pointers > words - start) {
        return std::nullopt;
    }
    return Root{start, data_words, pointers};
}

// Reads the fields of one message. A field that breaks a rule makes the whole message invalid: look at valid() last.
class Reader {
public:
    Reader(Bytes message, Layout layout, u8 capability_count)
        : base_{message.data()}, words_{message.size() / kWordBytes}, capability_count_{capability_count} {
        if (message.size() % kWordBytes != 0 || message.size() > layout.bytes_max) return;
        if (message.empty()) {
            valid_ = true;
            return;
        }
        const u64 pointer = word(0);
        const u64 usual = wire::make_struct(0, layout.data_words, layout.pointers);
        const bool is_ours = message.size() >= layout.bytes_min() && pointer == usual;
        if (is_ours) {
            open({1, layout.data_words, layout.pointers});
        } else if (const auto root = parse_root(pointer, words_)) {
            open(*root);
        }
    }

    bool valid() const { return valid_; }

    template <Scalar T>
    T scalar(usize offset) const {
        return offset + sizeof(T) <= data_bytes_ ? load<T>(base_ + data_start_ + offset) : T{};
    }

    bool boolean(usize bit) const { return (scalar<u8>(bit / 8) >> bit % 8 & 1) != 0; }

    Bytes data(u16 index) {
        const u64 pointer = pointer_at(index);
        if (pointer == 0) return {};
        const std::optional<Bytes> bytes = byte_list(index, pointer);
        valid_ = valid_ && bytes.has_value();
        return bytes.value_or(Bytes{});
    }

    std::string_view text(u16 index) {
        const u64 pointer = pointer_at(index);
        if (pointer == 0) return {};
        const std::optional<Bytes> bytes = byte_list(index, pointer);
        if (!bytes || bytes->empty() || bytes->back() != std::byte{0}) {
            valid_ = false;
            return {};
        }
        return {reinterpret_cast<const char*>(bytes->data()), bytes->size() - 1};
    }

    CapabilityIndex capability(u16 index) {
        const u64 pointer = pointer_at(index);
        if (pointer == 0) return {};
        if (!wire::is_capability(pointer) || wire::capability(pointer) >= capability_count_) {
            valid_ = false;
            return {};
        }
        return CapabilityIndex{static_cast<u8>(wire::capability(pointer))};
    }

private:
    u64 word(usize index) const { return load<u64>(base_ + index * kWordBytes); }

    void open(Root root) {
        data_start_ = root.start * kWordBytes;
        data_bytes_ = root.data_words * kWordBytes;
        pointers_start_ = root.start + root.data_words;
        pointers_ = root.pointers;
        valid_ = true;
    }

    u64 pointer_at(u16 index) const { return index < pointers_ ? word(pointers_start_ + index) : 0; }

    std::optional<Bytes> byte_list(u16 index, u64 pointer) const {
        if (wire::kind(pointer) != wire::kList || wire::element_size(pointer) != wire::kByteList) return std::nullopt;
        const u64 start = pointers_start_ + index + 1 + static_cast<u64>(wire::offset(pointer));
        if (start > words_ || wire::count(pointer) > (words_ - start) * kWordBytes) return std::nullopt;
        return Bytes{base_ + start * kWordBytes, wire::count(pointer)};
    }

    const std::byte* base_;
    usize words_;
    usize data_start_{};      // in bytes
    usize data_bytes_{};      // 0 in an invalid message, so that every field of it reads as its default
    usize pointers_start_{};  // in words
    usize pointers_{};
    u8 capability_count_;
    bool valid_{};
};

// Writes one message: root pointer, data section, pointer section, then Text and Data in the order of the calls, each padded
// with zeros to a word. That is Cap'n Proto's canonical form but for sections that are not shortened.
class Writer {
public:
    // `out` has room for layout.bytes_min(): the caller looked. Fields are zero until they are set.
    Writer(std::span<std::byte> out, Layout layout)
        : base_{out.data()}, room_{out.size() < layout.bytes_max ? out.size() : layout.bytes_max}, used_{layout.bytes_min()},
          pointers_start_{1 + usize{layout.data_words}} {
        __builtin_memset(base_, 0, used_);
        // An empty struct points at itself; all zero would be a null pointer.
        set_word(0, wire::make_struct(used_ == kWordBytes ? -1 : 0, layout.data_words, layout.pointers));
    }

    template <Scalar T>
    void scalar(usize offset, T value) {
        store(base_ + kWordBytes + offset, value);
    }

    void boolean(usize bit, bool value) {
        base_[kWordBytes + bit / 8] |= static_cast<std::byte>(static_cast<unsigned>(value) << bit % 8);
    }

    void data(u16 index, Bytes value) {
        if (!value.empty()) byte_list(index, value.data(), value.size(), value.size());
    }

    void text(u16 index, std::string_view value) {
        if (!value.empty()) byte_list(index, value.data(), value.size(), value.size() + 1);
    }

    void capability(u16 index, CapabilityIndex value) {
        if (value.present()) set_word(pointers_start_ + index, wire::make_capability(value.value));
    }

    // Bytes written; 0 when a Text or Data had no room.
    usize finish() const { return overflowed_ ? 0 : used_; }

private:
    void set_word(usize index, u64 value) { store(base_ + index * kWordBytes, value); }

    // Copies `bytes` of a list that counts `count` bytes; the rest of its last word, a Text's final zero included, is zero.
    void byte_list(u16 index, const void* from, usize bytes, usize count) {
        const usize room = room_ - used_;
        if (count > wire::kListCountMax || count > room || (count + kWordBytes - 1) / kWordBytes * kWordBytes > room) {
            overflowed_ = true;
            return;
        }
        const usize padded = (count + kWordBytes - 1) / kWordBytes * kWordBytes;
        const usize pointer = pointers_start_ + index;
        set_word(pointer, wire::make_list(used_ / kWordBytes - pointer - 1, wire::kByteList, count));
        store(base_ + used_ + padded - kWordBytes, u64{0});
        __builtin_memcpy(base_ + used_, from, bytes);
        used_ += padded;
    }

    std::byte* base_;
    usize room_;
    usize used_;
    usize pointers_start_;  // in words
    bool overflowed_{};
};

}  // namespace flat
}  // namespace capos::idl
