// The kernel log: one line a record, levels, lengths, and text from outside that cannot forge a line.
#include <new>

#include <catch2/catch.hpp>

#include "host/support/machine.h"

using namespace capos;
using namespace capos::kernel;

TEST_CASE("a log line has its time, level and area") {
    test::Machine machine;
    machine.time = Time{12'345'678};
    log(LogLevel::info, "boot") << 4u << " CPUs";
    CHECK(machine.console == "[   0.012345] INFO boot: 4 CPUs\n");
    machine.console.clear();
    machine.time = Time{123'456'000'001'000};
    log(LogLevel::error, "x") << "y";
    CHECK(machine.console == "[123456.000001] ERROR x: y\n");
}

TEST_CASE("lines above the log level are neither shown nor kept") {
    test::Machine machine;
    machine.log.level = LogLevel::warn;
    log(LogLevel::info, "a") << "text" << 1u << Hex{2};
    log(LogLevel::debug, "a").printable("text");
    CHECK(machine.console.empty());
    CHECK(machine.log.buffer.written() == 0);
    log(LogLevel::warn, "a") << "b";
    log(LogLevel::error, "a") << "b";
    CHECK(machine.console.size() > 0);
    CHECK(machine.log.buffer.written() == machine.console.size());
}

TEST_CASE("a log without console still keeps its lines") {
    test::Machine machine;
    machine.log.to_console = false;
    log(LogLevel::info, "a") << "b";
    CHECK(machine.console.empty());
    CHECK(machine.log.buffer.written() > 0);
}

TEST_CASE("a line that is too long is cut off and still ends") {
    test::Machine machine;
    log(LogLevel::info, "a") << std::string(1000, 'x') << 5u << Hex{~u64{0}};
    CHECK(machine.console.size() == 320);
    CHECK(machine.console.back() == '\n');
    CHECK(std::count(machine.console.begin(), machine.console.end(), '\n') == 1);
}

TEST_CASE("numbers are written whole") {
    test::Machine machine;
    log(LogLevel::info, "a") << 0u << " " << ~u64{0} << " " << Hex{0} << " " << Hex{0x1f, 4} << " " << Hex{~u64{0}};
    log(LogLevel::info, "a") << VirtualAddress{0x1000} << " " << PhysicalAddress{0x1000};
    CHECK(machine.console.find("18446744073709551615 0x0 0x001f 0xffffffffffffffff\n") != std::string::npos);
    CHECK(machine.console.find("0x0000000000001000 0x1000\n") != std::string::npos);
}

TEST_CASE("text from outside cannot start a log line of its own") {
    test::Machine machine;
    log(LogLevel::info, "a").printable(std::string_view{"x\n[0] ERROR\r\x1b\0\x7f\xff~ ", 18});
    CHECK(machine.console.ends_with("x.[0] ERROR.....~ \n"));
}

TEST_CASE("the log buffer keeps counting when it wraps") {
    test::Machine machine;
    machine.log.to_console = false;
    u64 before = 0;
    for (int i = 0; i < 2000; ++i) {
        log(LogLevel::info, "a") << "some text of some length";
        CHECK(machine.log.buffer.written() > before);
        before = machine.log.buffer.written();
    }
    CHECK(before > 2 * LogBuffer::kBytes);
}
