#include "formats/acpi.h"

#include <cstring>

namespace capos::formats {

namespace {

constexpr u64 kHeaderBytes = 36;

u8 sum(Bytes bytes) {
    u8 total = 0;
    for (const std::byte b : bytes) total = static_cast<u8>(total + static_cast<u8>(b));
    return total;
}

bool has_signature(Bytes bytes, const char* signature, usize length) {
    return bytes.size() >= length && std::memcmp(bytes.data(), signature, length) == 0;
}

// Walks the sub-structures behind `offset`: visit(type, structure). Structures start with a type and a length, a Field each.
template <typename Field, typename Visit>
Result<void, AcpiError> walk(Bytes table, u64 offset, Visit visit) {
    const ByteReader reader{table};
    while (offset < table.size()) {
        const auto type = reader.read<Field>(offset), length = reader.read<Field>(offset + sizeof(Field));
        if (!type || !length) return fail(AcpiError::truncated);
        if (*length < 2 * sizeof(Field)) return fail(AcpiError::bad_entry);
        const auto body = reader.slice(offset, *length);
        if (!body) return fail(AcpiError::truncated);
        TRY(visit(*type, ByteReader{*body}));
        offset += *length;
    }
    return done;
}

template <typename T, usize N>
Result<void, AcpiError> append(std::array<T, N>& storage, usize& count, const T& item) {
    if (count == N) return fail(AcpiError::too_many);
    storage[count++] = item;
    return done;
}

}  // namespace

Result<AcpiTable, AcpiError> read_acpi_table(u64 address, const PhysicalReader& memory) {
    const auto header = memory.read(address, kHeaderBytes);
    if (!header) return fail(AcpiError::unreadable);
    const u32 length = *ByteReader{*header}.read<u32>(4);
    if (length < kHeaderBytes || length > kAcpiTableBytesMax) return fail(AcpiError::bad_length);
    const auto bytes = memory.read(address, length);
    if (!bytes) return fail(AcpiError::unreadable);
    if (sum(*bytes) != 0) return fail(AcpiError::bad_checksum);
    return AcpiTable{*ByteReader{*bytes}.read<AcpiSignature>(0), address, *bytes};
}

Result<void, AcpiError> AcpiTables::add(u64 address, const PhysicalReader& memory) {
    const AcpiTable table = TRY(read_acpi_table(address, memory));
    return append(storage_, count_, table);
}

Result<AcpiTables, AcpiError> AcpiTables::find(Bytes root, const PhysicalReader& memory) {
    constexpr u64 kRootBytes1 = 20, kRootBytes2 = 36;
    const ByteReader rsdp{root};
    if (root.size() < kRootBytes1 || !has_signature(root, "RSD PTR ", 8)) return fail(AcpiError::no_root);
    if (sum(root.first(kRootBytes1)) != 0) return fail(AcpiError::bad_root_checksum);
    const u8 revision = *rsdp.read<u8>(15);
    u64 directory = *rsdp.read<u32>(16);
    u64 entry_bytes = 4;
    if (revision >= 2 && root.size() >= kRootBytes2) {
        if (sum(root.first(kRootBytes2)) != 0) return fail(AcpiError::bad_root_checksum);
        if (const u64 xsdt = *rsdp.read<u64>(24); xsdt != 0) directory = xsdt, entry_bytes = 8;
    }
    const AcpiTable list = TRY(read_acpi_table(directory, memory));
    if (!has_signature(list.bytes, entry_bytes == 8 ? "XSDT" : "RSDT", 4)) return fail(AcpiError::no_root);
    const ByteReader entries{list.bytes};
    AcpiTables tables;
    for (u64 offset = kHeaderBytes; range_fits(offset, entry_bytes, list.bytes.size()); offset += entry_bytes) {
        const u64 address = entry_bytes == 8 ? *entries.read<u64>(offset) : *entries.read<u32>(offset);
        if (address == 0) continue;
        TRY(tables.add(address, memory));
    }
    return tables;
}

std::optional<AcpiTable> AcpiTables::table(AcpiSignature signature) const {
    for (const AcpiTable& t : tables()) {
        if (t.signature == signature) return t;
    }
    return std::nullopt;
}

Result<Madt, AcpiError> parse_madt(Bytes table) {
    enum : u8 { kLocalApic = 0, kIoApic = 1, kOverride = 2, kLocalApicAddress = 5, kLocalX2Apic = 9 };
    constexpr u32 kEnabled = 1, kOnlineCapable = 2, kPcatCompatible = 1;
    constexpr u16 kActiveLow = 3, kLevel = 3;
    const ByteReader reader{table};
    Madt madt;
    const auto address = reader.read<u32>(36), flags = reader.read<u32>(40);
    if (!address || !flags) return fail(AcpiError::truncated);
    madt.local_apic = *address;
    madt.legacy_pic = (*flags & kPcatCompatible) != 0;

    auto add_cpu = [&](u32 apic_id, u32 firmware_id, u32 cpu_flags) -> Result<void, AcpiError> {
        if ((cpu_flags & (kEnabled | kOnlineCapable)) == 0) return done;
        return append(madt.cpu_storage, madt.cpu_count, MadtCpu{apic_id, firmware_id, (cpu_flags & kEnabled) != 0});
    };
    TRY(walk<u8>(table, 44, [&](u8 type, const ByteReader& entry) -> Result<void, AcpiError> {
        switch (type) {
            case kLocalApic: {
                const auto cpu_flags = entry.read<u32>(4);
                if (!cpu_flags) return fail(AcpiError::bad_entry);
                return add_cpu(*entry.read<u8>(3), *entry.read<u8>(2), *cpu_flags);
            }
            case kLocalX2Apic: {
                const auto id = entry.read<u32>(4), cpu_flags = entry.read<u32>(8), firmware_id = entry.read<u32>(12);
                if (!firmware_id) return fail(AcpiError::bad_entry);
                return add_cpu(*id, *firmware_id, *cpu_flags);
            }
            case kIoApic: {
                const auto first = entry.read<u32>(8);
                if (!first) return fail(AcpiError::bad_entry);
                return append(madt.io_apic_storage, madt.io_apic_count,
                              MadtIoApic{*entry.read<u8>(2), *entry.read<u32>(4), *first});
            }
            case kOverride: {
                const auto line_flags = entry.read<u16>(8);
                if (!line_flags) return fail(AcpiError::bad_entry);
                return append(madt.override_storage, madt.override_count,
                              MadtOverride{*entry.read<u8>(3), *entry.read<u32>(4), (*line_flags & 3) == kActiveLow,
                                           (*line_flags >> 2 & 3) == kLevel});
            }
            case kLocalApicAddress: {
                const auto wide = entry.read<u64>(4);
                if (!wide) return fail(AcpiError::bad_entry);
                madt.local_apic = *wide;
                return done;
            }
            default: return done;
        }
    }));
    return madt;
}

Result<Mcfg, AcpiError> parse_mcfg(Bytes table) {
    constexpr u64 kEntryBytes = 16;
    const ByteReader reader{table};
    if (table.size() < 44) return fail(AcpiError::truncated);
    Mcfg mcfg;
    for (u64 offset = 44; range_fits(offset, kEntryBytes, table.size()); offset += kEntryBytes) {
        const McfgSegment segment{*reader.read<u64>(offset), *reader.read<u16>(offset + 8), *reader.read<u8>(offset + 10),
                                  *reader.read<u8>(offset + 11)};
        if (segment.last_bus < segment.first_bus || segment.address % 4096 != 0) return fail(AcpiError::bad_entry);
        TRY(append(mcfg.storage, mcfg.count, segment));
    }
    return mcfg;
}

Result<Dmar, AcpiError> parse_dmar(Bytes table) {
    enum : u16 { kUnit = 0, kReserved = 1 };
    constexpr u8 kInterruptRemapping = 1, kX2ApicOptOut = 2, kIncludeAll = 1;
    const ByteReader reader{table};
    Dmar dmar;
    const auto width = reader.read<u8>(36), flags = reader.read<u8>(37);
    if (!width || !flags || table.size() < 48) return fail(AcpiError::truncated);
    dmar.address_bits = static_cast<u8>(*width + 1);  // the table holds the width minus one
    dmar.interrupt_remapping = (*flags & kInterruptRemapping) != 0;
    dmar.x2apic_opt_out = (*flags & kX2ApicOptOut) != 0;
    TRY(walk<u16>(table, 48, [&](u16 type, const ByteReader& entry) -> Result<void, AcpiError> {
        if (type == kUnit) {
            const auto registers = entry.read<u64>(8);
            if (!registers || *registers == 0 || *registers % 4096 != 0) return fail(AcpiError::bad_entry);
            // Device scopes: type (1 byte), length (1), ... (VT-d §8.3.1)
            TRY(walk<u8>(entry.bytes(), 16, [](u8, const ByteReader& scope) -> Result<void, AcpiError> {
                if (scope.size() < 8 || scope.size() % 2 != 0) return fail(AcpiError::bad_entry);
                return done;
            }));
            return append(dmar.unit_storage, dmar.unit_count,
                          DmarUnit{*registers, *entry.read<u16>(6), (*entry.read<u8>(4) & kIncludeAll) != 0,
                                   entry.bytes().subspan(16)});
        }
        if (type == kReserved) {
            const auto start = entry.read<u64>(8), last = entry.read<u64>(16);
            if (!start || !last || *last < *start || *last == ~u64{0}) return fail(AcpiError::bad_entry);
            return append(dmar.reserved_storage, dmar.reserved_count, DmarReserved{*entry.read<u16>(6), *start, *last + 1});
        }
        return done;
    }));
    return dmar;
}

Result<Fadt, AcpiError> parse_fadt(Bytes table) {
    constexpr u32 kResetSupported = 1 << 10, kTimer32Bits = 1 << 8;
    const ByteReader reader{table};
    const auto dsdt = reader.read<u32>(40), pm1a_control = reader.read<u32>(64), pm_timer = reader.read<u32>(76);
    const auto flags = reader.read<u32>(112);
    if (!dsdt || !pm1a_control || !pm_timer || !flags) return fail(AcpiError::truncated);
    Fadt fadt;
    fadt.dsdt = *dsdt;
    fadt.pm1a_control_port = *pm1a_control;
    fadt.pm_timer_port = *pm_timer;
    fadt.pm_timer_32_bits = (*flags & kTimer32Bits) != 0;
    const auto space = reader.read<u8>(116);
    const auto address = reader.read<u64>(120);
    const auto value = reader.read<u8>(128);
    if ((*flags & kResetSupported) != 0 && value) fadt.reset = Fadt::ResetRegister{*space, *address, *value};
    if (const auto wide = reader.read<u64>(140); wide && *wide != 0) fadt.dsdt = *wide;
    return fadt;
}

const char* describe(AcpiError error) {
    switch (error) {
        case AcpiError::no_root: return "no ACPI root table";
        case AcpiError::bad_root_checksum: return "the ACPI root pointer has a wrong checksum";
        case AcpiError::unreadable: return "a table lies outside memory";
        case AcpiError::truncated: return "a table is truncated";
        case AcpiError::bad_length: return "a table has an impossible length";
        case AcpiError::bad_checksum: return "a table has a wrong checksum";
        case AcpiError::bad_entry: return "a table has a malformed entry";
        case AcpiError::too_many: return "more entries than the kernel supports";
        case AcpiError::missing: return "a required table is missing";
    }
    return "unknown error";
}

}  // namespace capos::formats
