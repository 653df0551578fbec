// The I/O APICs of the machine, reached through their mapped registers (82093AA §3.1); what they do is core/ioapic.h.

#include "arch/x86_64/machine.h"
#include "core/ioapic.h"
#include "core/log.h"

namespace capos::kernel::x86 {

namespace {

constexpr usize kSelect = 0x00, kWindowRegister = 0x10;  // IOREGSEL, IOWIN
constexpr u64 kRegisterBytes = 0x20;

volatile u32& device_register(void* registers, usize offset) {
    return *reinterpret_cast<volatile u32*>(static_cast<std::byte*>(registers) + offset);
}

u32 read_register(void* registers, u8 index) {
    device_register(registers, kSelect) = index;
    return device_register(registers, kWindowRegister);
}

void write_register(void* registers, u8 index, u32 value) {
    device_register(registers, kSelect) = index;
    device_register(registers, kWindowRegister) = value;
}

}  // namespace

void take_over_io_apics(const formats::Madt& madt) {
    for (const formats::MadtIoApic& entry : madt.io_apics()) {
        auto* registers = const_cast<std::byte*>(map_device(PhysicalAddress{entry.address}, kRegisterBytes));
        if (registers == nullptr) {
            log(LogLevel::warn, "boot") << "I/O APIC " << entry.id << " left out: no memory for its mapping";
            continue;
        }
        const IoApic io_apic{{read_register, write_register, registers}, entry.first_interrupt};
        log(LogLevel::debug, "boot") << "I/O APIC " << entry.id << ": " << io_apic.lines() << " lines, all masked";
    }
}

}  // namespace capos::kernel::x86
