// Text form and message, there and back, against libcapnp and its own text codec: drawn messages of every method of the fixture
// and of the system's interfaces. Capabilities, which libcapnp's text form doesn't have, are left out.
#include <catch2/catch.hpp>

#include <capnp/dynamic.h>
#include <capnp/message.h>
#include <capnp/schema-loader.h>
#include <capnp/schema.capnp.h>
#include <capnp/serialize.h>
#include <capnp/serialize-text.h>

#include "dynamic_request.h"
#include "dynamic_tables.h"
#include "runtime/dynamic/parse.h"
#include "runtime/dynamic/print.h"
#include "sim/random.h"

using namespace capos;

namespace {

using capnp::schema::Type;
using formats::Bytes;
using sim::Random;

class Schemas {
public:
    explicit Schemas(std::span<const unsigned char> request) {
        const auto* words = reinterpret_cast<const capnp::word*>(request.data());
        capnp::FlatArrayMessageReader reader{kj::arrayPtr(words, request.size() / sizeof(capnp::word))};
        for (const auto node : reader.getRoot<capnp::schema::CodeGeneratorRequest>().getNodes()) loader_.load(node);
    }
    capnp::InterfaceSchema::Method method(const dynamic::Method& method) const {
        return loader_.get(method.interface.id).asInterface().getMethods()[method.ordinal];
    }

private:
    capnp::SchemaLoader loader_;
};

std::string draw_text(Random& random) {
    std::string text;
    for (u64 length = random.below(12); length > 0; --length) {
        constexpr std::string_view kPieces[] = {"a", "Z", "\"", "\\", "\n", "\x1b[2J", "ä", "€", "😀", "0", "'", "\t",
                                                "\x7f", "\xc2\x9b"};
        text += kPieces[random.below(std::size(kPieces))];
    }
    return text;
}

void fill(capnp::DynamicStruct::Builder builder, Random& random, u32 depth);

bool is_capability(Type::Reader type) { return type.isInterface() || type.isAnyPointer(); }

// Sets what has no contents to allocate; lists and fields alike.
template <typename Set>
void set_value(capnp::Type type, Random& random, Set set) {
    const u64 bits = random.next() >> random.below(64);
    switch (type.which()) {
        case Type::BOOL: return set((bits & 1) != 0);
        case Type::INT8: return set(static_cast<int8_t>(bits));
        case Type::INT16: return set(static_cast<int16_t>(bits));
        case Type::INT32: return set(static_cast<int32_t>(bits));
        case Type::INT64: return set(static_cast<int64_t>(bits));
        case Type::UINT8: return set(static_cast<uint8_t>(bits));
        case Type::UINT16: return set(static_cast<uint16_t>(bits));
        case Type::UINT32: return set(static_cast<uint32_t>(bits));
        case Type::UINT64: return set(uint64_t{bits});
        case Type::ENUM: {
            const auto count = static_cast<u32>(type.asEnum().getEnumerants().size());
            return set(capnp::DynamicEnum{type.asEnum(), static_cast<uint16_t>(bits % count)});
        }
        case Type::TEXT: {
            const std::string text = draw_text(random);
            return set(capnp::Text::Reader{text.c_str(), text.size()});
        }
        case Type::DATA: {
            const std::string data = draw_text(random) + std::string(random.below(3), '\0');
            return set(capnp::Data::Reader{reinterpret_cast<const kj::byte*>(data.data()), data.size()});
        }
        default: FAIL("a type that is not drawn");
    }
}

void fill_list(capnp::DynamicList::Builder list, Random& random, u32 depth) {
    const capnp::Type element = list.getSchema().getElementType();
    for (u32 i = 0; i < list.size(); ++i) {
        if (element.isStruct()) {
            fill(list[i].as<capnp::DynamicStruct>(), random, depth + 1);
        } else {
            set_value(element, random, [&](auto value) { list.set(i, value); });
        }
    }
}

void fill(capnp::DynamicStruct::Builder builder, Random& random, u32 depth) {
    for (const auto field : builder.getSchema().getFields()) {
        const capnp::Type type = field.getType();
        const bool contains = type.isStruct() || type.isList();
        if (is_capability(field.getProto().getSlot().getType()) || (contains && (depth > 2 || random.percent(30)))) continue;
        if (type.isStruct()) {
            fill(builder.init(field).as<capnp::DynamicStruct>(), random, depth + 1);
        } else if (type.isList()) {
            const capnp::Type element = type.asList().getElementType();
            if (element.isInterface() || element.isAnyPointer()) continue;
            fill_list(builder.init(field, random.below32(4)).as<capnp::DynamicList>(), random, depth);
        } else {
            set_value(type, random, [&](auto value) { builder.set(field, value); });
        }
    }
}

std::vector<std::byte> bytes_of(capnp::MessageBuilder& message) {
    const auto segments = message.getSegmentsForOutput();
    REQUIRE(segments.size() == 1);
    const auto* first = reinterpret_cast<const std::byte*>(segments[0].begin());
    return {first, first + segments[0].size() * sizeof(capnp::word)};
}

std::string libcapnp_text(capnp::StructSchema schema, const std::vector<std::byte>& bytes) {
    std::vector<capnp::word> words(bytes.size() / sizeof(capnp::word));
    std::memcpy(words.data(), bytes.data(), bytes.size());
    const kj::ArrayPtr<const capnp::word> segment = kj::arrayPtr(words.data(), words.size());
    capnp::SegmentArrayMessageReader reader{kj::arrayPtr(&segment, 1)};
    return capnp::TextCodec{}.encode(reader.getRoot<capnp::DynamicStruct>(schema)).cStr();
}

struct Round {
    const dynamic::Table& table;
    u16 structure;
    capnp::StructSchema schema;

