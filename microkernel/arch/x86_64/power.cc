// Off and restart. ACPI 6.5 §4.8.3.2 (PM1 control), §7.4.2 (\_Sx), §4.8.3.6 (reset register); 8042 for machines without one.

#include "arch/x86_64/instructions.h"
#include "arch/x86_64/machine.h"

namespace capos::kernel::x86 {

namespace {

constexpr u16 kEmulatorExitPort = 0xf4;  // QEMU's isa-debug-exit
constexpr u16 kKeyboardCommand = 0x64;
constexpr u8 kPulseReset = 0xfe;
constexpr unsigned kSleepTypeShift = 10;
constexpr u16 kSleepEnable = 1 << 13;
constexpr u8 kIoSpace = 1;
constexpr u64 kSettleNs = 100'000'000;

struct PowerControl {
    bool exit_to_emulator{};
    u16 control_port{};  // PM1a; 0 = none
    std::optional<u8> soft_off_type;
    std::optional<formats::Fadt::ResetRegister> reset_register;
};
constinit PowerControl power{};

// The ports of PC compatible machines that reach past a driver's authority. The first entries stand for what firmware says.
constinit PortRange kept[] = {
    {},            // PM1a control: sleep states
    {},            // the reset register
    {0x00, 0x20},  // ISA DMA, which reaches all memory below 16 MiB
    {0x20, 4},     // interrupt controller, and the interrupt mode register
    {0x40, 4},     // timer
    {0x61, 1},     // timer gate, and what enables NMI
    {0x80, 0x20},  // ISA DMA pages, fast reset (0x92)
    {0xa0, 2},     // second interrupt controller
    {0xb2, 2},     // system management interrupts
    {0xc0, 0x20},  // second ISA DMA
    {kEmulatorExitPort, 4},
    {0x4d0, 2},    // edge or level of ISA interrupts
    {0xcf8, 8},    // PCI configuration, and reset (0xcf9)
};

}  // namespace

void set_exit_to_emulator() { power.exit_to_emulator = true; }

void set_power(const Platform& platform) {
    power.control_port = static_cast<u16>(platform.fadt.pm1a_control_port);
    power.soft_off_type = platform.soft_off_type;
    power.reset_register = platform.fadt.reset;
}

std::span<const PortRange> kept_ports(const Platform& platform) {
    if (platform.fadt.pm1a_control_port < kPortsMax) kept[0] = {platform.fadt.pm1a_control_port, 2};
    if (const auto& reset = platform.fadt.reset; reset && reset->space == kIoSpace && reset->address < kPortsMax) {
        kept[1] = {static_cast<u32>(reset->address), 1};
    }
    return kept;
}

void power_off(Exit how) {
    interrupts_off();
    if (power.exit_to_emulator) out8(kEmulatorExitPort, static_cast<u8>(how));
    if (how == Exit::orderly && power.control_port != 0 && power.soft_off_type) {
        out16(power.control_port, static_cast<u16>(*power.soft_off_type << kSleepTypeShift | kSleepEnable));
    }
    halt_forever();
}

void reset(Exit how) {
    interrupts_off();
    if (power.exit_to_emulator && how == Exit::fatal) out8(kEmulatorExitPort, static_cast<u8>(how));
    if (power.reset_register && power.reset_register->space == kIoSpace) {
        out8(static_cast<u16>(power.reset_register->address), power.reset_register->value);
        delay(Duration{kSettleNs});
    }
    out8(kKeyboardCommand, kPulseReset);
    delay(Duration{kSettleNs});
    // The processor resets when it cannot deliver an exception: an empty IDT, and an invalid opcode.
    const u64 empty_table[2]{};
    asm volatile("lidt %0; ud2" : : "m"(empty_table));
    halt_forever();
}

}  // namespace capos::kernel::x86
