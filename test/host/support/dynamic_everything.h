// dynamic_everything.h - the table of the interface that has a method for every type (test/codegen/fixtures, dynamic.capnp).
#pragma once

#include <catch2/catch.hpp>

#include "dynamic_tables.h"
#include "runtime/dynamic/table.h"

namespace capos::test {

inline dynamic::Table everything() {
    dynamic::Bytes rest = std::as_bytes(std::span{kDynamicTables});
    while (true) {
        const auto table = dynamic::Table::open(rest);
        REQUIRE(table);
        if (table->interface().name == "Everything") return *table;
        rest = rest.subspan(table->bytes().size());
    }
}

}  // namespace capos::test
