// The CPU table: an APIC id that nobody added is no CPU, least of all the boot CPU.
#include <new>

#include <catch2/catch.hpp>

#include "core/cpu_table.h"

using namespace capos;
using namespace capos::kernel;

TEST_CASE("an unknown APIC id is no CPU, least of all the boot CPU", "[R13]") {
    CpuTable table;
    CHECK_FALSE(table.find(0));  // an empty table has no boot CPU either
    REQUIRE(table.add(4));
    REQUIRE(table.add(0));
    REQUIRE(table.add(300));
    CHECK(table.find(4) == CpuId{0});
    CHECK(table.find(0) == CpuId{1});
    CHECK(table.find(300) == CpuId{2});
    for (const u32 unknown : {1u, 2u, 3u, 5u, 44u, 255u, 300u + 256u, ~0u}) CHECK_FALSE(table.find(unknown));
}

TEST_CASE("a CPU index that was not given has no APIC id", "[R13]") {
    CpuTable table;
    CHECK_FALSE(table.apic_id(CpuId{0}));
    REQUIRE(table.add(7));
    CHECK(table.apic_id(CpuId{0}) == 7u);
    for (const u32 index : {1u, kCpusMax - 1, kCpusMax, ~0u}) CHECK_FALSE(table.apic_id(CpuId{index}));
}

TEST_CASE("two CPUs with one APIC id are refused, and the table stays as it was", "[R13]") {
    CpuTable table;
    REQUIRE(table.add(1));
    REQUIRE(table.add(2));
    CHECK(table.add(1).error() == CpuTableError::duplicate);
    CHECK(table.count() == 2);
    CHECK(table.find(1) == CpuId{0});
}

TEST_CASE("a full CPU table refuses one more") {
    CpuTable table;
    for (u32 i = 0; i < kCpusMax; ++i) REQUIRE(table.add(i * 2).value_or(CpuId{~0u}) == CpuId{i});
    CHECK(table.add(1).error() == CpuTableError::full);
    CHECK(table.count() == kCpusMax);
    CHECK_FALSE(table.find(1));
    for (u32 i = 0; i < kCpusMax; ++i) CHECK(table.apic_id(*table.find(i * 2)) == i * 2);
}
