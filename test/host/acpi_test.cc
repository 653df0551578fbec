// ACPI tables: found through RSDP and RSDT or XSDT, read within their checked lengths, refused when they lie.
#include <new>

#include <catch2/catch.hpp>

#include "formats/acpi.h"
#include "host/support/acpi_builder.h"

using namespace capos;
using namespace capos::formats;
using namespace capos::test;

namespace {

template <typename T>
std::optional<AcpiError> error_of(const Result<T, AcpiError>& result) {
    return result ? std::nullopt : std::optional{result.error()};
}

constexpr AcpiSignature kApic{'A', 'P', 'I', 'C'}, kMcfg{'M', 'C', 'F', 'G'};

std::optional<AcpiError> madt_error(const MadtBuilder& builder) { return error_of(parse_madt(builder.build())); }
std::optional<AcpiError> dmar_error(const DmarBuilder& builder) { return error_of(parse_dmar(builder.build())); }

// The table cut to `size` bytes, as if its length had said so.
ByteVector cut(ByteVector table, usize size) {
    table.resize(size);
    return table;
}

}  // namespace

TEST_CASE("ACPI tables are found through the RSDT and through the XSDT") {
    for (const bool wide : {false, true}) {
        AcpiMemory memory;
        const u64 madt = memory.add(ordinary_madt().build()), mcfg = memory.add(McfgBuilder{}.build());
        const u64 directory = memory.add_directory({madt, 0, mcfg}, wide);
        const ByteVector root =
            AcpiMemory::root(wide ? 0 : static_cast<u32>(directory), wide ? std::optional{directory} : std::nullopt);
        const auto tables = AcpiTables::find(root, memory.reader());
        REQUIRE(tables);
        CHECK(tables->tables().size() == 2);
        REQUIRE(tables->table(kMcfg));
        CHECK(tables->table(kMcfg)->address == mcfg);
        CHECK(tables->table(kApic)->bytes.size() == ordinary_madt().build().size());
        CHECK_FALSE(tables->table({'D', 'M', 'A', 'R'}));
    }
}

TEST_CASE("a version 2 root without an XSDT falls back to the RSDT") {
    AcpiMemory memory;
    const u64 directory = memory.add_directory({}, false);
    CHECK(AcpiTables::find(AcpiMemory::root(static_cast<u32>(directory), 0), memory.reader()));
    // Revision 2, but the boot loader copied only the part of version 1.
    CHECK(AcpiTables::find(cut(AcpiMemory::root(static_cast<u32>(directory), 0x1234), 20), memory.reader()));
}

TEST_CASE("an ACPI root that is short, foreign or has a wrong checksum is refused") {
    AcpiMemory memory;
    const u64 directory = memory.add_directory({}, true);
    const ByteVector good = AcpiMemory::root(0, directory);
    REQUIRE(AcpiTables::find(good, memory.reader()));
    for (usize size = 0; size < 20; ++size) {
        CHECK(error_of(AcpiTables::find(cut(good, size), memory.reader())) == AcpiError::no_root);
    }
    for (usize i = 0; i < good.size(); ++i) {
        ByteVector bad = good;
        bad[i] ^= std::byte{0x10};
        const auto error = error_of(AcpiTables::find(bad, memory.reader()));
        CHECK(error == (i < 8 ? AcpiError::no_root : AcpiError::bad_root_checksum));
    }
}

TEST_CASE("an ACPI directory of the wrong kind is refused") {
    AcpiMemory memory;
    const u64 narrow = memory.add_directory({}, false), wide = memory.add_directory({}, true);
    CHECK(error_of(AcpiTables::find(AcpiMemory::root(0, narrow), memory.reader())) == AcpiError::no_root);
    CHECK(error_of(AcpiTables::find(AcpiMemory::root(static_cast<u32>(wide), {}), memory.reader())) == AcpiError::no_root);
}

