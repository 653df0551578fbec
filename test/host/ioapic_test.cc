// The I/O APIC model on a fake device that behaves as the datasheet says: reset values, read-only bits, index and window.
#include <new>

#include <catch2/catch.hpp>
#include <functional>
#include <map>

#include "core/ioapic.h"

using namespace capos;
using namespace capos::kernel;

namespace {

constexpr u32 kMasked = 1 << 16, kDeliveryStatus = 1 << 12, kRemoteIrr = 1 << 14, kReadOnly = kDeliveryStatus | kRemoteIrr;

// 82093AA §3.2: 24 lines, redirection entries masked after reset.
struct FakeIoApic {
    explicit FakeIoApic(u32 lines = 24) : lines{lines} {
        for (u32 line = 0; line < lines; ++line) low(line) = kMasked;
    }
    u32& low(u32 line) { return registers[static_cast<u8>(0x10 + 2 * line)]; }
    u32& high(u32 line) { return registers[static_cast<u8>(0x11 + 2 * line)]; }
    u32 read(u8 index) { return index == 0x01 ? (lines - 1) << 16 | 0x11 : registers[index]; }
    void write(u8 index, u32 value) {
        REQUIRE(index >= 0x10);
        REQUIRE(index < 0x10 + 2 * lines);
        u32& now = registers[index];
        now = (index & 1) != 0 ? value : (value & ~kReadOnly) | (now & kReadOnly);
        if (after_write) after_write();
    }
    IoApicPort port() {
        return {[](void* self, u8 index) { return static_cast<FakeIoApic*>(self)->read(index); },
                [](void* self, u8 index, u32 value) { static_cast<FakeIoApic*>(self)->write(index, value); }, this};
    }

    u32 lines;
    std::map<u8, u32> registers;
    std::function<void()> after_write;
};

constexpr InterruptRoute kRoute{.vector = 0x45, .destination = 3, .active_low = true, .level_triggered = true};

}  // namespace

TEST_CASE("the mask state of an interrupt line is what the register says, whoever wrote it", "[R16]") {
    FakeIoApic device;
    IoApic io_apic{device.port(), 0};
    REQUIRE(io_apic.route(5, kRoute));
    CHECK(io_apic.masked(5) == true);
    REQUIRE(io_apic.unmask(5));
    CHECK(io_apic.masked(5) == false);
    CHECK((device.low(5) & kMasked) == 0);
    device.low(5) |= kMasked;  // behind the model's back
    CHECK(io_apic.masked(5) == true);
    device.low(5) &= ~kMasked;
    CHECK(io_apic.masked(5) == false);
    device.low(6) &= ~kMasked;
    CHECK(io_apic.masked(6) == false);
    REQUIRE(io_apic.mask(6));
    CHECK((device.low(6) & kMasked) != 0);
}

TEST_CASE("a device that ignores a write is not believed to have taken it", "[R16]") {
    FakeIoApic device;
    IoApic io_apic{device.port(), 0};
    device.after_write = [&] { device.low(4) |= kMasked; };  // a line that is stuck masked
    REQUIRE(io_apic.unmask(4));
    CHECK(io_apic.masked(4) == true);
}

TEST_CASE("the I/O APIC's lines are masked when it is taken over from firmware", "[R16]") {
    FakeIoApic device;
    device.low(0) = 0x08;
    device.low(23) = 0x42 | kRemoteIrr;
    const IoApic io_apic{device.port(), 0};
    for (u32 line = 0; line < 24; ++line) CHECK(io_apic.masked(line) == true);
    CHECK((device.low(23) & 0xff) == 0x42);
}

TEST_CASE("a route is written while its line is masked, and no interrupt sees half of it") {
    FakeIoApic device;
    IoApic io_apic{device.port(), 0};
    REQUIRE(io_apic.route(7, kRoute));
    REQUIRE(io_apic.unmask(7));
    const InterruptRoute other{.vector = 0x80, .destination = 9, .active_low = false, .level_triggered = false};
    usize writes = 0;
    device.after_write = [&] {
        ++writes;
        CHECK((device.low(7) & kMasked) != 0);
    };
    REQUIRE(io_apic.route(7, other));
    CHECK(writes == 3);
    CHECK(io_apic.current_route(7) == other);
    CHECK(device.low(7) == (0x80u | kMasked));
    CHECK(device.high(7) == 9u << 24);
}

TEST_CASE("a route has its bits where the datasheet has them, fixed delivery to a physical destination") {
    FakeIoApic device;
    IoApic io_apic{device.port(), 0};
    device.low(2) = kMasked | 7 << 8 | 1 << 11 | kReadOnly;  // what firmware left: ExtINT, logical destination
    device.high(2) = 0xff00'0000 | 0x00ab'cdef;
    REQUIRE(io_apic.route(2, kRoute));
    CHECK(device.low(2) == (0x45u | 1 << 13 | 1 << 15 | kMasked | kReadOnly));
    CHECK(device.high(2) == (3u << 24 | 0x00ab'cdefu));  // reserved bits are left alone
    CHECK(io_apic.current_route(2) == kRoute);
    for (u32 line = 0; line < 24; ++line) {
        if (line != 2) CHECK(device.low(line) == kMasked);
    }
}

TEST_CASE("a line that the I/O APIC does not have, or a vector that no CPU accepts, is refused and nothing written") {
    FakeIoApic device{24};
    IoApic io_apic{device.port(), 16};
    usize writes = 0;
    device.after_write = [&] { ++writes; };
    for (const u32 line : {24u, 119u, 120u, 240u, ~0u}) {
        CHECK_FALSE(io_apic.route(line, kRoute));
        CHECK_FALSE(io_apic.mask(line));
        CHECK_FALSE(io_apic.unmask(line));
        CHECK_FALSE(io_apic.masked(line));
        CHECK_FALSE(io_apic.current_route(line));
    }
    InterruptRoute bad = kRoute;
    bad.vector = 15;
    CHECK_FALSE(io_apic.route(0, bad));
    CHECK(writes == 0);
    CHECK(io_apic.line_of(15) == std::nullopt);
    CHECK(io_apic.line_of(16) == 0u);
    CHECK(io_apic.line_of(39) == 23u);
    CHECK(io_apic.line_of(40) == std::nullopt);
    CHECK(io_apic.line_of(~0u) == std::nullopt);
}

TEST_CASE("an I/O APIC that claims 256 lines is used as far as its index reaches") {
    FakeIoApic device{120};
    struct Boast {
        FakeIoApic& device;
    } boast{device};
    const IoApicPort port{
        [](void* self, u8 index) { return index == 0x01 ? ~u32{0} : static_cast<Boast*>(self)->device.read(index); },
        [](void* self, u8 index, u32 value) { static_cast<Boast*>(self)->device.write(index, value); }, &boast};
    IoApic io_apic{port, 0};
    CHECK(io_apic.lines() == 120);
    CHECK(io_apic.route(119, kRoute));
    CHECK_FALSE(io_apic.route(120, kRoute));
}

TEST_CASE("an ISA interrupt is where the MADT overrides it to be, else where it always was") {
    const formats::MadtOverride overrides[] = {{0, 2, false, false}, {9, 9, true, true}};
    CHECK(isa_interrupt_source(overrides, 0) == InterruptSource{2, false, false});
    CHECK(isa_interrupt_source(overrides, 9) == InterruptSource{9, true, true});
    CHECK(isa_interrupt_source(overrides, 4) == InterruptSource{4, false, false});
    CHECK(isa_interrupt_source({}, 0) == InterruptSource{0, false, false});
}
