// wire_reader.h - reads structs and lists of a message; the rules are in wire.h.
//
// The same code validates and reads. While decode runs, a Validation counts what is looked at, and the elements of lists are
// read once for their checks alone. Afterwards a List reads its elements without one: each access checks bounds again, so that
// nothing outside the message is ever read, but does not go down into the lists below.
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <string_view>
#include <type_traits>

#include "abi/types.h"
#include "idl/pointer.h"

namespace capos::idl {

template <typename T>
class List;

namespace wire {

// Limits, shared with the tests and fuzz targets. A message in the ring is shorter; the longest ones travel as a Memory.
inline constexpr usize kMessageBytesMax = usize{16} << 20;
inline constexpr u32 kTraversalWordsMin = 1024;
inline constexpr u8 kNestingMax = 32;

// What may be looked at in a message of so many words.
constexpr u32 traversal_words(u32 words) { return words > kTraversalWordsMin ? words : kTraversalWordsMin; }

template <typename T>
concept Scalar = (std::is_arithmetic_v<T> && !std::same_as<T, bool>) || std::is_enum_v<T>;
template <typename T>
concept Blob = std::same_as<T, std::string_view> || std::same_as<T, Bytes>;

struct Message {
    const std::byte* base{};
    u32 words{};
    u8 capability_count{};
};

// What decode may still look at, and whether everything was right so far.
struct Validation {
    u64 words_left{};
    bool valid{true};

    void take(u64 words) {
        if (words > words_left) {
            valid = false;
            return;
        }
        words_left -= words;
    }
};

// Where a struct is: inside the message.
struct Sections {
    u32 data_start{};      // in bytes
    u32 data_bytes{};
    u32 pointers_start{};  // in words
    u16 pointers{};
};

// Where the elements of a list are, seen as structs. A list of bits has none of these sections, only a step of 1.
struct Elements {
    Message message{};
    u32 start{};  // in bytes
    u32 count{};
    u32 step_bits{};
    u32 data_bytes{};
    u16 pointers{};

    Sections sections(u32 index) const {
        const u32 at = start + static_cast<u32>(u64{index} * step_bits / 8);
        return {at, data_bytes, (at + data_bytes) / u32{kWordBytes}, pointers};
    }
    bool bit(u32 index) const { return (load<u8>(message.base + start + index / 8) >> index % 8 & 1) != 0; }
};

// Reads the fields of one struct. Without a Validation it has been validated.
class StructReader {
public:
    StructReader(Message message, Sections sections, u8 levels_left, Validation* validation = nullptr)
        : message_{message}, sections_{sections}, levels_left_{levels_left}, validation_{validation} {}

    template <Scalar T>
    T scalar(usize offset) const {
        if (offset + sizeof(T) > sections_.data_bytes) return T{};
        return load<T>(message_.base + sections_.data_start + offset);
    }

    bool boolean(usize bit) const { return (scalar<u8>(bit / 8) >> bit % 8 & 1) != 0; }

    Bytes data(u16 index) {
        const u64 pointer = pointer_at(index);
        return pointer == 0 ? Bytes{} : bytes(index, pointer);
    }

    std::string_view text(u16 index) {
        const u64 pointer = pointer_at(index);
        if (pointer == 0) return {};
        const Bytes found = bytes(index, pointer);
        if (found.empty() || found.back() != std::byte{0}) {
            refuse();
            return {};
        }
        return {reinterpret_cast<const char*>(found.data()), found.size() - 1};
    }

    CapabilityIndex capability(u16 index) {
        const u64 pointer = pointer_at(index);
        if (pointer == 0) return {};
        if (!is_capability(pointer) || wire::capability(pointer) >= message_.capability_count) {
            refuse();
            return {};
        }
        return CapabilityIndex{static_cast<u8>(wire::capability(pointer))};
    }

    template <typename T>
    T structure(u16 index) {
        const u64 pointer = pointer_at(index);
        if (pointer == 0) return {};
        const u64 start = target(index, pointer);
        const u64 words = data_words(pointer) + pointers(pointer);
        if (kind(pointer) != kStruct || !takes(start, words)) {
            refuse();
            return {};
        }
        const Sections sections{static_cast<u32>(start * kWordBytes), static_cast<u32>(data_words(pointer) * kWordBytes),
                                static_cast<u32>(start + data_words(pointer)), static_cast<u16>(pointers(pointer))};
        StructReader inner{message_, sections, below(), validation_};
        return T::read_from(inner);
    }

    template <typename T>
    List<T> list(u16 index) {
        const u64 pointer = pointer_at(index);
        if (pointer == 0) return {};
        const std::optional<Elements> elements = find_elements(index, pointer);
        if (!elements || !suits<T>(*elements, element_size(pointer))) {
            refuse();
            return {};
        }
        validate<T>(*elements);
        return List<T>{*elements};
    }

