// differential.h - the generated decoders against libcapnp, for one message at a time: the kernel's flat ones and those of
// served interfaces. Used by tests with drawn messages and by the fuzz targets `kernel_messages` and `service_messages`.
//
// What must hold for any bytes:
//  - what our decoder accepts, libcapnp reads without an error, and every field has the same value;
//  - what our decoder refuses, libcapnp refuses too, or the reason is one of those that idl/flat.h and idl/wire.h document.
//    These are found here by a reading of the raw words that shares no code with the decoders (differential_walk.cc);
//  - a decoded message, encoded again, has the size announced, fits exactly into it and nowhere smaller, and reads the same.
// libcapnp gets the same limits: one segment, the same nesting, and no message above bytes_max reaches it.
#pragma once

#include <bit>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "idl/flat.h"
#include "idl/wire.h"

namespace capnp {
class StructSchema;
}

namespace capos::test {

using idl::flat::Bytes;

// Field name -> value, spelled out; equal messages have equal fields.
using Fields = std::map<std::string, std::string>;

// What a reader of messages keeps to.
struct Limits {
    usize bytes_max;
    int nesting;
    bool counts_traversal;  // as wire.h says
};
inline constexpr Limits kServiceLimits{idl::wire::kMessageBytesMax, idl::wire::kNestingMax, true};

// The schema of the messages as the compiler gave it, and libcapnp's way of reading them.
class Oracle {
public:
    explicit Oracle(std::span<const unsigned char> request);  // aligned to 8
    ~Oracle();

    struct Message {
        u64 interface_id;
        u16 method;
        bool results;
    };

    // Throws kj::Exception for what libcapnp refuses.
    Fields read(const Message& message, Bytes bytes, const Limits& limits) const;

    // The documented reason for which our decoder refuses what libcapnp may accept; empty when there is none.
    std::string reason_to_refuse(const Message& message, Bytes bytes, u8 capability_count, const Limits& limits) const;

    // A well-formed message made by libcapnp, its values drawn from `random`. Capabilities are below `capability_count`.
    std::vector<std::byte> draw(const Message& message, u8 capability_count, u64 (*random)(void*), void* state) const;

private:
    capnp::StructSchema schema(const Message& message) const;

