// Schema tables: what the compiler writes is accepted and says what the schema says; what is damaged is refused or harmless.
#include <new>

#include <catch2/catch.hpp>

#include "dynamic_tables.h"
#include "host/support/byte_writer.h"
#include "interface_tables.h"
#include "runtime/dynamic/print.h"

using namespace capos;
using namespace capos::dynamic;

namespace {

Bytes all_tables() { return std::as_bytes(std::span{kDynamicTables}); }

Table table_of(std::string_view name) {
    Bytes rest = all_tables();
    while (true) {
        const auto table = Table::open(rest);
        REQUIRE(table);
        if (table->interface().name == name) return *table;
        rest = rest.subspan(table->bytes().size());
    }
}

std::optional<TableError> error_after(usize at, u8 value) {
    const Bytes bytes = table_of("Everything").bytes();
    test::ByteVector copy(bytes.begin(), bytes.end());
    copy[at] = std::byte{value};
    const auto table = Table::open(copy);
    return table ? std::nullopt : std::optional{table.error()};
}

}  // namespace

TEST_CASE("a schema table lists the methods of an interface and of those it inherits from") {
    const Table table = table_of("Everything");
    CHECK(table.interface().id == 0xa1d3b5c7e9f10003);
    CHECK(table.bases() == 2);
    CHECK(table.methods() == 6);
    const auto ping = table.find_method("ping");
    REQUIRE(ping);
    CHECK(ping->interface.name == "Base");
    CHECK(ping->interface.id == 0xa1d3b5c7e9f10001);
    CHECK(table.find_method(0xa1d3b5c7e9f10003, 2)->name == "lists");
    CHECK_FALSE(table.find_method("absent"));
    CHECK_FALSE(table.find_method(0xa1d3b5c7e9f10003, 9));
}

TEST_CASE("the signature of a method is written as in its schema") {
    const Table table = table_of("Everything");
    CHECK(signature(table, *table.find_method("count")) == "count () -> (count :UInt64)");
    CHECK(signature(table, *table.find_method("pointers")) ==
          "pointers (text :Text, data :Data, point :Point, node :Node, any :AnyPointer, middle :Middle) -> (point :Point)");
    CHECK(signature(table, *table.find_method("lists")).starts_with("lists (flags :List(Bool), bytes :List(UInt8), "));
    CHECK(signature(table, *table.find_method("signIn")) ==
          "signIn (user :Text, password :Text, pin :UInt32) -> (middle :Middle)");
}

TEST_CASE("enumerants are found by value and by name") {
    const Table table = table_of("Everything");
    const Structure params = table.structure(table.find_method("scalars")->params);
    const Field colour = table.field(static_cast<u16>(params.first_field + params.fields - 1));
    REQUIRE(colour.kind == SchemaKind::enumeration);
    CHECK(table.enumerant(colour.type, 2) == "deepBlue");
    CHECK_FALSE(table.enumerant(colour.type, 3));
    CHECK(table.find_enumerant(colour.type, "green") == 1);
    CHECK_FALSE(table.find_enumerant(colour.type, "grey"));
}

TEST_CASE("every interface of the system has a table that is accepted") {
    Bytes rest = std::as_bytes(std::span{kInterfaceTables});
    usize count = 0;
    for (; !rest.empty(); ++count) {
        const auto table = Table::open(rest);
        REQUIRE(table);
        INFO(table->interface().name);
        for (u16 i = 0; i < table->methods(); ++i) CHECK(signature(*table, table->method(i)).size() > 8);
        rest = rest.subspan(table->bytes().size());
    }
    CHECK(count >= 19);
}

TEST_CASE("a schema table that is cut off at any length is refused", "[R30]") {
    const Bytes bytes = table_of("Everything").bytes();
    for (usize length = 0; length < bytes.size(); ++length) {
        const test::ByteVector copy(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
        CHECK(Table::open(copy).error() == TableError::truncated);
    }
}

TEST_CASE("each way for a schema table to be wrong has its error", "[R30]") {
    const usize names = [] {
        const Table table = table_of("Everything");
        abi::SchemaHeader header;
        std::memcpy(&header, table.bytes().data(), sizeof header);
        return sizeof header + header.interfaces * 16u + header.methods * 12u + header.structs * 10u +
               header.fields * 10u + header.enums * 6u + header.enumerants * 2u;
    }();
    CHECK(error_after(0, 'X') == TableError::not_a_table);
    CHECK(error_after(4, 2) == TableError::not_a_table);                // version
    CHECK(error_after(6, 0xff) == TableError::bad_header);              // bases
    CHECK(error_after(offsetof(abi::SchemaHeader, bytes) + 1, 0xf8) == TableError::too_large);
    CHECK(error_after(offsetof(abi::SchemaHeader, methods), 1) == TableError::bad_header);
    CHECK(error_after(offsetof(abi::SchemaHeader, reserved), 1) == TableError::reserved);
    CHECK(error_after(names, 1) == TableError::bad_name);               // the empty name is not empty
    CHECK(error_after(names + 3, 0x1b) == TableError::bad_name);        // a control character in a name
    const usize methods = sizeof(abi::SchemaHeader) + 3 * 16;
    CHECK(error_after(methods + offsetof(abi::SchemaMethod, interface), 9) == TableError::bad_index);
    CHECK(error_after(methods + offsetof(abi::SchemaMethod, params), 0xfe) == TableError::bad_index);
    CHECK(error_after(methods + offsetof(abi::SchemaMethod, name) + 1, 0xff) == TableError::bad_index);
}

TEST_CASE("a schema table with any one byte changed is refused, or as safe as any other", "[R30]") {
    const Bytes bytes = table_of("Everything").bytes();
    usize refused = 0;
    for (usize at = 0; at < bytes.size(); ++at) {
        for (const u8 value : {u8{0}, u8{1}, u8{0x10}, u8{0x7f}, u8{0xff}}) {
            test::ByteVector copy(bytes.begin(), bytes.end());
            copy[at] = std::byte{value};
            const auto table = Table::open(copy);
            if (!table) ++refused;
            for (u16 i = 0; table && i < table->methods(); ++i) {
                const Method method = table->method(i);
                signature(*table, method);
                print(*table, method.params, bytes.first(bytes.size() / 8 * 8), 3);
            }
        }
    }
    CHECK(refused > bytes.size());
}

TEST_CASE("every error of a schema table has a text") {
    for (u8 error = 0; error <= static_cast<u8>(TableError::reserved); ++error) {
        CHECK(describe(static_cast<TableError>(error)) != std::string_view{"unknown error"});
    }
}