    void run(Random& random) const {
        capnp::MallocMessageBuilder message{4096};
        const auto root = message.initRoot<capnp::DynamicStruct>(schema);
        fill(root, random, 0);
        const std::vector<std::byte> bytes = bytes_of(message);
        const std::string theirs = capnp::TextCodec{}.encode(root.asReader()).cStr();
        INFO(theirs);

        // What libcapnp prints we read, and what becomes of it libcapnp reads as the same message.
        const auto parsed = dynamic::parse(table, structure, theirs);
        INFO((parsed ? std::string{} : parsed.error().text + " at " + std::to_string(parsed.error().position)));
        REQUIRE(parsed);
        CHECK(libcapnp_text(schema, parsed->bytes) == theirs);

        // What we print libcapnp reads as the same message.
        const dynamic::Printed printed = dynamic::print(table, structure, bytes, 0);
        CHECK(printed.is_valid);
        CHECK(printed.is_complete);
        INFO(printed.text);
        capnp::MallocMessageBuilder decoded;
        const auto decoded_root = decoded.initRoot<capnp::DynamicStruct>(schema);
        capnp::TextCodec{}.decode(kj::StringPtr{printed.text.c_str(), printed.text.size()}, decoded_root);
        CHECK(std::string{capnp::TextCodec{}.encode(decoded_root.asReader()).cStr()} == theirs);
    }
};

void run_all(std::span<const unsigned char> request, std::span<const unsigned char> tables, u64 rounds) {
    const Schemas schemas{request};
    Bytes rest = std::as_bytes(tables);
    u64 methods = 0;
    while (!rest.empty()) {
        const auto table = dynamic::Table::open(rest);
        REQUIRE(table);
        rest = rest.subspan(table->bytes().size());
        for (u16 i = 0; i < table->methods(); ++i, ++methods) {
            const dynamic::Method method = table->method(i);
            INFO(table->interface().name << "." << method.name);
            const capnp::InterfaceSchema::Method schema = schemas.method(method);
            REQUIRE(std::string_view{schema.getProto().getName().cStr()} == method.name);
            Random random{methods};
            for (u64 round = 0; round < rounds; ++round) {
                const bool is_secret = method.name == "signIn";  // prints nothing that could be read again
                if (!is_secret) Round{*table, method.params, schema.getParamType()}.run(random);
                Round{*table, method.results, schema.getResultType()}.run(random);
            }
        }
    }
    CHECK(methods > 5);
}

}  // namespace

TEST_CASE("messages of every type go through their text form as through libcapnp's", "[R30]") {
    run_all(kDynamicRequest, kDynamicTables, 300);
}
