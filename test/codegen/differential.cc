#include "differential.h"

#include "differential_walk.h"

#include <capnp/any.h>
#include <capnp/dynamic.h>
#include <capnp/message.h>
#include <capnp/schema-loader.h>
#include <capnp/schema.capnp.h>
#include <capnp/serialize.h>
#include <kj/debug.h>

namespace capos::test {

namespace {

using capnp::schema::Type;

constexpr u64 kUncountedWords = 8 << 20;

// A reader that counts allows less than libcapnp here, which therefore never is the one that refuses too much work.
capnp::ReaderOptions options_of(const Limits& limits, usize words) {
    capnp::ReaderOptions options;
    options.nestingLimit = limits.nesting;
    options.traversalLimitInWords = limits.counts_traversal ? 8 * (words + idl::wire::kTraversalWordsMin) : kUncountedWords;
    return options;
}

std::vector<capnp::word> words_of(Bytes bytes) {
    std::vector<capnp::word> words(bytes.size() / sizeof(capnp::word));
    if (!words.empty()) __builtin_memcpy(words.data(), bytes.data(), words.size() * sizeof(capnp::word));
    return words;
}

bool is_capability(const Type::Reader& type) { return type.isInterface() || type.isAnyPointer(); }

std::string spell_dynamic(const capnp::DynamicValue::Reader& value);

// libcapnp says whether it is a capability pointer; its index is taken from the word, as there is no capability table here.
std::string spell_capability(const capnp::AnyStruct::Reader& one, u32 index) {
    const auto pointers = one.getPointerSection();
    if (index >= pointers.size() || pointers[index].isNull()) return spell(idl::CapabilityIndex{});
    KJ_REQUIRE(pointers[index].isCapability(), "not a capability");
    const auto data = one.getDataSection();
    return spell(idl::CapabilityIndex{static_cast<u8>(data.end()[index * 8 + 4])});
}

Fields fields_of_dynamic(const capnp::DynamicStruct::Reader& one) {
    Fields fields;
    for (const auto field : one.getSchema().getFields()) {
        const auto slot = field.getProto().getSlot();
        fields.emplace(field.getProto().getName().cStr(), is_capability(slot.getType())
                                                              ? spell_capability(one, slot.getOffset())
                                                              : spell_dynamic(one.get(field)));
    }
    return fields;
}

std::string spell_dynamic(const capnp::DynamicValue::Reader& value) {
    switch (value.getType()) {
        case capnp::DynamicValue::BOOL: return spell(value.as<bool>());
        case capnp::DynamicValue::INT: return spell_number(i64{value.as<int64_t>()});
        case capnp::DynamicValue::UINT: return spell_number(u64{value.as<uint64_t>()});
        case capnp::DynamicValue::FLOAT: return spell(value.as<double>());
        case capnp::DynamicValue::ENUM: return spell_number(u64{value.as<capnp::DynamicEnum>().getRaw()});
        case capnp::DynamicValue::TEXT: {
            const auto text = value.as<capnp::Text>();
            return spell(std::string_view{text.begin(), text.size()});
        }
        case capnp::DynamicValue::DATA: {
            const auto data = value.as<capnp::Data>();
            return spell(Bytes{reinterpret_cast<const std::byte*>(data.begin()), data.size()});
        }
        case capnp::DynamicValue::STRUCT: return spell_struct(fields_of_dynamic(value.as<capnp::DynamicStruct>()));
        case capnp::DynamicValue::LIST: {
            std::vector<std::string> elements;
            for (const auto element : value.as<capnp::DynamicList>()) elements.push_back(spell_dynamic(element));
            return spell_list(elements);
        }
        default: return "no value of ours";
    }
}

// Bytes of a number or enumerant in the data section.
u32 width_of(const Type::Reader& type) {
    switch (type.which()) {
        case Type::INT8:
        case Type::UINT8: return 1;
        case Type::FLOAT32:
        case Type::INT32:
        case Type::UINT32: return 4;
        case Type::FLOAT64:
        case Type::INT64:
        case Type::UINT64: return 8;
        default: return 2;
    }
}

// Fills structs with values from a source of random numbers.
class Artist {
public:
    Artist(u8 capability_count, u64 (*random)(void*), void* state)
        : capability_count_{capability_count}, random_{random}, state_{state} {}

