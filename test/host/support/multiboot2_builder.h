// multiboot2_builder.h - boot information for tests and fuzz seeds, as a boot loader lays it out (Multiboot2 §3.6).
#pragma once

#include <span>

#include "formats/multiboot2.h"
#include "host/support/byte_writer.h"

namespace capos::test {

class Multiboot2Builder {
public:
    Multiboot2Builder() { writer_.put(u32{0}).put(u32{0}); }

    // A tag with that body; the header's size is right unless `size` says otherwise.
    Multiboot2Builder& tag(u32 type, const ByteVector& body, std::optional<u32> size = {}) {
        writer_.align(8).put(type).put(size.value_or(static_cast<u32>(8 + body.size()))).append(body);
        return *this;
    }
    Multiboot2Builder& command_line(std::string_view text) { return tag(1, ByteWriter{}.text(text).put(u8{0}).take()); }
    Multiboot2Builder& module(u32 start, u32 end, std::string_view text) {
        return tag(3, ByteWriter{}.put(start).put(end).text(text).put(u8{0}).take());
    }
    Multiboot2Builder& memory_map(std::span<const formats::MemoryRange> ranges, u32 entry_bytes = 24) {
        ByteWriter body;
        body.put(entry_bytes).put(u32{0});
        for (const formats::MemoryRange& r : ranges) {
            const usize start = body.size();
            body.put(r.start).put(r.end - r.start).put(static_cast<u32>(r.kind)).put(u32{0}).pad_to(start + entry_bytes);
        }
        return tag(6, body.take());
    }
    Multiboot2Builder& sections(u32 count, u32 entry_bytes, u32 names, const ByteVector& headers) {
        return tag(9, ByteWriter{}.put(count).put(entry_bytes).put(names).append(headers).take());
    }
    Multiboot2Builder& acpi_old(const ByteVector& rsdp) { return tag(14, rsdp); }
    Multiboot2Builder& acpi_new(const ByteVector& rsdp) { return tag(15, rsdp); }

    // Ends the information: end tag, total size.
    ByteVector build() {
        tag(0, {});
        return unended();
    }
    // The same without an end tag.
    ByteVector unended() {
        ByteVector bytes = writer_.align(8).take();
        patch(bytes, 0, static_cast<u32>(bytes.size()));
        return bytes;
    }

private:
    ByteWriter writer_;
};

// What GRUB gives a kernel on a small PC.
inline ByteVector ordinary_boot_information() {
    using enum formats::MemoryKind;
    const formats::MemoryRange map[] = {{0, 0x9'fc00, available},          {0x9'fc00, 0xa'0000, reserved},
                                        {0xf'0000, 0x10'0000, reserved},   {0x10'0000, 0x7fe'0000, available},
                                        {0x7fe'0000, 0x800'0000, acpi_reclaimable}};
    return Multiboot2Builder{}
        .command_line("console=serial")
        .module(0x20'0000, 0x21'0000, "init")
        .module(0x21'0000, 0x23'0000, "archive one two")
        .memory_map(map)
        .acpi_old(ByteVector(20, std::byte{1}))
        .acpi_new(ByteVector(36, std::byte{2}))
        .build();
}

}  // namespace capos::test
