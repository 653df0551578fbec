// words.h - Words: bounds-checked steps through a Cap'n Proto message of one segment, whatever it contains. Pure.
//
// Every step that leaves the message or meets another kind of pointer than asked for gives nothing. The rules are those of
// idl/flat.h; lists have the element size of their type, or are struct lists, exactly as the schema says.
#pragma once

#include <optional>

#include "formats/support/bytes.h"
#include "idl/pointer.h"

namespace capos::dynamic {

using formats::Bytes;
namespace wire = idl::wire;

// Positions are in words from the beginning of the message.
struct StructAt {
    u64 start{};
    u64 data_words{};
    u64 pointers{};
};

struct ListAt {
    u64 start{};
    u64 count{};
    u64 data_words{}, pointers{};  // of the elements of a struct list

    StructAt structure(u64 index) const { return {start + index * (data_words + pointers), data_words, pointers}; }
};

class Words {
public:
    explicit Words(Bytes message) : message_{message}, words_{message.size() / wire::kWordBytes} {}

    // An empty message is an empty struct.
    std::optional<StructAt> root() const {
        if (message_.size() % wire::kWordBytes != 0) return std::nullopt;
        if (message_.empty() || word(0) == 0) return StructAt{};
        return structure(0);
    }

    // `bits` of the data section, 0 for what lies beyond it. At most 64, not across words.
    u64 data(const StructAt& at, u64 bit, u32 bits) const {
        if (bit / 64 >= at.data_words) return 0;
        return part(word(at.start + bit / 64), bit % 64, bits);
    }

    // Where the pointer with that index stands; nothing when it is null or beyond the section.
    std::optional<u64> pointer(const StructAt& at, u64 index) const {
        if (index >= at.pointers || word(at.start + at.data_words + index) == 0) return std::nullopt;
        return at.start + at.data_words + index;
    }
    bool is_null(u64 position) const { return word(position) == 0; }

    // The next three follow the pointer that stands at `position`, which is inside the message and not null.
    std::optional<StructAt> structure(u64 position) const {
        const u64 pointer = word(position);
        const u64 start = target(position, pointer);
        if (wire::kind(pointer) != wire::kStruct || start > words_) return std::nullopt;
        const StructAt at{start, wire::data_words(pointer), wire::pointers(pointer)};
        return at.data_words + at.pointers > words_ - start ? std::nullopt : std::optional{at};
    }

    // Elements of `bits` each: 1, 8, 16, 32 or 64; pointers are 0 here.
    std::optional<ListAt> list(u64 position, u32 bits) const {
        const u64 pointer = word(position);
        const u64 start = target(position, pointer);
        if (!is_list_of(pointer, size_code(bits)) || start > words_) return std::nullopt;
        const u64 bits_left = (words_ - start) * 64;
        if (wire::count(pointer) * (bits == 0 ? 64 : bits) > bits_left) return std::nullopt;
        return ListAt{.start = start, .count = wire::count(pointer)};
    }

    std::optional<ListAt> struct_list(u64 position) const {
        const u64 pointer = word(position);
        const u64 start = target(position, pointer);
        if (!is_list_of(pointer, wire::kStructElements) || start >= words_) return std::nullopt;
        const u64 tag = word(start);
        if (wire::kind(tag) != wire::kStruct || wire::count(pointer) > words_ - start - 1) return std::nullopt;
        const ListAt at{start + 1, wire::tag_count(tag), wire::data_words(tag), wire::pointers(tag)};
        return at.count * (at.data_words + at.pointers) > wire::count(pointer) ? std::nullopt : std::optional{at};
    }

    // The index of a capability pointer.
    std::optional<u64> capability(u64 position) const {
        const u64 pointer = word(position);
        return wire::is_capability(pointer) ? std::optional{wire::capability(pointer)} : std::nullopt;
    }

    u64 element(const ListAt& at, u64 index, u32 bits) const {
        return part(word(at.start + index * bits / 64), index * bits % 64, bits);
    }
    Bytes bytes(const ListAt& at) const { return message_.subspan(at.start * wire::kWordBytes, at.count); }

private:
    u64 word(u64 index) const { return wire::load<u64>(message_.data() + index * wire::kWordBytes); }

    static bool is_list_of(u64 pointer, u64 element_size) {
        return wire::kind(pointer) == wire::kList && wire::element_size(pointer) == element_size;
    }

    // Before the beginning wraps, and so is beyond every end.
    static u64 target(u64 position, u64 pointer) { return position + 1 + static_cast<u64>(wire::offset(pointer)); }

    static u64 part(u64 word, u64 shift, u32 bits) {
        const u64 rest = word >> shift;
        return bits == 64 ? rest : rest & ((u64{1} << bits) - 1);
    }

    static u64 size_code(u32 bits) {
        switch (bits) {
            case 1: return wire::kBitElements;
            case 8: return 2;
            case 16: return 3;
            case 32: return 4;
            case 64: return 5;
            default: return wire::kPointerElements;
        }
    }

    Bytes message_;
    u64 words_;
};

}  // namespace capos::dynamic
