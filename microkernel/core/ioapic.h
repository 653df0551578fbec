// ioapic.h - the I/O APIC: which interrupt line goes to which CPU and vector, and whether it is masked. Pure: the registers are
// reached through a port, so the same file runs on the device and on a fake register bank.
//
// Specification: Intel 82093AA datasheet (290566-001) §3.1-3.2; ACPI 6.5 §5.2.12.5 for interrupt source overrides.
// Rule (R16): the register is the state. No copy of a mask, vector or destination is kept anywhere, so none can be wrong; each
// question is answered by reading the device. Guarded by the kernel lock, because select and window are two accesses.
#pragma once

#include <optional>
#include <span>

#include "core/types.h"
#include "formats/acpi.h"

namespace capos::kernel {

// One 32-bit register of the I/O APIC by its index: on the device, IOREGSEL and then IOWIN (§3.1).
struct IoApicPort {
    u32 (*read_function)(void* context, u8 index);
    void (*write_function)(void* context, u8 index, u32 value);
    void* context;

    u32 read(u8 index) const { return read_function(context, index); }
    void write(u8 index, u32 value) const { write_function(context, index, value); }
};

// Where an interrupt comes from: its global system interrupt number and how its wire signals.
struct InterruptSource {
    u32 interrupt;
    bool active_low;
    bool level_triggered;
    constexpr bool operator==(const InterruptSource&) const = default;
};

// The source behind an ISA interrupt: as the MADT overrides it, else the line of that number, active high, edge triggered.
InterruptSource isa_interrupt_source(std::span<const formats::MadtOverride> overrides, u8 isa_interrupt);

struct InterruptRoute {
    u8 vector;
    u8 destination;  // local APIC id, physical mode
    bool active_low;
    bool level_triggered;
    constexpr bool operator==(const InterruptRoute&) const = default;
};

class IoApic {
public:
    // Masks all lines: what firmware left behind must not fire at a vector of ours.
    IoApic(IoApicPort port, u32 first_interrupt);

    u32 lines() const;  // as the device says; at most 120, whose registers an 8-bit index reaches
    // The line of a global system interrupt; nothing when it belongs to another I/O APIC.
    std::optional<u32> line_of(u32 interrupt) const;

    // Sets vector, destination and signalling, and leaves the line masked. False, with nothing written, for a line that the
    // device does not have, or a vector below 16, which the local APIC refuses (SDM vol. 3A §10.5.2).
    [[nodiscard]] bool route(u32 line, const InterruptRoute& route);
    // False for a line that the device does not have.
    [[nodiscard]] bool mask(u32 line);
    [[nodiscard]] bool unmask(u32 line);

    // Read from the device; nothing for a line that it does not have.
    std::optional<bool> masked(u32 line) const;
    std::optional<InterruptRoute> current_route(u32 line) const;

private:
    bool set_mask(u32 line, bool masked);  // of a line that exists; true

    IoApicPort port_;
    u32 first_interrupt_;
};

}  // namespace capos::kernel
