// All ACPI parsers. The first byte of the input chooses what the rest is:
//     0  physical memory from address 0, with the root in front        1  the same, with checksums made right on the way
//     2  a MADT      3  an MCFG      4  a DMAR      5  a FADT
// Without 1 a fuzzer would spend its life on checksums, and what lies behind them would never be reached.
#include "formats/acpi.h"

#include <algorithm>

#include "host/support/acpi_builder.h"
#include "support/target.h"

namespace capos::fuzz {

namespace {

using namespace capos::formats;

constexpr usize kRootBytes = 36;

// All that a parsed table says, to compare two.
using Facts = std::vector<u64>;

Facts facts(const Madt& madt) {
    Facts f{madt.local_apic, madt.legacy_pic};
    for (const MadtCpu& cpu : madt.cpus()) f.insert(f.end(), {cpu.apic_id, cpu.firmware_id, cpu.enabled});
    for (const MadtIoApic& io : madt.io_apics()) f.insert(f.end(), {io.id, io.address, io.first_interrupt});
    for (const MadtOverride& o : madt.overrides()) {
        f.insert(f.end(), {o.isa_interrupt, o.interrupt, o.active_low, o.level_triggered});
    }
    return f;
}
Facts facts(const Mcfg& mcfg) {
    Facts f;
    for (const McfgSegment& s : mcfg.segments()) {
        check(s.first_bus <= s.last_bus && s.address % 4096 == 0, "an MCFG segment can be mapped");
        f.insert(f.end(), {s.address, s.segment, s.first_bus, s.last_bus});
    }
    return f;
}
Facts facts(const Dmar& dmar) {
    Facts f{dmar.address_bits, dmar.interrupt_remapping, dmar.x2apic_opt_out};
    for (const DmarUnit& unit : dmar.units()) {
        check(unit.registers != 0 && unit.registers % 4096 == 0, "an IOMMU's registers can be mapped");
        f.insert(f.end(), {unit.registers, unit.segment, unit.covers_rest, unit.scopes.size()});
        for (usize at = 0; at < unit.scopes.size();) {  // whoever walks the scopes may trust their lengths
            check(unit.scopes.size() - at >= 2, "a scope has its length");
            const auto length = static_cast<usize>(unit.scopes[at + 1]);
            check(length >= 8 && length % 2 == 0 && length <= unit.scopes.size() - at, "a scope lies in its unit");
            at += length;
        }
    }
    for (const DmarReserved& r : dmar.reserved()) {
        check(r.start < r.end, "reserved memory is not empty");
        f.insert(f.end(), {r.segment, r.start, r.end});
    }
    return f;
}
Facts facts(const Fadt& fadt) {
    Facts f{fadt.pm_timer_port, fadt.pm_timer_32_bits, fadt.pm1a_control_port, fadt.dsdt};
    if (fadt.reset) f.insert(f.end(), {fadt.reset->space, fadt.reset->address, fadt.reset->value});
    return f;
}

void check_scopes(Bytes table, const Dmar& dmar) {
    for (const DmarUnit& unit : dmar.units()) check(inside(table, unit.scopes), "scopes lie in their table");
}
template <typename T>
void check_scopes(Bytes, const T&) {}

template <typename T>
void check_parser(Bytes table, Result<T, AcpiError> (*parse)(Bytes)) {
    const auto parsed = parse(table);
    const ByteVector copy(table.begin(), table.end());
    const auto again = parse(copy);
    check(parsed.has_value() == again.has_value(), "the same bytes have the same outcome");
    if (!parsed) {
        check(parsed.error() == again.error() && describe(parsed.error()) != std::string_view{"unknown error"},
              "each error has a text");
        return;
    }
    check(facts(*parsed) == facts(*again), "the same bytes say the same");
    check_scopes(table, *parsed);
}

void check_table(Bytes table, AcpiSignature signature) {
    const std::string_view name{signature.data(), signature.size()};
    if (name == "APIC") check_parser(table, parse_madt);
    if (name == "MCFG") check_parser(table, parse_mcfg);
    if (name == "DMAR") check_parser(table, parse_dmar);
    if (name == "FACP") check_parser(table, parse_fadt);
}

// Makes the table at `address` add up to zero, if it has a possible length and lies in memory.
void repair_table(ByteVector& memory, u64 address) {
    const auto length = ByteReader{memory}.read<u32>(address + 4);
    if (!length || *length < test::kAcpiHeaderBytes || !range_fits(address, *length, memory.size())) return;
    test::fix_checksum(memory, address, *length, address + 9);
}

void repair(ByteVector& memory) {
    if (memory.size() < kRootBytes) return;
    const ByteReader reader{memory};
    const bool wide = *reader.read<u8>(15) >= 2 && *reader.read<u64>(24) != 0;
    const u64 directory = wide ? *reader.read<u64>(24) : *reader.read<u32>(16);
    if (const auto length = reader.read<u32>(directory + 4); directory < memory.size() && length) {
        for (u64 at = test::kAcpiHeaderBytes; at < std::min<u64>(*length, 64 * 8); at += wide ? 8 : 4) {
            const std::optional<u64> entry =
                wide ? reader.read<u64>(directory + at) : std::optional<u64>{reader.read<u32>(directory + at)};
            if (entry && *entry < memory.size()) repair_table(memory, *entry);
        }
        repair_table(memory, directory);
    }
    test::fix_checksum(memory, 0, 20, 8);
    test::fix_checksum(memory, 0, kRootBytes, 32);
}

void check_find(const ByteVector& memory) {
    const auto read = [](void* context, u64 address, u64 length) {
        return ByteReader{*static_cast<const ByteVector*>(context)}.slice(address, length);
    };
    const PhysicalReader reader{read, const_cast<ByteVector*>(&memory)};
    const auto tables = AcpiTables::find(Bytes{memory}.first(std::min(kRootBytes, memory.size())), reader);
    if (!tables) {
        check(describe(tables.error()) != std::string_view{"unknown error"}, "each error has a text");
        return;
    }
    for (const AcpiTable& table : tables->tables()) {
        check(inside(memory, table.bytes) && table.bytes.data() == memory.data() + table.address, "a table lies in memory");
        check(table.bytes.size() >= test::kAcpiHeaderBytes && table.bytes.size() <= kAcpiTableBytesMax,
              "a table's length is possible");
        unsigned sum = 0;
        for (const std::byte b : table.bytes) sum += static_cast<unsigned>(b);
        check(sum % 256 == 0, "a table's checksum is right");
        check(tables->table(table.signature).has_value(), "a table is found by its signature");
        check_table(table.bytes, table.signature);
    }
}

}  // namespace

void run(Bytes input) {
    if (input.empty()) return;
    const Bytes rest = input.subspan(1);
    ByteVector memory(rest.begin(), rest.end());
    switch (static_cast<u8>(input[0])) {
        case 1: repair(memory); [[fallthrough]];
        case 0: return check_find(memory);
        case 2: return check_parser(rest, parse_madt);
        case 3: return check_parser(rest, parse_mcfg);
        case 4: return check_parser(rest, parse_dmar);
        case 5: return check_parser(rest, parse_fadt);
        default: return;
    }
}

std::vector<ByteVector> seeds() {
    using namespace capos::test;
    const ByteVector scopes = ByteWriter{}.put(u8{1}).put(u8{8}).put(u32{0}).put(u16{0x0100}).take();
    const ByteVector madt = ordinary_madt().local_apic_address(0xfee0'0000).build();
    const ByteVector mcfg = McfgBuilder{}.segment(0xb000'0000, 0, 0, 255).build();
    const ByteVector dmar = DmarBuilder{}.unit(0xfed9'0000, 0, true, scopes).reserved(0, 0x1000, 0x1fff).build();
    const ByteVector fadt = FadtSpec{.wide_dsdt = 0x1'0000'0000}.build();
    const auto chosen = [](u8 what, const ByteVector& rest) { return ByteWriter{}.put(what).append(rest).take(); };
    std::vector<ByteVector> all{chosen(2, madt), chosen(3, mcfg), chosen(4, dmar), chosen(5, fadt)};
    for (const bool wide : {false, true}) {
        AcpiMemory memory;
        const std::vector<u64> tables{memory.add(madt), memory.add(mcfg), memory.add(dmar), memory.add(fadt)};
        const u64 directory = memory.add_directory(tables, wide);
        const ByteVector root = AcpiMemory::root(static_cast<u32>(directory), wide ? std::optional{directory} : std::nullopt);
        std::ranges::copy(root, memory.bytes().begin());
        all.push_back(chosen(0, memory.bytes()));
        all.push_back(chosen(1, memory.bytes()));
    }
    return all;
}

}  // namespace capos::fuzz
