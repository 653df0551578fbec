// ustar_builder.h - boot archives for tests, and every way for one to be wrong: fields are texts, written as they are.
#pragma once

#include <string>

#include "host/support/byte_writer.h"

namespace capos::test {

inline constexpr usize kUstarChecksumAt = 148;

struct UstarSpec {
    std::string name;
    std::string content;
    std::string size;       // empty: the content's, in octal
    char type = '0';
    std::string magic{"ustar\0", 6};
    std::string version = "00";
    std::string prefix;
    bool right_checksum = true;
};

inline std::string octal(usize value, usize digits) {
    std::string text(digits, '0');
    for (; value != 0; value >>= 3) text[--digits] = static_cast<char>('0' + (value & 7));
    return text;
}

// Makes the checksum of the header at `offset` right.
inline void mend_ustar_checksum(ByteVector& archive, usize offset) {
    for (usize i = 0; i < 8; ++i) archive[offset + kUstarChecksumAt + i] = std::byte{' '};
    usize sum = 0;
    for (usize i = 0; i < 512; ++i) sum += static_cast<usize>(archive[offset + i]);
    const std::string text = octal(sum, 6);
    std::memcpy(archive.data() + offset + kUstarChecksumAt, text.c_str(), 7);
}

// The files one after the other, and `end_blocks` blocks of zeros.
inline ByteVector ustar(const std::vector<UstarSpec>& files, usize end_blocks = 2) {
    ByteVector archive;
    for (const UstarSpec& file : files) {
        const usize at = archive.size();
        ByteWriter header;
        header.text(file.name).pad_to(124).text(file.size.empty() ? octal(file.content.size(), 11) : file.size);
        header.pad_to(156).put(file.type).pad_to(257).text(file.magic).text(file.version).pad_to(345).text(file.prefix);
        const ByteVector content = header.pad_to(512).text(file.content).align(512).take();
        archive.insert(archive.end(), content.begin(), content.end());
        if (file.right_checksum) mend_ustar_checksum(archive, at);
    }
    archive.resize(archive.size() + 512 * end_blocks);
    return archive;
}

}  // namespace capos::test
