// check-archive FILE: whether init would start this boot archive. Prints one problem a line and ends with 1 when there is any,
// with 2 when the file can't be read. The code is init's own.
#include <fstream>
#include <iostream>
#include <iterator>

#include "formats/elf.h"
#include "formats/ustar.h"
#include "servers/init/manifest_check.h"
#include "servers/init/manifest_reader.h"

namespace capos::imagegen {

namespace {

using Problems = std::vector<std::string>;

// Every program that a service names must be one that the spawner can load.
void check_binaries(const init::Manifest& manifest, const formats::UstarArchive& archive, Problems& problems) {
    for (const init::ServiceEntry& service : manifest.services) {
        const auto file = archive.find(service.binary);
        if (!file) continue;  // check_manifest has said so
        const auto elf = formats::parse_elf(*file);
        if (elf) continue;
        problems.push_back("service `" + std::string{service.name} + "`: " + std::string{service.binary} + ": " +
                           formats::describe(elf.error()));
    }
}

Problems check(formats::Bytes bytes) {
    const auto archive = formats::UstarArchive::open(bytes);
    if (!archive) return {std::string{"the boot archive: "} + formats::describe(archive.error())};
    const auto file = archive->find("manifest");
    if (!file) return {"the boot archive holds no manifest"};
    const auto manifest = init::read_manifest(*file);
    if (!manifest) return {"the manifest is not a message of idl/manifest.capnp"};
    std::vector<std::string_view> files;
    for (u64 cursor = 0; const auto one = archive->next(cursor);) files.push_back(one->name);
    Problems problems = init::check_manifest(*manifest, {.files = files});
    check_binaries(*manifest, *archive, problems);
    return problems;
}

}  // namespace

}  // namespace capos::imagegen

int main(int argc, char** argv) {
    std::ifstream input{argc == 2 ? argv[1] : "", std::ios::binary};
    const std::string text{std::istreambuf_iterator<char>{input}, {}};
    if (argc != 2 || !input) {
        std::cerr << "usage: check-archive FILE\n";
        return 2;
    }
    const auto problems = capos::imagegen::check(std::as_bytes(std::span{text}));
    for (const std::string& problem : problems) std::cout << problem << '\n';
    return problems.empty() ? 0 : 1;
}
