// The boot archive. The first byte of the input says whether the headers' checksums are made right on the way; the rest is the
// archive. Without that a fuzzer would spend its life on checksums.
#include "formats/ustar.h"

#include <algorithm>

#include "host/support/ustar_builder.h"
#include "support/target.h"

namespace capos::fuzz {

namespace {

using formats::UstarArchive;

constexpr usize kHeadersMax = 64;

// Wherever a header stands, by the sizes that the headers themselves give.
void mend(ByteVector& archive) {
    usize at = 0;
    for (usize i = 0; i < kHeadersMax && archive.size() - at >= 512; ++i) {
        if (archive[at] == std::byte{0}) return;
        test::mend_ustar_checksum(archive, at);
        usize bytes = 0;
        for (usize digit = 0; digit < 11; ++digit) bytes = bytes << 3 | (static_cast<usize>(archive[at + 124 + digit]) & 7);
        if (bytes > archive.size() - at - 512) return;
        at = std::min(archive.size(), at + 512 + (bytes + 511) / 512 * 512);
    }
}

}  // namespace

void run(Bytes input) {
    if (input.empty()) return;
    ByteVector bytes(input.begin() + 1, input.end());
    if (input[0] != std::byte{0}) mend(bytes);
    const auto archive = UstarArchive::open(bytes);
    if (!archive) {
        check(formats::describe(archive.error()) != std::string_view{"unknown error"}, "each error has a text");
        return;
    }
    u64 cursor = 0;
    std::string_view previous;
    while (const auto file = archive->next(cursor)) {
        check(inside(bytes, file->content), "a file lies in the archive");
        check(file->name > previous && file->name.size() <= formats::kUstarNameBytesMax, "names ascend, and have an end");
        const auto found = archive->find(file->name);
        check(found && found->data() == file->content.data() && found->size() == file->content.size(), "a file is found");
        previous = file->name;
    }
    check(cursor + 2 * formats::kUstarBlockBytes <= bytes.size(), "the end is there");
}

std::vector<ByteVector> seeds() {
    using namespace capos::test;
    std::vector<ByteVector> found;
    for (const ByteVector& archive :
         {ustar({}), ustar({{"a", "1"}}), ustar({{"bin/log", std::string(600, 'x')}, {"manifest", "m"}}),
          ustar({{"a", "1"}, {"a", "2"}}), ustar({{.name = "a", .type = '5'}}), ustar({{.name = "a", .size = "9"}}),
          ustar({{"a/../b", "1"}}), ustar({{.name = "a", .size = "7777777"}}), ustar({{.name = "a", .magic = "gnu"}}),
          ustar({{.name = "a", .right_checksum = false}}), ustar({{"a", "1"}}, 1)}) {
        for (const u8 mending : {u8{0}, u8{1}}) found.push_back(ByteWriter{}.put(mending).append(archive).take());
    }
    return found;
}

}  // namespace capos::fuzz