    void fill(capnp::DynamicStruct::Builder one, u32 depth) {
        for (const auto field : one.getSchema().getFields()) {
            const auto slot = field.getProto().getSlot();
            const u64 value = number();
            switch (slot.getType().which()) {
                case Type::INTERFACE:
                case Type::ANY_POINTER:
                    if (value % 4 != 0 && capability_count_ > 0) patch_capability(one, slot.getOffset(), value);
                    break;
                case Type::STRUCT:
                    if (depth > 0 && value % 4 != 0) fill(one.init(field).as<capnp::DynamicStruct>(), depth - 1);
                    break;
                case Type::LIST:
                    if (depth > 0) fill(one.init(field, static_cast<u32>(value % 5)).as<capnp::DynamicList>(), depth - 1);
                    break;
                case Type::TEXT: one.set(field, text(value).c_str()); break;
                case Type::DATA: one.set(field, bytes(text(value))); break;
                case Type::BOOL: one.set(field, value % 2 == 1); break;
                default: patch(one, slot.getOffset() * width_of(slot.getType()), width_of(slot.getType()), value);
            }
        }
    }

private:
    u64 number() { return random_(state_) >> (random_(state_) % 64); }
    static std::string text(u64 value) { return std::string(value % 40, static_cast<char>('a' + value % 26)); }
    static capnp::Data::Reader bytes(const std::string& text) {
        return {reinterpret_cast<const kj::byte*>(text.data()), text.size()};
    }

    // What libcapnp's builder can't say without a value of the very type, or without a client.
    static void patch(capnp::AnyStruct::Builder one, usize at, u32 width, u64 value) {
        __builtin_memcpy(one.getDataSection().begin() + at, &value, width);
    }
    void patch_capability(capnp::AnyStruct::Builder one, u32 index, u64 value) const {
        const u64 pointer = u64{3} | value % capability_count_ << 32;
        __builtin_memcpy(one.getDataSection().end() + index * 8, &pointer, 8);
    }

    void fill(capnp::DynamicList::Builder list, u32 depth) {
        const auto element = list.getSchema();
        for (u32 i = 0; i < list.size(); ++i) {
            const u64 value = number();
            switch (element.whichElementType()) {
                case Type::STRUCT: fill(list[i].as<capnp::DynamicStruct>(), depth); break;
                case Type::TEXT: list.set(i, text(value).c_str()); break;
                case Type::DATA: list.set(i, bytes(text(value))); break;
                case Type::BOOL: list.set(i, value % 2 == 1); break;
                case Type::ENUM:
                    list.set(i, capnp::DynamicEnum{element.getEnumElementType(), static_cast<uint16_t>(value)});
                    break;
                case Type::FLOAT32: list.set(i, static_cast<float>(value) / 3); break;
                case Type::FLOAT64: list.set(i, static_cast<double>(value) / 3); break;
                case Type::INT8: list.set(i, static_cast<int8_t>(value)); break;
                case Type::INT16: list.set(i, static_cast<int16_t>(value)); break;
                case Type::INT32: list.set(i, static_cast<int32_t>(value)); break;
                case Type::INT64: list.set(i, static_cast<int64_t>(value)); break;
                case Type::UINT8: list.set(i, static_cast<uint8_t>(value)); break;
                case Type::UINT16: list.set(i, static_cast<uint16_t>(value)); break;
                case Type::UINT32: list.set(i, static_cast<uint32_t>(value)); break;
                default: list.set(i, static_cast<uint64_t>(value));
            }
        }
    }

