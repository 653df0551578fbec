// device.h - what a 16550 does, without the machine: over any Ports, which are the kernel's IoPorts in the driver and a fake
// chip in the tests. The chip's FIFOs hide what goes on between two looks at it; so do the queues here, which are what
// the console reads from and writes to.
//
// Ports has `Task<void> write(u32 offset, u8 value)`, `Task<void> write_bytes(u32 offset, std::span<const std::byte>)` and
// `Task<PortBytes> read_while(u8 limit, u8 mask, u8 wanted)`: reads kData while the bits of kLineStatus under `mask` are
// `wanted`. Errors are the kernel's and end the driver.
//
// Not re-entrant: start, serve and enable_output run one after the other, in the driver's one task.
#pragma once

#include <algorithm>
#include <deque>
#include <span>
#include <vector>

#include "registers.h"
#include "runtime/base/task.h"

namespace capos::uart {

using runtime::Task;

struct PortBytes {
    std::vector<std::byte> data;
    u8 seen{};  // line status bits, of all looks together
};

template <typename Ports>
class Device {
public:
    static constexpr usize kInputMax = 4096, kOutputMax = 8192;
    // In one service, so that input is looked at in between.
    static constexpr int kBurstsMax = 16;

    explicit Device(Ports& ports) : ports_{ports} {}

    // 115200 baud, eight bits, no parity, FIFOs empty and on, interrupts for received data.
    Task<void> start() {
        co_await ports_.write(kInterruptEnable, 0);
        co_await ports_.write(kLineControl, kEightBits | kDivisorAccess);
        co_await ports_.write(kData, kDivisor115200);
        co_await ports_.write(kInterruptEnable, 0);  // the divisor's high byte
        co_await ports_.write(kLineControl, kEightBits);
        co_await ports_.write(kFifoControl, kFifosOn | kClearReceiver | kClearTransmitter);
        co_await ports_.write(kModemControl, kDataTerminalReady | kRequestToSend | kInterruptOut);
        co_await ports_.write(kInterruptEnable, kReceived);
        co_return done;
    }

    // After an interrupt, or to look for something to do: takes all input, and gives output while the chip takes it.
    Task<void> serve() {
        u8 status = co_await take_input();
        for (int n = 0; n < kBurstsMax && !output_.empty() && (status & kHoldingEmpty) != 0; ++n) {
            std::byte burst[kFifoBytes];
            const usize count = std::min(kFifoBytes, output_.size());
            std::copy_n(output_.begin(), count, burst);
            output_.erase(output_.begin(), output_.begin() + static_cast<std::ptrdiff_t>(count));
            co_await ports_.write_bytes(kData, std::span<const std::byte>{burst, count});
            status = co_await take_input();
        }
        const bool wants = !output_.empty();
        if (wants != output_enabled_) co_await enable_output(wants);
        co_return done;
    }

    // --- the queues ---
    std::vector<std::byte> take(usize max) {
        const auto end = input_.begin() + static_cast<std::ptrdiff_t>(std::min(max, input_.size()));
        std::vector<std::byte> taken{input_.begin(), end};
        input_.erase(input_.begin(), end);
        return taken;
    }
    bool has_input() const { return !input_.empty(); }
    // Bytes of input that were dropped since the last call.
    u64 take_lost() { return std::exchange(lost_, 0); }
    bool has_room(usize bytes) const { return output_.size() + bytes <= kOutputMax; }
    void put(std::span<const std::byte> bytes) { output_.insert(output_.end(), bytes.begin(), bytes.end()); }
    bool output_is_empty() const { return output_.empty(); }

private:
    // Returns the line status bits seen last with the receiver empty.
    Task<u8> take_input() {
        u8 status = 0;
        while (true) {
            const PortBytes bytes = co_await ports_.read_while(kFifoBytes, kDataReady, kDataReady);
            status = bytes.seen;
            if ((bytes.seen & kOverrun) != 0) ++lost_;  // at least one
            for (const std::byte byte : bytes.data) {
                if (input_.size() < kInputMax) input_.push_back(byte);
                else ++lost_;
            }
            if (bytes.data.size() < kFifoBytes) break;
        }
        co_return status;
    }

    Task<void> enable_output(bool on) {
        output_enabled_ = on;
        co_await ports_.write(kInterruptEnable, static_cast<u8>(on ? kReceived | kTransmitterEmpty : kReceived));
        co_return done;
    }

    Ports& ports_;
    std::deque<std::byte> input_, output_;
    u64 lost_{};
    bool output_enabled_{};
};

}  // namespace capos::uart
