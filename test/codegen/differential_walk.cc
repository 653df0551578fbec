#include "differential_walk.h"

#include <algorithm>

#include <capnp/schema.h>

namespace capos::test {

namespace {

using capnp::schema::Type;

class Walk {
public:
    Walk(const std::vector<u64>& words, u8 capability_count, const Limits& limits)
        : words_{words}, capability_count_{capability_count}, limits_{limits} {}

    std::string run(capnp::StructSchema root) {
        pointer(capnp::Type{root}, 0);
        const u64 most = std::max<u64>(words_.size(), idl::wire::kTraversalWordsMin);
        if (reason_.empty() && limits_.counts_traversal && cost_ > most) reason_ = "more to look at than the message is long";
        return reason_;
    }

private:
    bool ends() const { return !reason_.empty() || cost_ > words_.size() + idl::wire::kTraversalWordsMin; }

    static i64 target(u64 at, u64 pointer) {
        return static_cast<i64>(at) + 1 + (static_cast<i32>(pointer & 0xffff'ffff) >> 2);
    }
    bool leaves(i64 target) const { return target < 0 || target > static_cast<i64>(words_.size()); }

    void structure(capnp::StructSchema schema, u64 first_pointer, u64 pointers) {
        for (const auto field : schema.getFields()) {
            const u32 index = field.getProto().getSlot().getOffset();
            const auto type = field.getType();
            const bool is_pointer = type.isText() || type.isData() || type.isList() || type.isStruct() || type.isInterface() ||
                                    type.isAnyPointer();
            if (is_pointer && index < pointers && !ends()) pointer(type, first_pointer + index);
        }
    }

    void pointer(capnp::Type type, u64 at) {
        if (at >= words_.size() || words_[at] == 0) return;
        const u64 value = words_[at];
        if (value % 4 == 2) {
            reason_ = "a far pointer";
        } else if (value % 4 == 3) {
            if (value >> 32 >= capability_count_) reason_ = "an index without capability";
        } else if (value % 4 == 0) {
            struct_pointer(type, at, value);
        } else {
            list_pointer(type, at, value);
        }
    }

    void struct_pointer(capnp::Type type, u64 at, u64 value) {
        const u64 data = value << 16 >> 48, pointers = value >> 48;
        if (leaves(target(at, value))) {
            reason_ = "an empty struct that leaves the message";
            return;
        }
        cost_ += data + pointers;
        if (type.isStruct()) structure(type.asStruct(), static_cast<u64>(target(at, value)) + data, pointers);
    }

    void list_pointer(capnp::Type type, u64 at, u64 value) {
        if (leaves(target(at, value))) {
            reason_ = "an empty list that leaves the message";
            return;
        }
        const u64 start = static_cast<u64>(target(at, value)), size = value >> 32 & 7, count = value >> 35;
        constexpr u64 kBits[] = {0, 1, 8, 16, 32, 64, 64, 64};
        cost_ += (count * kBits[size] + 63) / 64;
        if (size == 0) cost_ += count;
        const bool is_bools = type.isList() && type.asList().getElementType().isBool();
        if (is_bools && size != 1) reason_ = "numbers where there are Bools";
        if (size == 7) return structs(type, start);
        if (size != 6 || !type.isList()) return;
        for (u64 i = 0; i < count && !ends(); ++i) element(type.asList().getElementType(), start + i, 1);
    }

    void structs(capnp::Type type, u64 tag_at) {
        if (tag_at >= words_.size()) return;
        const u64 tag = words_[tag_at], data = tag << 16 >> 48, pointers = tag >> 48, count = (tag & 0xffff'ffff) >> 2;
        cost_ += data + pointers == 0 ? 1 + count : 1;
        if (!type.isList()) return;
        for (u64 i = 0; i < count && !ends(); ++i) {
            element(type.asList().getElementType(), tag_at + 1 + i * (data + pointers) + data, pointers);
        }
    }

    // An element of a list, seen as a struct: a Text or Data is its first pointer.
    void element(capnp::Type type, u64 first_pointer, u64 pointers) {
        if (type.isStruct()) return structure(type.asStruct(), first_pointer, pointers);
        if ((type.isText() || type.isData()) && pointers > 0) pointer(type, first_pointer);
    }

    const std::vector<u64>& words_;
    u8 capability_count_;
    const Limits& limits_;
    std::string reason_;
    u64 cost_{};
};

}  // namespace

std::string walk(capnp::StructSchema root, const std::vector<u64>& words, u8 capability_count, const Limits& limits) {
    return Walk{words, capability_count, limits}.run(root);
}

}  // namespace capos::test
