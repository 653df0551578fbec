// What the log server keeps: bounds, rates, levels, order.
#include <new>

#include <catch2/catch.hpp>

#include "servers/log/records.h"

using namespace capos;
using namespace capos::log;

namespace {

constexpr u64 kSecond = 1'000'000'000;

bool add(Records& records, u64 now, std::string_view service, std::string_view text, LogLevel level = LogLevel::info) {
    return records.add(now, service, level, text, {}, 0);
}

}  // namespace

TEST_CASE("records come back in order, filtered by service and level") {
    Records records;
    add(records, 1, "net", "up");
    add(records, 2, "fs", "mounted");
    add(records, 3, "net", "down", LogLevel::error);
    const Record* first = records.next(0, {});
    REQUIRE(first != nullptr);
    CHECK((first->text == "up" && *first->service == "net" && first->time_ns == 1 && first->number == 1));
    CHECK(records.next(1, {})->text == "mounted");
    CHECK(records.next(1, {.service = "net"})->text == "down");
    CHECK(records.next(0, {.service = {}, .level = LogLevel::error})->text == "down");
    CHECK(records.next(3, {}) == nullptr);
    CHECK(records.next(~u64{0}, {}) == nullptr);
}

TEST_CASE("a service that floods is cut to its rate, told how much it lost, and leaves the others alone") {
    Records records;
    u32 kept = 0;
    for (int i = 0; i < 1000; ++i) kept += add(records, kSecond, "noisy", "x") ? 1 : 0;
    CHECK(kept == Records::kBurst);
    CHECK(add(records, kSecond, "quiet", "y"));
    CHECK(records.next(kept, {.service = "noisy"}) == nullptr);
    CHECK(add(records, 2 * kSecond, "noisy", "again"));
    CHECK(records.next(kept, {.service = "noisy"})->lost == 1000 - Records::kBurst);
    u32 second = 1;
    for (int i = 0; i < 1000; ++i) second += add(records, 2 * kSecond, "noisy", "x") ? 1 : 0;
    CHECK(second == Records::kRate);
}

TEST_CASE("memory is bounded: the oldest go first") {
    Records records;
    const std::string text(Records::kTextBytesMax, 't');
    u64 now = 0;
    for (int i = 0; i < 5000; ++i) add(records, now += kSecond, "s", text);
    CHECK(records.bytes() <= Records::kBytesMax);
    CHECK(records.bytes() > Records::kBytesMax - 2000);
    CHECK(records.dropped() == 5000 - records.count());
    CHECK(records.next(0, {})->number == 5001 - records.count());
}

TEST_CASE("levels: above the service's own nothing is kept") {
    Records records;
    CHECK_FALSE(add(records, 1, "s", "detail", LogLevel::debug));
    CHECK_FALSE(records.set_level("unknown", LogLevel::debug));
    CHECK(records.set_level("s", LogLevel::debug));
    CHECK(add(records, 1, "s", "detail", LogLevel::debug));
    CHECK(records.level("s") == LogLevel::debug);
    CHECK(records.level("t") == LogLevel::info);
}

TEST_CASE("texts, names and fields are cut to their limits, at whole characters") {
    Records records;
    std::string text(Records::kTextBytesMax - 1, 'a');
    text += "\xc3\xa4";  // two bytes, of which one would fit
    const std::vector<idl::LogField> fields(12, {"a name that is much longer than thirty-two bytes", "v"});
    REQUIRE(records.add(1, "s", LogLevel::info, text, std::span{fields}, 3));
    const Record* record = records.next(0, {});
    CHECK(record->text == std::string(Records::kTextBytesMax - 1, 'a'));
    CHECK(record->fields.size() == Records::kFieldsMax);
    CHECK(record->fields[0].name.size() == Records::kNameBytesMax);
    CHECK(record->lost == 3);
}

TEST_CASE("crashes survive a flood of records, and are bounded themselves") {
    Records records;
    records.add_crash(1, "disk", "page fault at 0x0", {std::byte{1}, std::byte{2}});
    u64 now = 0;
    for (int i = 0; i < 5000; ++i) add(records, now += kSecond, "s", std::string(800, 'x'));
    const CrashRecord* crash = records.next_crash(0);
    REQUIRE(crash != nullptr);
    CHECK((crash->service == "disk" && crash->record.size() == 2));
    for (int i = 0; i < 100; ++i) records.add_crash(now, "disk", "again", {});
    CHECK(records.next_crash(0)->number == 101 - Records::kCrashesMax + 1);
    CHECK(records.next_crash(101) == nullptr);
}

TEST_CASE("the table of services is bounded: the rest share one entry") {
    Records records;
    for (int i = 0; i < 1000; ++i) add(records, kSecond, "service " + std::to_string(i), "x");
    CHECK(records.count() == Records::kServicesMax - 1 + Records::kBurst + 1);
    CHECK(*records.next(records.count() - 1, {})->service == "others");
}
