// acpi.h - the static ACPI tables that a kernel needs before it can run AML. Pure: physical memory is read through a function
// that the caller gives, everything is bounds-checked, every loop is bounded by a table's checked length.
//
// Specifications: ACPI 6.5 §5.2 (RSDP §5.2.5, header §5.2.6, RSDT/XSDT §5.2.7-8, FADT §5.2.9, MADT §5.2.12); PCI Firmware 3.3
// §4.1.2 (MCFG); Intel VT-d 4.1 chapter 8 (DMAR); IA-PC HPET 1.0a §3.2.4.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "formats/support/bytes.h"
#include "formats/support/result.h"

namespace capos::formats {

enum class AcpiError : u8 {
    no_root,
    bad_root_checksum,
    unreadable,
    truncated,
    bad_length,
    bad_checksum,
    bad_entry,
    too_many,
    missing,
};
const char* describe(AcpiError error);

// Gives the bytes [address, address + length) of physical memory, or nothing when that is not memory. The bytes stay valid.
struct PhysicalReader {
    std::optional<Bytes> (*function)(void* context, u64 address, u64 length);
    void* context;
    std::optional<Bytes> read(u64 address, u64 length) const { return function(context, address, length); }
};

using AcpiSignature = std::array<char, 4>;
inline constexpr usize kAcpiTablesMax = 64;
inline constexpr u32 kAcpiTableBytesMax = 1 << 20;

struct AcpiTable {
    AcpiSignature signature;
    u64 address;
    Bytes bytes;  // the whole table, header included; its checksum is right
};

class AcpiTables {
public:
    // `root` is the RSDP as the boot loader copied it. A table that is malformed is an error; one that lies outside memory too.
    static Result<AcpiTables, AcpiError> find(Bytes root, const PhysicalReader& memory);

    std::optional<AcpiTable> table(AcpiSignature signature) const;
    std::span<const AcpiTable> tables() const { return std::span{storage_}.first(count_); }

private:
    Result<void, AcpiError> add(u64 address, const PhysicalReader& memory);
    std::array<AcpiTable, kAcpiTablesMax> storage_{};
    usize count_{};
};

// A table at a physical address with a plausible length and a right checksum.
Result<AcpiTable, AcpiError> read_acpi_table(u64 address, const PhysicalReader& memory);

// --- MADT: interrupt controllers and CPUs ---
struct MadtCpu {
    u32 apic_id;
    u32 firmware_id;  // the ACPI processor id
    bool enabled;     // or only able to come online later
};
struct MadtIoApic {
    u32 id;
    u64 address;
    u32 first_interrupt;  // global system interrupt of its line 0
};
struct MadtOverride {  // an ISA interrupt that is wired to another line, or with another polarity or trigger
    u8 isa_interrupt;
    u32 interrupt;
    bool active_low;
    bool level_triggered;
};
struct Madt {
    static constexpr usize kCpusMax = 256, kIoApicsMax = 16, kOverridesMax = 32;
    u64 local_apic{};
    bool legacy_pic{};
    usize cpu_count{}, io_apic_count{}, override_count{};
    std::array<MadtCpu, kCpusMax> cpu_storage{};
    std::array<MadtIoApic, kIoApicsMax> io_apic_storage{};
    std::array<MadtOverride, kOverridesMax> override_storage{};
    std::span<const MadtCpu> cpus() const { return std::span{cpu_storage}.first(cpu_count); }
    std::span<const MadtIoApic> io_apics() const { return std::span{io_apic_storage}.first(io_apic_count); }
    std::span<const MadtOverride> overrides() const { return std::span{override_storage}.first(override_count); }
};
Result<Madt, AcpiError> parse_madt(Bytes table);

// --- MCFG: PCI Express configuration space ---
struct McfgSegment {
    u64 address;  // of bus 0's configuration space
    u16 segment;
    u8 first_bus, last_bus;
};
struct Mcfg {
    usize count{};
    std::array<McfgSegment, 16> storage{};
    std::span<const McfgSegment> segments() const { return std::span{storage}.first(count); }
};
Result<Mcfg, AcpiError> parse_mcfg(Bytes table);

// --- DMAR: IOMMU units ---
struct DmarUnit {
    u64 registers;
    u16 segment;
    bool covers_rest;  // of its segment: every device that no other unit names
    Bytes scopes;      // device scope structures, each checked to be in bounds
};
struct DmarReserved {  // memory that firmware uses through DMA and that must stay mapped for the devices named
    u16 segment;
    u64 start, end;  // end exclusive
};
struct Dmar {
    u8 address_bits{};
    bool interrupt_remapping{};
    bool x2apic_opt_out{};
    usize unit_count{}, reserved_count{};
    std::array<DmarUnit, 16> unit_storage{};
    std::array<DmarReserved, 16> reserved_storage{};
    std::span<const DmarUnit> units() const { return std::span{unit_storage}.first(unit_count); }
    std::span<const DmarReserved> reserved() const { return std::span{reserved_storage}.first(reserved_count); }
};
Result<Dmar, AcpiError> parse_dmar(Bytes table);

// --- FADT: power management ---
struct Fadt {
    u32 pm_timer_port{};  // 0 = none; counts at 3.579545 MHz
    bool pm_timer_32_bits{};
    u32 pm1a_control_port{};
    struct ResetRegister {
        u8 space;  // 0 = memory, 1 = I/O port
        u64 address;
        u8 value;
    };
    std::optional<ResetRegister> reset;
    u64 dsdt{};
};
Result<Fadt, AcpiError> parse_fadt(Bytes table);

}  // namespace capos::formats
