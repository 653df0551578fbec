// wire_writer.h - writes structs and lists of a message; the rules are in wire.h.
//
// Everything is written in the order in which the fields are set, each struct's content before its next sibling: Cap'n Proto's
// canonical order, but for sections that are not shortened.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>

#include "idl/wire_list.h"
#include "idl/wire_reader.h"

namespace capos::idl::wire {

// The message that is being written. Once something has no room the rest is not written either.
class Output {
public:
    explicit Output(std::span<std::byte> out) : base_{out.data()}, room_{out.size() / kWordBytes} {}

    // Takes `words`, zeroed, at used(). False when there is no room.
    bool allocate(u64 words) {
        if (overflowed_ || words > room_ - used_) {
            overflowed_ = true;
            return false;
        }
        __builtin_memset(base_ + used_ * kWordBytes, 0, words * kWordBytes);
        used_ += words;
        return true;
    }

    std::byte* at(u64 byte) const { return base_ + byte; }
    void set_word(u64 index, u64 value) { store(base_ + index * kWordBytes, value); }
    u64 used() const { return used_; }
    void fail() { overflowed_ = true; }
    usize finish() const { return overflowed_ ? 0 : used_ * kWordBytes; }

private:
    std::byte* base_;
    u64 room_;    // in words
    u64 used_{};  // in words
    bool overflowed_{};
};

// Bytes that a field adds to a message beside the sections of the struct it stands in.
constexpr usize field_bytes(std::string_view text) { return text_bytes(text); }
constexpr usize field_bytes(Bytes data) { return data_bytes(data); }
template <typename T>
usize field_bytes(const List<T>& list);
template <typename T>
    requires requires { T::kDataWords; }
usize field_bytes(const T& one) {
    return kWordBytes * (usize{T::kDataWords} + T::kPointers) + one.content_bytes();
}
template <typename T>
usize field_bytes(const List<T>& list) {
    if (list.empty()) return 0;
    if constexpr (std::same_as<T, bool>) {
        return (list.size() + 63) / 64 * kWordBytes;
    } else if constexpr (Scalar<T>) {
        return (list.size() * sizeof(T) + kWordBytes - 1) / kWordBytes * kWordBytes;
    } else {
        usize bytes = Blob<T> ? kWordBytes * list.size() : kWordBytes;  // the pointers, or the tag
        for (const T element : list) bytes += field_bytes(element);
        return bytes;
    }
}

// Sets the fields of one struct, whose words are zero.
class StructWriter {
public:
    StructWriter(Output& output, u64 start, u16 data_words, u8 levels_left)
        : output_{output}, start_{start}, pointers_start_{start + data_words}, levels_left_{levels_left} {}

    template <Scalar T>
    void scalar(usize offset, T value) {
        store(output_.at(start_ * kWordBytes + offset), value);
    }

    void boolean(usize bit, bool value) {
        *output_.at(start_ * kWordBytes + bit / 8) |= static_cast<std::byte>(static_cast<unsigned>(value) << bit % 8);
    }

    void data(u16 index, Bytes value) {
        if (!value.empty()) bytes(index, value.data(), value.size(), value.size());
    }

    void text(u16 index, std::string_view value) {
        if (!value.empty()) bytes(index, value.data(), value.size(), value.size() + 1);
    }

    void capability(u16 index, CapabilityIndex value) {
        if (value.present()) output_.set_word(pointers_start_ + index, make_capability(value.value));
    }

    template <typename T>
    void structure(u16 index, const T& value) {
        const u64 start = output_.used(), pointer = pointers_start_ + index;
        if (!descend() || !output_.allocate(u64{T::kDataWords} + T::kPointers)) return;
        // An empty struct points at its own pointer; all zero would be null.
        const bool is_empty = T::kDataWords + T::kPointers == 0;
        output_.set_word(pointer, make_struct(is_empty ? -1 : distance(pointer, start), T::kDataWords, T::kPointers));
        StructWriter inner{output_, start, T::kDataWords, static_cast<u8>(levels_left_ - 1)};
        value.write_to(inner);
    }

