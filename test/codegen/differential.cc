#include "differential.h"

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

capnp::ReaderOptions limits() {
    capnp::ReaderOptions options;
    options.nestingLimit = 2;  // the root and its Text and Data
    return options;
}

std::vector<capnp::word> words_of(Bytes bytes) {
    std::vector<capnp::word> words(bytes.size() / sizeof(capnp::word));
    if (!words.empty()) __builtin_memcpy(words.data(), bytes.data(), words.size() * sizeof(capnp::word));
    return words;
}

u64 value_of(const capnp::word& word) { return idl::flat::load<u64>(reinterpret_cast<const std::byte*>(&word)); }

bool is_capability(const Type::Reader& type) { return type.isInterface() || type.isAnyPointer(); }
bool is_blob(const Type::Reader& type) { return type.isText() || type.isData(); }

std::string spell_dynamic(const capnp::DynamicValue::Reader& value) {
    switch (value.getType()) {
        case capnp::DynamicValue::BOOL: return spell(value.as<bool>());
        case capnp::DynamicValue::INT: return spell_number(i64{value.as<int64_t>()});
        case capnp::DynamicValue::UINT: return spell_number(u64{value.as<uint64_t>()});
        case capnp::DynamicValue::ENUM: return spell_number(u64{value.as<capnp::DynamicEnum>().getRaw()});
        case capnp::DynamicValue::TEXT: {
            const auto text = value.as<capnp::Text>();
            return spell(std::string_view{text.begin(), text.size()});
        }
        case capnp::DynamicValue::DATA: {
            const auto data = value.as<capnp::Data>();
            return spell(Bytes{reinterpret_cast<const std::byte*>(data.begin()), data.size()});
        }
        default: return "not a flat value";
    }
}

// libcapnp says whether it is a capability pointer; its index is taken from the word, as there is no capability table here.
std::string spell_capability(const capnp::AnyStruct::Reader& root, u32 index) {
    const auto pointers = root.getPointerSection();
    if (index >= pointers.size() || pointers[index].isNull()) return spell(idl::CapabilityIndex{});
    KJ_REQUIRE(pointers[index].isCapability(), "not a capability");
    const auto data = root.getDataSection();
    return spell(idl::CapabilityIndex{static_cast<u8>(data.end()[index * 8 + 4])});
}

// Bytes of a number or enumerant in the data section.
u32 width_of(const Type::Reader& type) {
    switch (type.which()) {
        case Type::INT8:
        case Type::UINT8: return 1;
        case Type::INT32:
        case Type::UINT32: return 4;
        case Type::INT64:
        case Type::UINT64: return 8;
        default: return 2;
    }
}