    // The element of a list that this struct is.
    template <typename T>
    T element() {
        if constexpr (Scalar<T>) {
            return scalar<T>(0);
        } else if constexpr (std::same_as<T, std::string_view>) {
            return text(0);
        } else if constexpr (std::same_as<T, Bytes>) {
            return data(0);
        } else {
            return T::read_from(*this);
        }
    }

private:
    u64 word(u64 index) const { return load<u64>(message_.base + index * kWordBytes); }
    u64 pointer_at(u16 index) const { return index < sections_.pointers ? word(sections_.pointers_start + index) : 0; }
    // In words. A target before the message wraps, beyond any end.
    u64 target(u16 index, u64 pointer) const {
        return u64{sections_.pointers_start} + index + 1 + static_cast<u64>(offset(pointer));
    }

    void refuse() {
        if (validation_ != nullptr) validation_->valid = false;
    }
    u8 below() const { return validation_ == nullptr ? levels_left_ : static_cast<u8>(levels_left_ - 1); }

    bool inside(u64 start, u64 words) const { return start <= message_.words && words <= message_.words - start; }

    // One level down, to `words` that are counted: whether all of that is allowed.
    bool takes(u64 start, u64 words, u64 counted = 0) {
        if (!inside(start, words)) return false;
        if (validation_ == nullptr) return counted <= traversal_words(message_.words);
        validation_->take(words + counted);
        return validation_->valid && levels_left_ > 0;
    }

    Bytes bytes(u16 index, u64 pointer) {
        const u64 start = target(index, pointer);
        const u64 words = (count(pointer) + kWordBytes - 1) / kWordBytes;
        const bool is_right = kind(pointer) == kList && element_size(pointer) == kByteList && inside(start, words);
        if (is_right && validation_ != nullptr) validation_->take(words);
        if (!is_right || (validation_ != nullptr && !validation_->valid)) {
            refuse();
            return {};
        }
        return Bytes{message_.base + start * kWordBytes, static_cast<usize>(count(pointer))};
    }

    std::optional<Elements> find_elements(u16 index, u64 pointer) {
        if (kind(pointer) != kList) return std::nullopt;
        const u64 start = target(index, pointer), size = element_size(pointer);
        if (size == kStructElements) return find_structs(start, count(pointer));
        constexpr u8 kBits[] = {0, 1, 8, 16, 32, 64, 64};
        const u64 words = (count(pointer) * kBits[size] + 63) / 64;
        if (!takes(start, words, size == kVoidElements ? count(pointer) : 0)) return std::nullopt;
        const bool is_pointers = size == kPointerElements;
        return Elements{message_, static_cast<u32>(start * kWordBytes), static_cast<u32>(count(pointer)), kBits[size],
                        is_pointers ? u32{0} : kBits[size] / u32{8}, is_pointers ? u16{1} : u16{0}};
    }

    // `words` behind a tag that says how many structs there are, and of what size.
    std::optional<Elements> find_structs(u64 start, u64 words) {
        if (!inside(start, words + 1)) return std::nullopt;
        const u64 tag = word(start);
        const u64 step = data_words(tag) + pointers(tag);
        if (kind(tag) != kStruct || tag_count(tag) * step > words) return std::nullopt;
        if (!takes(start, words + 1, step == 0 ? tag_count(tag) : 0)) return std::nullopt;
        return Elements{message_, static_cast<u32>((start + 1) * kWordBytes), static_cast<u32>(tag_count(tag)),
                        static_cast<u32>(step * 64), static_cast<u32>(data_words(tag) * kWordBytes),
                        static_cast<u16>(pointers(tag))};
    }

    // Whether these elements, of that size code, can be read as T.
    template <typename T>
    static bool suits(const Elements& elements, u64 size) {
        if constexpr (std::same_as<T, bool>) {
            return size == kBitElements;
        } else if constexpr (Scalar<T>) {
            return elements.data_bytes >= sizeof(T);
        } else if constexpr (Blob<T>) {
            return elements.pointers > 0;
        } else {
            return size != kBitElements;
        }
    }

    template <typename T>
    void validate(const Elements& elements) {
        if (validation_ == nullptr || Scalar<T> || std::same_as<T, bool>) return;
        const u8 levels = below();
        if constexpr (!Scalar<T> && !Blob<T> && !std::same_as<T, bool>) {
            if (levels == 0 && elements.count > 0) return refuse();
        }
        for (u32 i = 0; i < elements.count && validation_->valid; ++i) {
            StructReader element{message_, elements.sections(i), Blob<T> ? levels : static_cast<u8>(levels - 1), validation_};
            if constexpr (!std::same_as<T, bool>) element.element<T>();
        }
    }

    Message message_;
    Sections sections_;
    u8 levels_left_;
    Validation* validation_;
};

}  // namespace wire
}  // namespace capos::idl
