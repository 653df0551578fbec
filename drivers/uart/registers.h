// registers.h - the 16550's registers. [16550] = PC16550D data sheet (June 1995), section 8 and table 2. Offsets from the first
// of its eight ports; with DLAB set in the line control register the first two are the divisor.
#pragma once

#include "abi/types.h"

namespace capos::uart {

inline constexpr u32 kPortCount = 8;
inline constexpr usize kFifoBytes = 16;  // [16550] 8.5: of either FIFO

enum Register : u32 {
    kData = 0,             // [16550] 8.1 receiver buffer (read), transmitter holding register (write); divisor, low byte
    kInterruptEnable = 1,  // [16550] 8.7; divisor, high byte
    kFifoControl = 2,      // [16550] 8.5 (write)
    kLineControl = 3,      // [16550] 8.1
    kModemControl = 4,     // [16550] 8.8
    kLineStatus = 5,       // [16550] 8.4
};

enum InterruptEnable : u8 { kReceived = 1 << 0, kTransmitterEmpty = 1 << 1 };
enum FifoControl : u8 { kFifosOn = 1 << 0, kClearReceiver = 1 << 1, kClearTransmitter = 1 << 2 };
enum LineControl : u8 { kEightBits = 3, kDivisorAccess = 1 << 7 };
enum ModemControl : u8 { kDataTerminalReady = 1 << 0, kRequestToSend = 1 << 1, kInterruptOut = 1 << 3 };  // OUT2 on a PC
enum LineStatus : u8 { kDataReady = 1 << 0, kOverrun = 1 << 1, kHoldingEmpty = 1 << 5 };

// [16550] 8.3: 1.8432 MHz / 16 / 115200.
inline constexpr u8 kDivisor115200 = 1;

}  // namespace capos::uart
