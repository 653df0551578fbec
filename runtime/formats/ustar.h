// ustar.h - reads the boot archive, a POSIX ustar file. Pure: no allocation, no I/O.
//
// Specification: POSIX.1-2017, pax, "ustar Interchange Format". Accepted is what imagegen/iso/archive.py writes: regular files
// only, names as plain relative paths of at most 100 bytes in byte order (so none twice, R03), two blocks of zeros at the end.
// What lies behind the end is not looked at: the archive comes in whole pages. open() checks everything once; afterwards no
// access can fail.
#pragma once

#include <optional>
#include <string_view>

#include "formats/support/bytes.h"
#include "formats/support/result.h"

namespace capos::formats {

enum class UstarError : u8 {
    truncated,      // a header or a file leaves the archive
    no_end,         // the archive ends without two blocks of zeros
    bad_magic,      // a header that is not of this format and version
    bad_checksum,
    bad_number,     // a size that is not octal
    not_a_file,     // a folder, a link or a device
    bad_name,       // no plain relative path, or longer than 100 bytes
    out_of_order,   // a name that is not above the one before: a duplicate, too
};
const char* describe(UstarError error);

inline constexpr usize kUstarBlockBytes = 512;
inline constexpr usize kUstarNameBytesMax = 100;

struct UstarFile {
    std::string_view name;  // both point into the archive
    Bytes content;
};

class UstarArchive {
public:
    // Errors: every UstarError. `archive` must outlive the result.
    static Result<UstarArchive, UstarError> open(Bytes archive);

    // The file at `cursor`, which starts as 0 and moves to the next one; nothing at the end.
    std::optional<UstarFile> next(u64& cursor) const;
    std::optional<Bytes> find(std::string_view name) const;

private:
    explicit UstarArchive(Bytes archive) : archive_{archive} {}

    ByteReader archive_;
};

}  // namespace capos::formats
