// The serial driver's device logic on a fake 16550.
#include <new>

#include <catch2/catch.hpp>

#include <string>

#include "drivers/uart/device.h"
#include "host/support/run_task.h"

using namespace capos;
using namespace capos::uart;
using capos::test::run_now;
using runtime::Task;

namespace {

// As much of the chip as the driver touches. Typed in from the data sheet, not from registers.h.
struct FakeChip {
    std::string wire_out, wire_in;
    u8 interrupt_enable{0xff}, line_control{}, modem_control{}, fifo_control{}, divisor_low{}, divisor_high{0xff};
    usize fifo{};          // bytes in the transmitter
    bool transmits{true};  // empties it at once
    bool overrun{};
    Status broken{Status::ok};

    bool divisor_access() const { return (line_control & 0x80) != 0; }
    u8 line_status() {
        const u8 status = static_cast<u8>((wire_in.empty() ? 0 : 1) | (overrun ? 2 : 0) | (fifo == 0 ? 0x60 : 0));
        overrun = false;
        return status;
    }
    void put(u8 byte) {
        if (fifo < 16) wire_out += static_cast<char>(byte);
        if (!transmits) ++fifo;
    }
    Task<void> write(u32 offset, u8 value) {
        if (broken != Status::ok) co_return fail(broken);
        switch (offset) {
            case 0: divisor_access() ? (void)(divisor_low = value) : put(value); break;
            case 1: (divisor_access() ? divisor_high : interrupt_enable) = value; break;
            case 2: fifo_control = value; break;
            case 3: line_control = value; break;
            case 4: modem_control = value; break;
            default: FAIL("a register that the driver has no business with"); break;
        }
        co_return done;
    }
    Task<void> write_bytes(u32 offset, std::span<const std::byte> bytes) {
        CHECK(offset == 0);
        CHECK(bytes.size() <= 16);
        for (const std::byte byte : bytes) put(static_cast<u8>(byte));
        co_return done;
    }
    Task<PortBytes> read_while(u8 limit, u8 mask, u8 wanted) {
        PortBytes read;
        while (true) {
            const u8 status = line_status();
            read.seen |= status;
            if ((status & mask) != wanted || read.data.size() == limit) break;
            read.data.push_back(static_cast<std::byte>(wire_in.front()));
            wire_in.erase(0, 1);
        }
        co_return read;
    }
};

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span{text.data(), text.size()}); }
std::string text(const std::vector<std::byte>& from) {
    return {reinterpret_cast<const char*>(from.data()), from.size()};
}

}  // namespace

TEST_CASE("the serial port is set to 115200 baud, eight bits, FIFOs on and interrupts for input") {
    FakeChip chip;
    Device device{chip};
    REQUIRE(run_now(device.start()));
    CHECK((chip.divisor_low == 1 && chip.divisor_high == 0));
    CHECK(chip.line_control == 0x03);
    CHECK(chip.fifo_control == 0x07);
    CHECK(chip.modem_control == 0x0b);
    CHECK(chip.interrupt_enable == 0x01);
}

TEST_CASE("output goes out in bursts of a FIFO, and the interrupt for it is on only while there is some") {
    FakeChip chip;
    Device device{chip};
    REQUIRE(run_now(device.start()));
    chip.transmits = false;
    const std::string sent(40, 'x');
    device.put(bytes(sent));
    REQUIRE(run_now(device.serve()));
    CHECK(chip.wire_out.size() == 16);
    CHECK(chip.interrupt_enable == 0x03);
    REQUIRE(run_now(device.serve()));  // the chip is still full
    CHECK(chip.wire_out.size() == 16);
    chip.fifo = 0;
    REQUIRE(run_now(device.serve()));
    chip.fifo = 0;
    REQUIRE(run_now(device.serve()));
    CHECK(chip.wire_out == sent);
    CHECK(chip.interrupt_enable == 0x01);
}

TEST_CASE("all input is taken, in order, also more than one FIFO of it") {
    FakeChip chip;
    Device device{chip};
    REQUIRE(run_now(device.start()));
    for (int i = 0; i < 100; ++i) chip.wire_in += static_cast<char>(i);
    REQUIRE(run_now(device.serve()));
    const std::string taken = text(device.take(1000));
    REQUIRE(taken.size() == 100);
    for (int i = 0; i < 100; ++i) CHECK(taken[static_cast<usize>(i)] == static_cast<char>(i));
    CHECK_FALSE(device.has_input());
    CHECK(device.take_lost() == 0);
}

TEST_CASE("input that nobody reads is bounded and what is lost is counted, once") {
    FakeChip chip;
    Device device{chip};
    REQUIRE(run_now(device.start()));
    chip.wire_in.assign(Device<FakeChip>::kInputMax + 7, 'a');
    REQUIRE(run_now(device.serve()));
    chip.overrun = true;
    REQUIRE(run_now(device.serve()));
    CHECK(device.take_lost() == 8);
    CHECK(device.take_lost() == 0);
    CHECK(device.take(10).size() == 10);
}

TEST_CASE("a chip whose transmitter never fills does not keep the driver for ever") {
    FakeChip chip;
    Device device{chip};
    REQUIRE(run_now(device.start()));
    const std::string sent(8000, 'y');
    CHECK(device.has_room(8000));
    device.put(bytes(sent));
    CHECK_FALSE(device.has_room(8000));
    REQUIRE(run_now(device.serve()));
    CHECK(chip.wire_out.size() == 16 * Device<FakeChip>::kBurstsMax);
    CHECK(chip.interrupt_enable == 0x03);
}

TEST_CASE("an error of the kernel ends the driver's operation with it") {
    FakeChip chip;
    Device device{chip};
    chip.broken = Status::disconnected;
    const auto started = run_now(device.start());
    REQUIRE_FALSE(started);
    CHECK(started.error().status == Status::disconnected);
}