TEST_CASE("an ACPI table with a hostile length, place or checksum is refused") {
    AcpiMemory memory;
    const u64 address = memory.add(McfgBuilder{}.segment(0xb000'0000, 0, 0, 255).build());
    const auto size = memory.bytes().size() - address;
    REQUIRE(read_acpi_table(address, memory.reader()));
    auto with_length = [&](u32 length) {
        AcpiMemory copy = memory;
        patch(copy.bytes(), address + 4, length);
        return error_of(read_acpi_table(address, copy.reader()));
    };
    CHECK(with_length(0) == AcpiError::bad_length);
    CHECK(with_length(35) == AcpiError::bad_length);
    CHECK(with_length(kAcpiTableBytesMax + 1) == AcpiError::bad_length);
    CHECK(with_length(~u32{0}) == AcpiError::bad_length);
    CHECK(with_length(kAcpiTableBytesMax) == AcpiError::unreadable);
    CHECK(with_length(static_cast<u32>(size) + 1) == AcpiError::unreadable);
    CHECK(with_length(static_cast<u32>(size) - 1) == AcpiError::bad_checksum);
    for (const u64 nowhere : {memory.bytes().size() - 35, u64{1} << 40, ~u64{0}, ~u64{0} - 40}) {
        CHECK(error_of(read_acpi_table(nowhere, memory.reader())) == AcpiError::unreadable);
    }
}

TEST_CASE("an ACPI table with any byte changed is refused") {
    AcpiMemory memory;
    const u64 address = memory.add(FadtSpec{}.build());
    for (u64 at = address; at < memory.bytes().size(); ++at) {
        for (const std::byte change : {std::byte{0x01}, std::byte{0x80}}) {
            AcpiMemory copy = memory;
            copy.bytes()[at] ^= change;
            CHECK_FALSE(read_acpi_table(address, copy.reader()));
        }
    }
}

TEST_CASE("one bad ACPI table makes finding them an error, and there are at most 64") {
    AcpiMemory memory;
    const u64 table = memory.add(McfgBuilder{}.build());
    auto find = [&](const std::vector<u64>& addresses) {
        const u64 directory = memory.add_directory(addresses, true);
        return error_of(AcpiTables::find(AcpiMemory::root(0, directory), memory.reader()));
    };
    CHECK(find(std::vector<u64>(kAcpiTablesMax, table)) == std::nullopt);
    CHECK(find(std::vector<u64>(kAcpiTablesMax + 1, table)) == AcpiError::too_many);
    CHECK(find({table, u64{1} << 50}) == AcpiError::unreadable);
}

TEST_CASE("a MADT lists CPUs, I/O APICs and overrides") {
    const auto madt = parse_madt(ordinary_madt().build());
    REQUIRE(madt);
    CHECK(madt->local_apic == 0xfee0'0000);
    CHECK(madt->legacy_pic);
    REQUIRE(madt->cpus().size() == 4);  // one of the five can never run
    CHECK(madt->cpus()[1].apic_id == 2);
    CHECK(madt->cpus()[1].enabled);
    CHECK(madt->cpus()[2].apic_id == 300);
    CHECK(madt->cpus()[3].apic_id == 9);
    CHECK_FALSE(madt->cpus()[3].enabled);
    REQUIRE(madt->io_apics().size() == 1);
    CHECK(madt->io_apics()[0].address == 0xfec0'0000);
    REQUIRE(madt->overrides().size() == 3);
    CHECK(madt->overrides()[0].interrupt == 2);
    CHECK_FALSE(madt->overrides()[0].active_low);
    CHECK_FALSE(madt->overrides()[1].active_low);
    CHECK(madt->overrides()[1].level_triggered);
    CHECK(madt->overrides()[2].active_low);
    CHECK(madt->overrides()[2].level_triggered);
    CHECK(parse_madt(MadtBuilder{}.local_apic_address(0x1'2345'6000).build())->local_apic == 0x1'2345'6000);
}

TEST_CASE("a MADT entry that is cut short or has no length is refused") {
    const ByteVector good = ordinary_madt().build();
    for (usize size = 0; size < good.size(); ++size) {
        const auto error = error_of(parse_madt(cut(good, size)));
        if (size < 44) CHECK(error == AcpiError::truncated);
        CHECK((!error || error == AcpiError::truncated));
    }
    for (const u8 length : {u8{0}, u8{1}}) {
        CHECK(madt_error(MadtBuilder{}.entry(0, ByteVector(6), length)) == AcpiError::bad_entry);
        CHECK(madt_error(MadtBuilder{}.entry(200, ByteVector(6), length)) == AcpiError::bad_entry);
    }
    CHECK(madt_error(MadtBuilder{}.entry(0, ByteVector(6), u8{9})) == AcpiError::truncated);
    CHECK(madt_error(MadtBuilder{}.entry(200, ByteVector(3))) == std::nullopt);  // unknown kinds are skipped
    const std::pair<u8, usize> short_of[] = {{0, 5}, {1, 9}, {2, 7}, {5, 9}, {9, 13}};
    for (const auto& [type, bytes] : short_of) {
        CHECK(madt_error(MadtBuilder{}.entry(type, ByteVector(bytes))) == AcpiError::bad_entry);
        CHECK(madt_error(MadtBuilder{}.entry(type, ByteVector(bytes + 1))) == std::nullopt);
    }
}

TEST_CASE("a MADT with more entries than the kernel holds is refused") {
    MadtBuilder cpus, io_apics, overrides;
    for (usize i = 0; i < Madt::kCpusMax; ++i) cpus.x2apic_cpu(static_cast<u32>(i));
    for (usize i = 0; i < Madt::kIoApicsMax; ++i) io_apics.io_apic(0, 0, 0);
    for (usize i = 0; i < Madt::kOverridesMax; ++i) overrides.override_line(0, 0, 0);
    for (MadtBuilder* full : {&cpus, &io_apics, &overrides}) CHECK(madt_error(*full) == std::nullopt);
    CHECK(madt_error(cpus.cpu(1)) == AcpiError::too_many);
    CHECK(madt_error(io_apics.io_apic(0, 0, 0)) == AcpiError::too_many);
    CHECK(madt_error(overrides.override_line(0, 0, 0)) == AcpiError::too_many);
}

TEST_CASE("an MCFG lists configuration space by segment") {
    const auto mcfg = parse_mcfg(McfgBuilder{}.segment(0xb000'0000, 0, 0, 255).segment(0x10'0000'0000, 1, 16, 16).build());
    REQUIRE(mcfg);
    REQUIRE(mcfg->segments().size() == 2);
    CHECK(mcfg->segments()[0].address == 0xb000'0000);
    CHECK(mcfg->segments()[0].last_bus == 255);
    CHECK(mcfg->segments()[1].segment == 1);
    CHECK(mcfg->segments()[1].first_bus == 16);
    CHECK(error_of(parse_mcfg(McfgBuilder{}.segment(0xb000'0000, 0, 2, 1).build())) == AcpiError::bad_entry);
    CHECK(error_of(parse_mcfg(McfgBuilder{}.segment(0xb000'0800, 0, 0, 1).build())) == AcpiError::bad_entry);
    McfgBuilder many;
    for (u16 i = 0; i < 16; ++i) many.segment(0, i, 0, 0);
    CHECK(parse_mcfg(many.build())->segments().size() == 16);
    CHECK(error_of(parse_mcfg(many.segment(0, 16, 0, 0).build())) == AcpiError::too_many);
}

TEST_CASE("an MCFG without room for its header is truncated, and a last entry that does not fit is left out") {
    const ByteVector good = McfgBuilder{}.segment(0xb000'0000, 0, 0, 255).segment(0, 1, 0, 0).build();
    for (usize size = 0; size <= good.size(); ++size) {
        const auto mcfg = parse_mcfg(cut(good, size));
        CHECK(error_of(mcfg) == (size < 44 ? std::optional{AcpiError::truncated} : std::nullopt));
        if (mcfg) CHECK(mcfg->segments().size() == (size - 44) / 16);
    }
}

TEST_CASE("a DMAR lists IOMMU units with their scopes, and reserved memory") {
    const ByteVector scopes = ByteWriter{}.put(u8{1}).put(u8{8}).put(u32{0}).put(u16{0x0100}).take();
    const auto table =
        DmarBuilder{}.unit(0xfed9'0000, 0, true, scopes).reserved(3, 0x1000, 0x1fff).entry(7, ByteVector(4)).build();
    const auto dmar = parse_dmar(table);
    REQUIRE(dmar);
    CHECK(dmar->address_bits == 39);
    CHECK(dmar->interrupt_remapping);
    CHECK_FALSE(dmar->x2apic_opt_out);
    REQUIRE(dmar->units().size() == 1);
    CHECK(dmar->units()[0].registers == 0xfed9'0000);
    CHECK(dmar->units()[0].covers_rest);
    CHECK(dmar->units()[0].scopes.size() == 8);
    REQUIRE(dmar->reserved().size() == 1);
    CHECK(dmar->reserved()[0].segment == 3);
    CHECK(dmar->reserved()[0].end == 0x2000);
}

TEST_CASE("a DMAR whose entries or scopes leave their bounds is refused") {
    const ByteVector good = DmarBuilder{}.unit(0xfed9'0000, 0, true).build();
    for (usize size = 0; size < good.size(); ++size) {
        if (size != 48) CHECK(error_of(parse_dmar(cut(good, size))) == AcpiError::truncated);
    }
    for (const u16 length : {u16{0}, u16{1}, u16{2}, u16{3}}) {
        CHECK(dmar_error(DmarBuilder{}.entry(0, {}, length)) == AcpiError::bad_entry);
        CHECK(dmar_error(DmarBuilder{}.entry(7, {}, length)) == AcpiError::bad_entry);
    }
    CHECK(dmar_error(DmarBuilder{}.entry(0, ByteVector(11))) == AcpiError::bad_entry);
    CHECK(dmar_error(DmarBuilder{}.entry(1, ByteVector(19))) == AcpiError::bad_entry);
    CHECK(dmar_error(DmarBuilder{}.unit(0, 0, true)) == AcpiError::bad_entry);
    CHECK(dmar_error(DmarBuilder{}.unit(0xfed9'0800, 0, true)) == AcpiError::bad_entry);
    CHECK(dmar_error(DmarBuilder{}.reserved(0, 0x2000, 0x1fff)) == AcpiError::bad_entry);
    CHECK(dmar_error(DmarBuilder{}.reserved(0, 0, ~u64{0})) == AcpiError::bad_entry);
    for (const u8 length : {u8{0}, u8{1}, u8{2}, u8{7}, u8{9}, u8{10}}) {
        const ByteVector scope = ByteWriter{}.put(u8{1}).put(length).pad_to(9).take();
        const auto error = dmar_error(DmarBuilder{}.unit(0x1000, 0, false, scope));
        CHECK((error == AcpiError::bad_entry || error == AcpiError::truncated));
    }
}

TEST_CASE("a DMAR with more units or reserved ranges than the kernel holds is refused") {
    DmarBuilder units, ranges;
    for (u64 i = 1; i <= 16; ++i) {
        units.unit(i * 4096, 0, false);
        ranges.reserved(0, i, i);
    }
    CHECK(dmar_error(units) == std::nullopt);
    CHECK(dmar_error(ranges) == std::nullopt);
    CHECK(dmar_error(units.unit(4096, 0, false)) == AcpiError::too_many);
    CHECK(dmar_error(ranges.reserved(0, 1, 1)) == AcpiError::too_many);
}

TEST_CASE("a FADT gives the timer, the power registers and the reset register") {
    const auto fadt = parse_fadt(FadtSpec{}.build());
    REQUIRE(fadt);
    CHECK(fadt->pm_timer_port == 0x608);
    CHECK(fadt->pm_timer_32_bits);
    CHECK(fadt->pm1a_control_port == 0x604);
    CHECK(fadt->dsdt == 0x1000);
    REQUIRE(fadt->reset);
    CHECK(fadt->reset->space == 1);
    CHECK(fadt->reset->address == 0xcf9);
    CHECK(fadt->reset->value == 0xf);
    CHECK(parse_fadt(FadtSpec{.wide_dsdt = 0x2'0000'0000}.build())->dsdt == 0x2'0000'0000);
    CHECK_FALSE(parse_fadt(FadtSpec{.flags = 0}.build())->reset);
    CHECK_FALSE(parse_fadt(FadtSpec{.flags = 0}.build())->pm_timer_32_bits);
}

TEST_CASE("a FADT of an old revision has no reset register, and one without flags is truncated") {
    CHECK_FALSE(parse_fadt(FadtSpec{.table_bytes = 116}.build())->reset);
    CHECK_FALSE(parse_fadt(FadtSpec{.table_bytes = 128}.build())->reset);
    CHECK(parse_fadt(FadtSpec{.table_bytes = 129}.build())->reset);
    const ByteVector good = FadtSpec{}.build();
    for (usize size = 0; size < 116; ++size) CHECK(error_of(parse_fadt(cut(good, size))) == AcpiError::truncated);
}

TEST_CASE("every ACPI error has a text of its own") {
    for (unsigned i = 0; i <= static_cast<unsigned>(AcpiError::missing); ++i) {
        CHECK(std::string_view{describe(static_cast<AcpiError>(i))} != "unknown error");
    }
}
