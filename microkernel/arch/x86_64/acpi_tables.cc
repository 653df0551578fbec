// Finds the ACPI tables that the kernel itself needs. They are read once, at boot, through the early direct map of 4 GiB.

#include "arch/x86_64/machine.h"
#include "core/log.h"

namespace capos::kernel::x86 {

namespace {

constexpr u64 kEarlyMapEnd = u64{1} << 32;

std::optional<formats::Bytes> read_physical(void*, u64 address, u64 length) {
    if (!formats::range_fits(address, length, kEarlyMapEnd)) return std::nullopt;
    return formats::Bytes{reinterpret_cast<const std::byte*>(kDirectMap + address), length};
}

template <typename T>
bool take(const formats::AcpiTables& tables, const char* name, Result<T, formats::AcpiError> (*parse)(formats::Bytes),
          T& into) {
    const auto table = tables.table({name[0], name[1], name[2], name[3]});
    if (!table) return false;
    const auto parsed = parse(table->bytes);
    if (!parsed) {
        log(LogLevel::warn, "acpi") << name << ": " << formats::describe(parsed.error());
        return false;
    }
    into = *parsed;
    return true;
}

// SLP_TYPa of \_S5 in the DSDT. The kernel has no AML interpreter, so it looks for the only form that firmware uses:
// Name (_S5, Package (n) {constant, ...}), ACPI 6.5 §20.2. Anything else gives nothing, and power-off halts.
std::optional<u8> soft_off_type(u64 dsdt) {
    constexpr u8 kPackage = 0x12, kZero = 0x00, kOne = 0x01, kByte = 0x0a;
    const auto table = formats::read_acpi_table(dsdt, {read_physical, nullptr});
    if (!table) return std::nullopt;
    const std::string_view text{reinterpret_cast<const char*>(table->bytes.data()), table->bytes.size()};
    const usize name = text.find("_S5_");
    if (name == std::string_view::npos) return std::nullopt;
    const formats::ByteReader aml{table->bytes.subspan(name + 4)};
    const auto package = aml.read<u8>(0), length = aml.read<u8>(1);
    if (!package || *package != kPackage || !length) return std::nullopt;
    const u64 first = 3 + (*length >> 6);  // the length has up to three more bytes; then the number of elements
    const auto prefix = aml.read<u8>(first), value = aml.read<u8>(first + 1);
    if (prefix && (*prefix == kZero || *prefix == kOne)) return *prefix;
    if (prefix && *prefix == kByte && value && *value < 8) return *value;
    return std::nullopt;
}

}  // namespace

bool read_platform(std::span<const std::byte> rsdp, Platform& platform) {
    const auto tables = formats::AcpiTables::find(rsdp, {read_physical, nullptr});
    if (!tables) {
        log(LogLevel::error, "boot") << "ACPI: " << formats::describe(tables.error());
        return false;
    }
    take(*tables, "FACP", formats::parse_fadt, platform.fadt);
    take(*tables, "MCFG", formats::parse_mcfg, platform.mcfg);
    take(*tables, "DMAR", formats::parse_dmar, platform.dmar);
    platform.soft_off_type = soft_off_type(platform.fadt.dsdt);
    if (!take(*tables, "APIC", formats::parse_madt, platform.madt)) {
        log(LogLevel::error, "boot") << "ACPI: no usable MADT, so the interrupt controllers are unknown";
        return false;
    }
    return true;
}

}  // namespace capos::kernel::x86