    template <typename T>
    void list(u16 index, const List<T>& value) {
        if (value.empty() || !descend()) return;
        if (value.size() > kListCountMax) return output_.fail();
        if constexpr (std::same_as<T, bool>) {
            bits(index, value);
        } else if constexpr (Scalar<T>) {
            numbers(index, value);
        } else if constexpr (Blob<T>) {
            blobs(index, value);
        } else {
            structs(index, value);
        }
    }

private:
    static i64 distance(u64 pointer, u64 target) { return static_cast<i64>(target - pointer - 1); }

    bool descend() {
        if (levels_left_ == 0) output_.fail();
        return levels_left_ > 0;
    }

    // Sets aside the words of a list and points at it. The word where it starts; 0 when there is no room.
    u64 open_list(u16 index, u64 element_size, u64 count, u64 words) {
        const u64 start = output_.used(), pointer = pointers_start_ + index;
        if (count > kListCountMax || !output_.allocate(words)) {
            output_.fail();
            return 0;
        }
        output_.set_word(pointer, make_list(start - pointer - 1, element_size, count));
        return start;
    }

    // `size` bytes of a list that counts `count`; the rest of its last word, a Text's final zero included, is zero.
    void bytes(u16 index, const void* from, usize size, usize count) {
        const u64 start = open_list(index, kByteList, count, (u64{count} + kWordBytes - 1) / kWordBytes);
        if (start != 0) __builtin_memcpy(output_.at(start * kWordBytes), from, size);
    }

    void bits(u16 index, const List<bool>& value) {
        const u64 start = open_list(index, kBitElements, value.size(), (value.size() + 63) / 64);
        if (start == 0) return;
        StructWriter elements{output_, start, 0, 0};
        for (usize i = 0; i < value.size(); ++i) elements.boolean(i, value[i]);
    }

    template <typename T>
    void numbers(u16 index, const List<T>& value) {
        constexpr u64 kSize = sizeof(T) == 1 ? 2 : sizeof(T) == 2 ? 3 : sizeof(T) == 4 ? 4 : 5;
        const u64 start = open_list(index, kSize, value.size(), (value.size() * sizeof(T) + kWordBytes - 1) / kWordBytes);
        if (start == 0) return;
        StructWriter elements{output_, start, 0, 0};
        for (usize i = 0; i < value.size(); ++i) elements.scalar(i * sizeof(T), value[i]);
    }

    template <typename T>
    void blobs(u16 index, const List<T>& value) {
        const u64 start = open_list(index, kPointerElements, value.size(), value.size());
        if (start == 0) return;
        for (usize i = 0; i < value.size(); ++i) {
            StructWriter element{output_, start + i, 0, 0};
            if constexpr (std::same_as<T, std::string_view>) {
                element.text(0, value[i]);
            } else {
                element.data(0, value[i]);
            }
        }
    }

    template <typename T>
    void structs(u16 index, const List<T>& value) {
        constexpr u64 kStep = u64{T::kDataWords} + T::kPointers;
        const u64 words = value.size() * kStep;
        if (levels_left_ < 2) return output_.fail();
        const u64 start = words > kListCountMax ? 0 : open_list(index, kStructElements, words, words + 1);
        if (start == 0) return output_.fail();
        output_.set_word(start, make_struct(static_cast<i64>(value.size()), T::kDataWords, T::kPointers));
        for (usize i = 0; i < value.size(); ++i) {
            StructWriter element{output_, start + 1 + i * kStep, T::kDataWords, static_cast<u8>(levels_left_ - 2)};
            value[i].write_to(element);
        }
    }

    Output& output_;
    u64 start_;           // in words
    u64 pointers_start_;  // in words
    u8 levels_left_;
};

}  // namespace capos::idl::wire
