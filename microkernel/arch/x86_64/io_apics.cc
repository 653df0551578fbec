// The I/O APICs of the machine, reached through their mapped registers (82093AA §3.1); what they do is core/ioapic.h. The
// second half are the core's ports for interrupt lines, called with the kernel lock held.

#include <optional>

#include "arch/x86_64/machine.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/ports.h"

namespace capos::kernel {

namespace {

constexpr usize kSelect = 0x00, kWindowRegister = 0x10;  // IOREGSEL, IOWIN
constexpr u64 kRegisterBytes = 0x20;
constexpr usize kIoApicsMax = 16;

static_assert(x86::kFirstDeviceVector + kInterruptsMax <= x86::kTimerVector);

struct IoApics {
    std::optional<IoApic> list[kIoApicsMax];
    usize count{};
    u8 destination{};  // local APIC id
};
constinit IoApics io_apics{};

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

// The I/O APIC that has a line, and its number there.
struct Found {
    IoApic* io_apic;
    u32 line;
};
std::optional<Found> find(u32 interrupt) {
    for (usize i = 0; i < io_apics.count; ++i) {
        if (const std::optional<u32> line = io_apics.list[i]->line_of(interrupt)) return Found{&*io_apics.list[i], *line};
    }
    return std::nullopt;
}

}  // namespace

void x86::take_over_io_apics(const formats::Madt& madt) {
    for (const formats::MadtIoApic& entry : madt.io_apics()) {
        auto* registers = const_cast<std::byte*>(map_device(PhysicalAddress{entry.address}, kRegisterBytes));
        if (registers == nullptr) {
            log(LogLevel::warn, "boot") << "I/O APIC " << entry.id << " left out: no memory for its mapping";
            continue;
        }
        IoApic io_apic{{read_register, write_register, registers}, entry.first_interrupt};
        log(LogLevel::debug, "boot") << "I/O APIC " << entry.id << ": " << io_apic.lines() << " lines, all masked";
        if (io_apics.count == kIoApicsMax) continue;  // nobody can claim its lines
        io_apics.list[io_apics.count++] = io_apic;
    }
}

void x86::set_interrupt_destination(u32 apic_id) { io_apics.destination = static_cast<u8>(apic_id); }

bool port::has_line(u32 line) { return find(line).has_value(); }

void port::route_line(const InterruptSource& source, u32 number) {
    const auto found = find(source.interrupt);
    KERNEL_ASSERT(found.has_value());
    const bool routed = found->io_apic->route(found->line, {.vector = static_cast<u8>(x86::kFirstDeviceVector + number),
                                                            .destination = io_apics.destination,
                                                            .active_low = source.active_low,
                                                            .level_triggered = source.level_triggered});
    KERNEL_ASSERT(routed);
}

void port::mask_line(u32 line) {
    const auto found = find(line);
    KERNEL_ASSERT(found.has_value());
    const bool masked = found->io_apic->mask(found->line);
    KERNEL_ASSERT(masked);
}

void port::unmask_line(u32 line) {
    const auto found = find(line);
    KERNEL_ASSERT(found.has_value());
    const bool unmasked = found->io_apic->unmask(found->line);
    KERNEL_ASSERT(unmasked);
}

}  // namespace capos::kernel
