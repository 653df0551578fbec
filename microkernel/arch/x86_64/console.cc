// The first serial port, polled: 16550, 115200 baud, 8N1. For the log only, while no driver has claimed its ports.
// PC16550D data sheet, §8 (registers). A port that is absent reads 0xff, and its transmitter never reports ready: waiting is
// bounded.

#include "arch/x86_64/instructions.h"
#include "core/log.h"
#include "arch/x86_64/machine.h"

namespace capos::kernel {

namespace {
constexpr u16 kPort = x86::kConsolePorts.first;
constexpr u16 kData = kPort, kInterruptEnable = kPort + 1, kFifoControl = kPort + 2, kLineControl = kPort + 3;
constexpr u16 kModemControl = kPort + 4, kLineStatus = kPort + 5;
constexpr u8 kTransmitterEmpty = 1 << 5;
constexpr unsigned kSpins = 100'000;  // about ten characters' time at 115200 baud

void put(char c) {
    for (unsigned i = 0; i < kSpins && (x86::in8(kLineStatus) & kTransmitterEmpty) == 0; ++i) x86::pause();
    x86::out8(kData, static_cast<u8>(c));
}
}  // namespace

void x86::initialise_console() {
    out8(kInterruptEnable, 0);
    out8(kLineControl, 0x80);  // divisor latch
    out8(kData, 1);            // 115200 baud
    out8(kInterruptEnable, 0);
    out8(kLineControl, 0x03);  // 8 bits, no parity, 1 stop bit
    out8(kFifoControl, 0x07);
    out8(kModemControl, 0x03);
}

void port::console_reset() { x86::initialise_console(); }

void port::console_write(std::string_view text) {
    for (const char c : text) {
        if (c == '\n') put('\r');
        put(c);
    }
}

}  // namespace capos::kernel