struct Patch {
    usize at;
    u32 width;
    u64 value;
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

Fields Oracle::read(const Message& message, Bytes bytes) const {
    const std::vector<capnp::word> words = words_of(bytes);
    const kj::ArrayPtr<const capnp::word> segment = kj::arrayPtr(words.data(), words.size());
    capnp::SegmentArrayMessageReader reader{kj::arrayPtr(&segment, 1), limits()};
    const capnp::StructSchema schema = this->schema(message);
    const auto typed = reader.getRoot<capnp::DynamicStruct>(schema);
    const auto untyped = reader.getRoot<capnp::AnyStruct>();
    Fields fields;
    for (const auto field : schema.getFields()) {
        const auto slot = field.getProto().getSlot();
        fields.emplace(field.getProto().getName().cStr(), is_capability(slot.getType())
                                                              ? spell_capability(untyped, slot.getOffset())
                                                              : spell_dynamic(typed.get(field)));
    }
    return fields;
}

std::string Oracle::reason_to_refuse(const Message& message, Bytes bytes, u8 capability_count) const {
    const std::vector<capnp::word> words = words_of(bytes);
    const u64 root = value_of(words[0]);
    const auto target_leaves = [&](u64 at, u64 pointer) {
        const i64 target = static_cast<i64>(at) + 1 + (static_cast<i32>(pointer & 0xffff'ffff) >> 2);
        return target < 0 || target > static_cast<i64>(words.size());
    };
    if (root % 4 == 2) return "a far root";
    const u64 data_words = root << 16 >> 48, pointers = root >> 48;
    if (data_words + pointers == 0) return target_leaves(0, root) ? "an empty root that leaves the message" : "";
    const u64 first_pointer = static_cast<u64>(1 + (static_cast<i32>(root & 0xffff'ffff) >> 2)) + data_words;

    for (const auto field : schema(message).getFields()) {
        const auto slot = field.getProto().getSlot();
        const auto type = slot.getType();
        if ((!is_blob(type) && !is_capability(type)) || slot.getOffset() >= pointers) continue;
        const u64 at = first_pointer + slot.getOffset();
        if (at >= words.size()) return "";  // libcapnp refuses it
        const u64 pointer = value_of(words[at]);
        if (pointer % 4 == 2) return "a far pointer";
        const bool is_empty_list = pointer % 4 == 1 && pointer >> 35 == 0;
        if (is_blob(type) && is_empty_list && target_leaves(at, pointer)) return "an empty list that leaves the message";
        if (is_capability(type) && pointer % 4 == 3 && pointer >> 32 >= capability_count) return "an index without capability";
    }
    return {};
}

std::vector<std::byte> Oracle::draw(const Message& message, u8 capability_count, u64 (*random)(void*), void* state) const {
    const capnp::StructSchema schema = this->schema(message);
    const usize data_start = 8, pointers_start = data_start + 8 * usize{schema.getProto().getStruct().getDataWordCount()};
    capnp::MallocMessageBuilder builder{1024};
    auto root = builder.initRoot<capnp::DynamicStruct>(schema);
    std::vector<Patch> patches;  // what libcapnp's builder can't say without a value of the very type, or without a client
    for (const auto field : schema.getFields()) {
        const auto slot = field.getProto().getSlot();
        const u64 value = random(state) >> (random(state) % 64);
        if (is_capability(slot.getType())) {
            if (value % 4 == 0 || capability_count == 0) continue;
            patches.push_back({pointers_start + slot.getOffset() * 8, 8, u64{3} | value % capability_count << 32});
        } else if (slot.getType().isText()) {
            root.set(field, std::string(value % 40, static_cast<char>('a' + value % 26)).c_str());
        } else if (slot.getType().isData()) {
            const std::string data(value % 40, static_cast<char>(value));
            root.set(field, capnp::Data::Reader{reinterpret_cast<const kj::byte*>(data.data()), data.size()});
        } else if (slot.getType().isBool()) {
            root.set(field, value % 2 == 1);
        } else {
            const u32 width = width_of(slot.getType());
            patches.push_back({data_start + slot.getOffset() * width, width, value});
        }
    }
    const auto segment = builder.getSegmentsForOutput()[0].asBytes();
    std::vector<std::byte> bytes(segment.size());
    __builtin_memcpy(bytes.data(), segment.begin(), segment.size());
    for (const Patch& patch : patches) __builtin_memcpy(&bytes[patch.at], &patch.value, patch.width);
    return bytes;
}

std::string compare(const Oracle& oracle, const Case& one, Bytes message, u8 capability_count, bool* accepted) {
    std::vector<std::byte> memory(message.size() + 1);
    if (!message.empty()) __builtin_memcpy(memory.data() + 1, message.data(), message.size());
    const Decoded ours = one.decode(Bytes{memory}.subspan(1), capability_count);
    if (accepted != nullptr) *accepted = ours.accepted;
    if (!ours.error.empty()) return ours.error;
    const bool is_wrong_size = message.size() % 8 != 0 || message.size() > one.bytes_max;
    if (is_wrong_size) return ours.accepted ? "accepts a message of a wrong size" : "";
    const std::vector<std::byte> null_root(8);  // what stands for an empty message
    const Bytes theirs_bytes = message.empty() ? Bytes{null_root} : message;

    Fields theirs;
    try {
        theirs = oracle.read(one.message, theirs_bytes);
    } catch (const kj::Exception& exception) {
        return ours.accepted ? std::string{"accepts what libcapnp refuses: "} + exception.getDescription().cStr() : "";
    }
    if (!ours.accepted) {
        const std::string reason = oracle.reason_to_refuse(one.message, theirs_bytes, capability_count);
        return reason.empty() ? "refuses without a documented reason" : "";
    }
    if (ours.fields != theirs) return "reads other values than libcapnp";
    if (ours.encoded.empty()) return {};
    try {
        if (oracle.read(one.message, ours.encoded) != theirs) return "encodes other values";
    } catch (const kj::Exception& exception) {
        return std::string{"encodes what libcapnp refuses: "} + exception.getDescription().cStr();
    }
    return {};
}

}  // namespace capos::test