    u8 capability_count_;
    u64 (*random_)(void*);
    void* state_;
};

}  // namespace

std::string spell(bool value) { return value ? "true" : "false"; }
std::string spell(std::string_view value) { return "text " + std::string{value}; }
std::string spell(Bytes value) { return "data " + std::string{reinterpret_cast<const char*>(value.data()), value.size()}; }
std::string spell(idl::CapabilityIndex value) {
    return value.present() ? "capability " + std::to_string(value.value) : "absent";
}
std::string spell_number(i64 value) { return std::to_string(value); }
std::string spell_number(u64 value) { return std::to_string(value); }


std::string spell_struct(const Fields& fields) {
    std::string text = "{";
    for (const auto& [name, value] : fields) text += name + "=" + value + ";";
    return text + "}";
}
std::string spell_list(const std::vector<std::string>& elements) {
    std::string text = "[";
    for (const std::string& element : elements) text += element + ";";
    return text + "]";
}

struct Oracle::Loaded {
    capnp::SchemaLoader loader;
};

Oracle::Oracle(std::span<const unsigned char> request) : loaded_{std::make_unique<Loaded>()} {
    const auto* words = reinterpret_cast<const capnp::word*>(request.data());
    capnp::FlatArrayMessageReader reader{kj::arrayPtr(words, request.size() / sizeof(capnp::word))};
    for (const auto node : reader.getRoot<capnp::schema::CodeGeneratorRequest>().getNodes()) loaded_->loader.load(node);
}

Oracle::~Oracle() = default;

capnp::StructSchema Oracle::schema(const Message& message) const {
    const auto method = loaded_->loader.get(message.interface_id).asInterface().getMethods()[message.method];
    return message.results ? method.getResultType() : method.getParamType();
}

Fields Oracle::read(const Message& message, Bytes bytes, const Limits& limits) const {
    const std::vector<capnp::word> words = words_of(bytes);
    const kj::ArrayPtr<const capnp::word> segment = kj::arrayPtr(words.data(), words.size());
    capnp::SegmentArrayMessageReader reader{kj::arrayPtr(&segment, 1), options_of(limits, words.size())};
    return fields_of_dynamic(reader.getRoot<capnp::DynamicStruct>(schema(message)));
}

std::string Oracle::reason_to_refuse(const Message& message, Bytes bytes, u8 capability_count, const Limits& limits) const {
    std::vector<u64> words(bytes.size() / sizeof(u64));
    __builtin_memcpy(words.data(), bytes.data(), words.size() * sizeof(u64));
    return walk(schema(message), words, capability_count, limits);
}

std::vector<std::byte> Oracle::draw(const Message& message, u8 capability_count, u64 (*random)(void*), void* state) const {
    constexpr u32 kDepth = 3;
    capnp::MallocMessageBuilder builder{8192};
    Artist{capability_count, random, state}.fill(builder.initRoot<capnp::DynamicStruct>(schema(message)), kDepth);
    const auto segment = builder.getSegmentsForOutput()[0].asBytes();
    std::vector<std::byte> bytes(segment.size());
    __builtin_memcpy(bytes.data(), segment.begin(), segment.size());
    return bytes;
}

std::string compare(const Oracle& oracle, const Case& one, Bytes message, u8 capability_count, bool* accepted) {
    std::vector<std::byte> memory(message.size() + 1);
    if (!message.empty()) __builtin_memcpy(memory.data() + 1, message.data(), message.size());
    const Decoded ours = one.decode(Bytes{memory}.subspan(1), capability_count);
    if (accepted != nullptr) *accepted = ours.accepted;
    if (!ours.error.empty()) return ours.error;
    const bool is_wrong_size = message.size() % 8 != 0 || message.size() > one.limits.bytes_max;
    if (is_wrong_size) return ours.accepted ? "accepts a message of a wrong size" : "";
    const std::vector<std::byte> null_root(8);  // what stands for an empty message
    const Bytes theirs_bytes = message.empty() ? Bytes{null_root} : message;

    Fields theirs;
    try {
        theirs = oracle.read(one.message, theirs_bytes, one.limits);
    } catch (const kj::Exception& exception) {
        return ours.accepted ? std::string{"accepts what libcapnp refuses: "} + exception.getDescription().cStr() : "";
    }
    if (!ours.accepted) {
        const std::string reason = oracle.reason_to_refuse(one.message, theirs_bytes, capability_count, one.limits);
        return reason.empty() ? "refuses without a documented reason" : "";
    }
    if (ours.fields != theirs) {
        return "reads other values than libcapnp: " + spell_struct(ours.fields) + " instead of " + spell_struct(theirs);
    }
    if (ours.encoded.empty()) return {};
    try {
        if (oracle.read(one.message, ours.encoded, one.limits) != theirs) return "encodes other values";
    } catch (const kj::Exception& exception) {
        return std::string{"encodes what libcapnp refuses: "} + exception.getDescription().cStr();
    }
    return {};
}

}  // namespace capos::test