    struct Loaded;
    std::unique_ptr<Loaded> loaded_;
};

std::string spell(bool value);
std::string spell(std::string_view value);
std::string spell(Bytes value);
std::string spell(idl::CapabilityIndex value);
std::string spell_number(i64 value);
std::string spell_number(u64 value);

template <typename T>
    requires std::is_arithmetic_v<T> || std::is_enum_v<T>
std::string spell(T value) {
    if constexpr (std::is_floating_point_v<T>) {
        return spell_number(std::bit_cast<u64>(double{value}));
    } else if constexpr (std::is_signed_v<T>) {
        return spell_number(static_cast<i64>(value));
    } else {
        return spell_number(static_cast<u64>(value));
    }
}

std::string spell_struct(const Fields& fields);
std::string spell_list(const std::vector<std::string>& elements);

template <typename T>
    requires requires { T::kDataWords; }
std::string spell(const T& one);

template <typename T>
std::string spell(const idl::List<T>& list) {
    std::vector<std::string> elements;
    for (const T element : list) elements.push_back(spell(element));
    return spell_list(elements);
}

template <typename T>
Fields fields_of(const T& one) {
    Fields fields;
    one.visit([&](const char* name, const auto& value) { fields.emplace(name, spell(value)); });
    return fields;
}

template <typename T>
    requires requires { T::kDataWords; }
std::string spell(const T& one) {
    return spell_struct(fields_of(one));
}

// What a decoder says: the fields, and what becomes of them when they are encoded again. Empty `error`: nothing is wrong.
struct Decoded {
    bool accepted{};
    Fields fields{};
    std::vector<std::byte> encoded{};
    std::string error{};
};

// One message type of the generated header. Its decode function runs on bytes at an odd address that end where the memory ends.
struct Case {
    Oracle::Message message;
    Limits limits;
    Decoded (*decode)(Bytes message, u8 capability_count);
};

namespace detail {

// Bytes that a field takes outside the sections of its struct.
inline usize outside(std::string_view text) { return text.empty() ? 0 : (text.size() + 8) / 8 * 8; }
inline usize outside(Bytes data) { return (data.size() + 7) / 8 * 8; }
inline usize outside(idl::CapabilityIndex) { return 0; }
template <typename T>
    requires std::is_arithmetic_v<T> || std::is_enum_v<T>
usize outside(T) {
    return 0;
}
template <typename T>
usize outside(const idl::List<T>& list);
template <typename T>
    requires requires { T::kDataWords; }
usize outside(const T& one);

template <typename T>
usize content(const T& one) {
    usize bytes = 0;
    one.visit([&](const char*, const auto& value) { bytes += outside(value); });
    return bytes;
}

template <typename T>
    requires requires { T::kDataWords; }
usize outside(const T& one) {
    return 8 * (usize{T::kDataWords} + T::kPointers) + content(one);
}

template <typename T>
usize outside(const idl::List<T>& list) {
    if (list.empty()) return 0;
    if constexpr (std::is_same_v<T, bool>) {
        return (list.size() + 63) / 64 * 8;
    } else if constexpr (idl::wire::Scalar<T>) {
        return (list.size() * sizeof(T) + 7) / 8 * 8;
    } else {
        usize bytes = idl::wire::Blob<T> ? 8 * list.size() : 8;
        for (const T element : list) bytes += outside(element);
        return bytes;
    }
}

template <typename Message>
constexpr Limits limits_of() {
    if constexpr (requires { Message::kLayout; }) {
        return {Message::kLayout.bytes_max, 2, false};  // the root and its Text and Data
    } else {
        return kServiceLimits;
    }
}

template <typename Message>
usize encoded_bytes(const Message& fields) {
    if constexpr (requires { Message::kLayout; }) {
        return Message::kBytesMin + content(fields);
    } else {
        return 8 + outside(fields);
    }
}

template <typename Message>
std::string encode_again(const Message& fields, std::vector<std::byte>& encoded) {
    const usize bytes = encoded_bytes(fields);
    const bool fits = bytes <= limits_of<Message>().bytes_max;
    encoded.assign(bytes, std::byte{0xaa});
    if (fields.encoded_bytes() != bytes) return "encoded_bytes gives another size than " + std::to_string(bytes);
    if (bytes < Message::kBytesMin) return "kBytesMin is more than what encode needs";
    if (fields.encode(encoded) != (fits ? bytes : 0)) return "encode gives another size than " + std::to_string(bytes);
    std::vector<std::byte> smaller(bytes - 1);
    if (fields.encode(smaller) != 0) return "encode writes into less than it needs";
    if (!fits) encoded.clear();
    return {};
}

template <typename Message>
Decoded decode(Bytes message, u8 capability_count) {
    Decoded result;
    const auto fields = Message::decode(message, capability_count);
    result.accepted = fields.has_value();
    if (!fields) return result;
    result.fields = fields_of(*fields);
    result.error = encode_again(*fields, result.encoded);
    return result;
}

}  // namespace detail

// AllMethods<CaseList>::all(), or that of another header: the parameters and results of every method.
template <typename... Methods>
struct CaseList {
    static std::vector<Case> all() {
        std::vector<Case> cases;
        (add<Methods>(cases), ...);
        return cases;
    }

private:
    template <typename Message>
    static void add_message(std::vector<Case>& cases, Oracle::Message message) {
        cases.push_back({message, detail::limits_of<Message>(), detail::decode<Message>});
    }
    template <typename Method>
    static void add(std::vector<Case>& cases) {
        add_message<typename Method::Params>(cases, {Method::kInterfaceId, Method::kOrdinal, false});
        add_message<typename Method::Results>(cases, {Method::kInterfaceId, Method::kOrdinal, true});
    }
};

// Runs both on one message. What is wrong, or nothing. `accepted`, when given, tells what our decoder said.
std::string compare(const Oracle& oracle, const Case& one, Bytes message, u8 capability_count, bool* accepted = nullptr);

}  // namespace capos::test
