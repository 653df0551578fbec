// The registry of schema tables: base tables stay, others may change, and there is an end to all of them.
#include <new>

#include <catch2/catch.hpp>

#include "dynamic_tables.h"
#include "host/support/byte_writer.h"
#include "servers/schemas/registry.h"

using namespace capos;
using namespace capos::schemas;
using dynamic::Table;

namespace {

dynamic::Bytes first_table() {
    const auto table = Table::open(std::as_bytes(std::span{kDynamicTables}));
    REQUIRE(table);
    return table->bytes();
}

// The same table under another id.
test::ByteVector table_of(u64 id) {
    test::ByteVector copy(first_table().begin(), first_table().end());
    test::patch(copy, sizeof(abi::SchemaHeader), id);
    return copy;
}

// One that says something else.
test::ByteVector changed(u64 id) {
    test::ByteVector copy = table_of(id);
    test::patch(copy, sizeof(abi::SchemaHeader) + sizeof(abi::SchemaInterface) + offsetof(abi::SchemaMethod, ordinal), u16{7});
    REQUIRE(Table::open(copy));
    return copy;
}

}  // namespace

TEST_CASE("a table of the system is never replaced", "[R30]") {
    Registry registry;
    CHECK(registry.add(table_of(5), "shell.elf", true));
    CHECK(registry.add(table_of(5), "other.elf", false));
    CHECK(registry.find(5)->program == "shell.elf");
    CHECK(registry.add(changed(5), "evil.elf", false).error() == RegisterError::exists);
    CHECK(registry.add(changed(5), "evil.elf", true).error() == RegisterError::exists);
    CHECK(registry.find(5)->is_base);
    CHECK(registry.find(6) == nullptr);
}

TEST_CASE("of two foreign tables the later one counts, and the system's replaces both") {
    Registry registry;
    CHECK(registry.add(table_of(5), "one.elf", false));
    CHECK(registry.add(changed(5), "two.elf", false));
    CHECK(registry.find(5)->program == "two.elf");
    CHECK_FALSE(registry.find(5)->is_base);
    CHECK(registry.add(table_of(5), "base.elf", true));
    CHECK(registry.find(5)->program == "base.elf");
    CHECK(registry.size() == 1);
}

TEST_CASE("what is no table, and a name that is too long, are refused", "[R30]") {
    Registry registry;
    CHECK(registry.add({}, "x", true).error() == RegisterError::bad_table);
    test::ByteVector longer = table_of(5);
    longer.resize(longer.size() + 8);
    CHECK(registry.add(longer, "x", true).error() == RegisterError::bad_table);
    CHECK(registry.add(table_of(5), std::string(65, 'x'), true).error() == RegisterError::bad_program);
    CHECK(registry.size() == 0);
}

TEST_CASE("foreign tables leave room for those of the system") {
    Registry registry;
    u64 id = 1;
    while (registry.add(table_of(id), "x", false)) ++id;
    CHECK(registry.add(table_of(id), "x", false).error() == RegisterError::full);
    CHECK(registry.size() == kForeignTablesMax);
    CHECK(registry.add(changed(1), "x", false));  // replaces one
    while (registry.size() < kTablesMax) CHECK(registry.add(table_of(id++), "x", true));
    CHECK(registry.add(table_of(id), "x", true).error() == RegisterError::full);
}

TEST_CASE("all tables of a program's section are taken, up to the first that is broken") {
    Registry registry;
    const auto all = std::as_bytes(std::span{kDynamicTables});
    CHECK(registry.add_all(all, std::string(100, 'p'), true) == 3);
    CHECK(registry.find(0xa1d3b5c7e9f10003)->name() == "Everything");
    CHECK(registry.find(0xa1d3b5c7e9f10003)->program.size() == kProgramBytesMax);
    u64 before = 0;
    usize count = 0;
    for (auto one = registry.after(0); one != registry.end(); ++one, ++count) {
        CHECK(one->first > before);
        before = one->first;
    }
    CHECK(count == 3);
    Registry partial;
    CHECK(partial.add_all(all.first(all.size() - 8), "p", true) == 2);
}
