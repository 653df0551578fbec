// differential.h - the generated flat decoders against libcapnp, for one message at a time. Used by a test with drawn messages
// and by the fuzz target `kernel_messages`.
//
// What must hold for any bytes:
//  - what our decoder accepts, libcapnp reads without an error, and every field has the same value;
//  - what our decoder refuses, libcapnp refuses too, or the reason is one of those that idl/flat.h documents. These are found
//    here by a reading of the raw words that shares no code with the decoder;
//  - a decoded message, encoded again, has the size announced, fits exactly into it and nowhere smaller, and reads the same.
// libcapnp gets the same limits: one segment, no nesting, and no message above Layout::bytes_max reaches it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "idl/flat.h"

namespace capnp {
class StructSchema;
}

namespace capos::test {

using idl::flat::Bytes;

// Field name -> value, spelled out; equal messages have equal fields.
using Fields = std::map<std::string, std::string>;

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
    Fields read(const Message& message, Bytes bytes) const;

    // The documented reason for which our decoder refuses what libcapnp may accept; empty when there is none.
    std::string reason_to_refuse(const Message& message, Bytes bytes, u8 capability_count) const;

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
    requires std::is_integral_v<T> || std::is_enum_v<T>
std::string spell(T value) {
    if constexpr (std::is_signed_v<T>) {
        return spell_number(static_cast<i64>(value));
    } else {
        return spell_number(static_cast<u64>(value));
    }
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
    usize bytes_max;
    Decoded (*decode)(Bytes message, u8 capability_count);
};

namespace detail {

inline usize blob_bytes(std::string_view text) { return text.empty() ? 0 : (text.size() + 8) / 8 * 8; }
inline usize blob_bytes(Bytes data) { return (data.size() + 7) / 8 * 8; }
template <typename T>
    requires(!std::is_convertible_v<T, std::string_view> && !std::is_convertible_v<T, Bytes>)
usize blob_bytes(const T&) {
    return 0;
}

template <typename Message>
std::string encode_again(const Message& fields, std::vector<std::byte>& encoded) {
    usize bytes = Message::kBytesMin;
    fields.visit([&](const char*, const auto& value) { bytes += blob_bytes(value); });
    const bool fits = bytes <= Message::kLayout.bytes_max;
    encoded.assign(bytes, std::byte{0xaa});
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
    fields->visit([&](const char* name, const auto& value) { result.fields.emplace(name, spell(value)); });
    result.error = encode_again(*fields, result.encoded);
    return result;
}

}  // namespace detail

// AllMethods<CaseList>::all(): the parameters and results of every method.
template <typename... Methods>
struct CaseList {
    static std::vector<Case> all() {
        std::vector<Case> cases;
        (add<Methods>(cases), ...);
        return cases;
    }

private:
    template <typename Method>
    static void add(std::vector<Case>& cases) {
        using Params = typename Method::Params;
        using Results = typename Method::Results;
        cases.push_back({{Method::kInterfaceId, Method::kOrdinal, false}, Params::kLayout.bytes_max, detail::decode<Params>});
        cases.push_back({{Method::kInterfaceId, Method::kOrdinal, true}, Results::kLayout.bytes_max, detail::decode<Results>});
    }
};

// Runs both on one message. What is wrong, or nothing. `accepted`, when given, tells what our decoder said.
std::string compare(const Oracle& oracle, const Case& one, Bytes message, u8 capability_count, bool* accepted = nullptr);

}  // namespace capos::test
