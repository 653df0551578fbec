// acpi_builder.h - ACPI tables for tests and fuzz seeds: correct by default; and a physical memory to put them in.
#pragma once

#include "formats/acpi.h"
#include "host/support/byte_writer.h"

namespace capos::test {

inline constexpr usize kAcpiHeaderBytes = 36;

// Makes the bytes [start, start + length) add up to 0 by changing the one at `at`.
inline void fix_checksum(ByteVector& bytes, usize start, usize length, usize at) {
    bytes[at] = std::byte{0};
    unsigned sum = 0;
    for (usize i = start; i < start + length; ++i) sum += static_cast<unsigned>(bytes[i]);
    bytes[at] = static_cast<std::byte>(0x100 - (sum & 0xff));
}

// Header, body, right length and checksum.
inline ByteVector acpi_table(std::string_view signature, const ByteVector& body) {
    ByteWriter w;
    w.text(signature)
        .put(static_cast<u32>(kAcpiHeaderBytes + body.size()))
        .put(u8{1})
        .put(u8{0})
        .text("CAPOS ")
        .text("TESTING ");
    w.pad_to(kAcpiHeaderBytes).append(body);
    ByteVector bytes = w.take();
    fix_checksum(bytes, 0, bytes.size(), 9);
    return bytes;
}

// --- bodies: what follows the header ---
class MadtBuilder {
public:
    explicit MadtBuilder(u32 local_apic = 0xfee0'0000, u32 flags = 1) { writer_.put(local_apic).put(flags); }
    MadtBuilder& entry(u8 type, const ByteVector& body, std::optional<u8> length = {}) {
        writer_.put(type).put(length.value_or(static_cast<u8>(2 + body.size()))).append(body);
        return *this;
    }
    MadtBuilder& cpu(u8 apic_id, u32 flags = 1) {
        return entry(0, ByteWriter{}.put(u8{apic_id}).put(apic_id).put(flags).take());
    }
    MadtBuilder& x2apic_cpu(u32 apic_id, u32 flags = 1) {
        return entry(9, ByteWriter{}.put(u16{0}).put(apic_id).put(flags).put(apic_id).take());
    }
    MadtBuilder& io_apic(u8 id, u32 address, u32 first) {
        return entry(1, ByteWriter{}.put(id).put(u8{0}).put(address).put(first).take());
    }
    MadtBuilder& override_line(u8 isa, u32 interrupt, u16 flags) {
        return entry(2, ByteWriter{}.put(u8{0}).put(isa).put(interrupt).put(flags).take());
    }
    MadtBuilder& local_apic_address(u64 address) { return entry(5, ByteWriter{}.put(u16{0}).put(address).take()); }
    ByteVector build() const { return acpi_table("APIC", ByteWriter{writer_}.take()); }

private:
    ByteWriter writer_;
};

class McfgBuilder {
public:
    McfgBuilder() { writer_.put(u64{0}); }
    McfgBuilder& segment(u64 address, u16 number, u8 first_bus, u8 last_bus) {
        writer_.put(address).put(number).put(first_bus).put(last_bus).put(u32{0});
        return *this;
    }
    ByteVector build() const { return acpi_table("MCFG", ByteWriter{writer_}.take()); }

private:
    ByteWriter writer_;
};

class DmarBuilder {
public:
    explicit DmarBuilder(u8 width_less_one = 38, u8 flags = 1) { writer_.put(width_less_one).put(flags).pad_to(12); }
    DmarBuilder& entry(u16 type, const ByteVector& body, std::optional<u16> length = {}) {
        writer_.put(type).put(length.value_or(static_cast<u16>(4 + body.size()))).append(body);
        return *this;
    }
    DmarBuilder& unit(u64 registers, u16 segment, bool covers_rest, const ByteVector& scopes = {}) {
        return entry(
            0, ByteWriter{}.put(static_cast<u8>(covers_rest)).put(u8{0}).put(segment).put(registers).append(scopes).take());
    }
    DmarBuilder& reserved(u16 segment, u64 start, u64 last) {
        return entry(1, ByteWriter{}.put(u16{0}).put(segment).put(start).put(last).take());
    }
    ByteVector build() const { return acpi_table("DMAR", ByteWriter{writer_}.take()); }

private:
    ByteWriter writer_;
};

struct FadtSpec {
    u32 dsdt{0x1000}, pm1a_control{0x604}, pm_timer{0x608}, flags{1 << 10 | 1 << 8};
    u8 reset_space{1};
    u64 reset_address{0xcf9};
    u8 reset_value{0xf};
    u64 wide_dsdt{};
    usize table_bytes{244};

    ByteVector build() const {
        ByteVector body(table_bytes - kAcpiHeaderBytes);
        auto at = [&](usize offset, auto value) {
            if (offset + sizeof value <= table_bytes) patch(body, offset - kAcpiHeaderBytes, value);
        };
        at(40, dsdt), at(64, pm1a_control), at(76, pm_timer), at(112, flags);
        at(116, reset_space), at(120, reset_address), at(128, reset_value), at(140, wide_dsdt);
        return acpi_table("FACP", body);
    }
};

// Physical memory from address 0, with tables laid one behind the other.
class AcpiMemory {
public:
    u64 add(const ByteVector& table) {
        bytes_.resize((bytes_.size() + 15) / 16 * 16);
        const u64 address = bytes_.size();
        bytes_.insert(bytes_.end(), table.begin(), table.end());
        return address;
    }
    u64 add_directory(const std::vector<u64>& addresses, bool wide) {
        ByteWriter body;
        for (const u64 address : addresses) {
            if (wide) {
                body.put(address);
            } else {
                body.put(static_cast<u32>(address));
            }
        }
        return add(acpi_table(wide ? "XSDT" : "RSDT", body.take()));
    }
    // As the boot loader copies it: 20 bytes of version 1, or 36 of version 2.
    static ByteVector root(u32 rsdt, std::optional<u64> xsdt) {
        ByteWriter w;
        w.text("RSD PTR ").put(u8{0}).text("CAPOS ").put(xsdt ? u8{2} : u8{0}).put(rsdt);
        if (xsdt) w.put(u32{36}).put(*xsdt).put(u32{0});
        ByteVector bytes = w.take();
        fix_checksum(bytes, 0, 20, 8);
        if (xsdt) fix_checksum(bytes, 0, 36, 32);
        return bytes;
    }

    formats::PhysicalReader reader() { return {read, this}; }
    ByteVector& bytes() { return bytes_; }

private:
    static std::optional<formats::Bytes> read(void* context, u64 address, u64 length) {
        return formats::ByteReader{static_cast<AcpiMemory*>(context)->bytes_}.slice(address, length);
    }
    ByteVector bytes_ = ByteVector(64);  // nothing lies at address 0, which means "none"
};

inline MadtBuilder ordinary_madt() {
    return MadtBuilder{}.cpu(0).cpu(2).x2apic_cpu(300).cpu(7, 0).cpu(9, 2).io_apic(0, 0xfec0'0000, 0)
        .override_line(0, 2, 0).override_line(9, 9, 0xd).override_line(5, 5, 0xf);
}

}  // namespace capos::test
