// driver.cc - the serial port as a Console (idl/console.capnp): bytes in, bytes out, nothing translated.
//
// Grants: `ports` (its eight I/O ports), `interrupt`, `console` (a Receiver), `control`. Crash-only: a restart begins from the
// chip's reset state; what was queued is lost, and so are at most the bytes in its FIFOs.
#include "device.h"
#include "idl/console.h"
#include "idl/errors.h"
#include "runtime/base/counted.h"
#include "runtime/driver/irq.h"
#include "runtime/program/server.h"

namespace capos::uart {

namespace {

using runtime::Grants;

constexpr u32 kWriteBytesMax = 4096, kReadBytesMax = 4096;
constexpr u32 kWaitersMax = 8;

// The kernel's ports.
class KernelPorts {
public:
    explicit KernelPorts(idl::IoPorts::Client ports) : ports_{std::move(ports)} {}

    Task<void> write(u32 offset, u8 value) {
        co_await ports_.write(offset, 1, value);
        co_return done;
    }
    Task<void> write_bytes(u32 offset, std::span<const std::byte> bytes) {
        co_await ports_.write_bytes(offset, bytes);
        co_return done;
    }
    Task<PortBytes> read_while(u8 limit, u8 mask, u8 wanted) {
        const auto read = co_await ports_.read_while(kData, limit, kLineStatus, mask, wanted);
        co_return PortBytes{{read.data.begin(), read.data.end()}, read.seen};
    }

private:
    idl::IoPorts::Client ports_;
};

using Chip = Device<KernelPorts>;

// Serves the chip's queues; the driver's task moves them.
class Terminal final : public idl::Console::Server {
public:
    explicit Terminal(Chip& chip) : chip_{chip} {}

    Task<idl::Console::Read::Answer> read(u32 max) override {
        if (max == 0) co_return runtime::failed(idl::ErrorCode::bad_argument, "max is 0");
        const runtime::Counted waiting{readers_};
        if (readers_ > kWaitersMax) co_return fail(runtime::Error{Status::overloaded});
        while (!chip_.has_input()) co_await moved.wait();
        const std::vector<std::byte> bytes = chip_.take(std::min(max, kReadBytesMax));
        co_return {.data = bytes, .lost = chip_.take_lost()};
    }

    Task<void> write(std::span<const std::byte> data) override {
        if (data.size() > kWriteBytesMax) co_return runtime::failed(idl::ErrorCode::bad_argument, "more than 4096 bytes");
        const runtime::Counted waiting{writers_};
        if (writers_ > kWaitersMax) co_return fail(runtime::Error{Status::overloaded});
        while (!chip_.has_room(data.size())) co_await moved.wait();
        chip_.put(data);
        written.notify();
        co_return done;
    }

    runtime::Event moved;    // the chip's queues have changed
    runtime::Event written;  // there is output

private:
    Chip& chip_;
    u32 readers_{}, writers_{};
};

// One turn at the chip at a time: of the interrupt, and of output that was added while the chip was idle.
class Pump {
public:
    Pump(Chip& chip, Terminal& terminal) : chip_{chip}, terminal_{terminal} {}

    Task<void> turn() {
        while (busy_) co_await free_.wait();
        busy_ = true;
        const auto served = co_await runtime::attempt(chip_.serve());
        busy_ = false;
        free_.notify();
        terminal_.moved.notify();
        if (!served) co_return fail(runtime::Error{served.error()});
        co_return done;
    }
    Task<void> output() {
        while (true) {
            while (chip_.output_is_empty()) co_await terminal_.written.wait();
            co_await turn();
            if (!chip_.output_is_empty()) co_await terminal_.moved.wait();  // the rest goes out with the chip's interrupts
        }
    }

private:
    Chip& chip_;
    Terminal& terminal_;
    bool busy_{};
    runtime::Event free_;
};

}  // namespace

}  // namespace capos::uart

capos::runtime::Task<void> capos::runtime::program_main(Grants& grants) {
    using namespace capos::uart;
    KernelPorts ports{co_await grants.find<idl::IoPorts>("ports")};
    Irq irq{grants.loop(), co_await grants.find<idl::Interrupt>("interrupt")};
    Chip chip{ports};
    Terminal terminal{chip};
    Pump pump{chip, terminal};
    co_await chip.start();
    const auto service = co_await serve(grants, "console", terminal, {.buffers = 4, .buffer_bytes = 4224, .slots = 0});
    co_await ready(grants);
    grants.loop().spawn(pump.output());
    while (true) {
        co_await irq.next();
        co_await pump.turn();
        co_await irq.acknowledge();
    }
}
