#include "formats/ustar.h"

#include <algorithm>

namespace capos::formats {

namespace {

struct Header {
    char name[100];
    char mode[8], owner[8], group[8];
    char size[12];
    char time[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6];
    char version[2];
    char owner_name[32], group_name[32];
    char device_major[8], device_minor[8];
    char prefix[155];
    char padding[12];
};
static_assert(sizeof(Header) == kUstarBlockBytes && offsetof(Header, size) == 124 && offsetof(Header, checksum) == 148 &&
              offsetof(Header, magic) == 257 && offsetof(Header, prefix) == 345);

// Octal digits, then blanks or NULs to the end of the field.
std::optional<u64> octal(std::string_view field) {
    u64 value = 0;
    usize digits = 0;
    for (; digits < field.size() && field[digits] >= '0' && field[digits] <= '7'; ++digits) {
        value = value << 3 | static_cast<u64>(field[digits] - '0');
    }
    const bool ends = field.find_first_not_of(std::string_view{" \0", 2}, digits) == std::string_view::npos;
    return digits != 0 && ends ? std::optional{value} : std::nullopt;
}

// The sum of the header's bytes, those of the sum itself counted as blanks.
u64 checksum(Bytes block) {
    u64 sum = 8 * ' ';
    for (usize i = 0; i < block.size(); ++i) {
        const bool own = i >= offsetof(Header, checksum) && i < offsetof(Header, checksum) + sizeof(Header::checksum);
        if (!own) sum += static_cast<u64>(block[i]);
    }
    return sum;
}

bool plain_relative(std::string_view path) {
    while (true) {
        const usize end = path.find('/');
        const std::string_view part = path.substr(0, end);
        if (part.empty() || part == "." || part == "..") return false;
        if (end == std::string_view::npos) return true;
        path = path.substr(end + 1);
    }
}

bool all_zero(Bytes bytes) {
    return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; });
}

struct Entry {
    std::string_view name;
    u64 bytes{};
};

Result<Entry, UstarError> read_header(Bytes block) {
    const auto* header = reinterpret_cast<const Header*>(block.data());  // chars only: any address will do
    const auto text = [](const auto& field) { return std::string_view{field, sizeof(field)}; };
    if (text(header->magic) != std::string_view{"ustar\0", 6}) return fail(UstarError::bad_magic);
    if (text(header->version) != "00") return fail(UstarError::bad_magic);
    if (octal(text(header->checksum)) != checksum(block)) return fail(UstarError::bad_checksum);
    if (header->type != '0') return fail(UstarError::not_a_file);
    const std::string_view name = text(header->name).substr(0, text(header->name).find('\0'));
    if (header->prefix[0] != 0 || !plain_relative(name)) return fail(UstarError::bad_name);
    const auto bytes = octal(text(header->size));
    if (!bytes) return fail(UstarError::bad_number);
    return Entry{name, *bytes};
}

u64 whole_blocks(u64 bytes) { return (bytes + kUstarBlockBytes - 1) / kUstarBlockBytes * kUstarBlockBytes; }

}  // namespace

Result<UstarArchive, UstarError> UstarArchive::open(Bytes archive) {
    const UstarArchive opened{archive};
    std::string_view previous;
    for (u64 at = 0;;) {
        const auto block = opened.archive_.slice(at, kUstarBlockBytes);
        if (!block) return fail(UstarError::no_end);
        if (all_zero(*block)) {
            const auto second = opened.archive_.slice(at + kUstarBlockBytes, kUstarBlockBytes);
            if (!second || !all_zero(*second)) return fail(UstarError::no_end);
            return opened;
        }
        const Entry entry = TRY(read_header(*block));
        if (entry.name <= previous) return fail(UstarError::out_of_order);
        previous = entry.name;
        at += kUstarBlockBytes;
        if (!opened.archive_.slice(at, whole_blocks(entry.bytes))) return fail(UstarError::truncated);
        at += whole_blocks(entry.bytes);
    }
}

std::optional<UstarFile> UstarArchive::next(u64& cursor) const {
    const auto block = archive_.slice(cursor, kUstarBlockBytes);
    if (!block || all_zero(*block)) return std::nullopt;
    const auto entry = read_header(*block);
    if (!entry) return std::nullopt;
    const auto content = archive_.slice(cursor + kUstarBlockBytes, entry->bytes);
    if (!content) return std::nullopt;
    cursor += kUstarBlockBytes + whole_blocks(entry->bytes);
    return UstarFile{entry->name, *content};
}

std::optional<Bytes> UstarArchive::find(std::string_view name) const {
    u64 cursor = 0;
    while (const auto file = next(cursor)) {
        if (file->name == name) return file->content;
    }
    return std::nullopt;
}

const char* describe(UstarError error) {
    switch (error) {
        case UstarError::truncated: return "a file leaves the archive";
        case UstarError::no_end: return "the end of the archive is missing";
        case UstarError::bad_magic: return "a header is not of the ustar format";
        case UstarError::bad_checksum: return "a header's checksum is wrong";
        case UstarError::bad_number: return "a file's size is not a number";
        case UstarError::not_a_file: return "an entry is not a regular file";
        case UstarError::bad_name: return "a name is not a plain relative path of at most 100 bytes";
        case UstarError::out_of_order: return "a name comes twice, or not in byte order";
    }
    return "unknown error";
}

}  // namespace capos::formats
