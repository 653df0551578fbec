// Schema tables as the build makes them: what they can't hold is refused with its line, and a program carries them in a section
// that nothing loads.
#include <new>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/dynamic/table.h"

namespace {

namespace fs = std::filesystem;

const fs::path kFixtures = CAPOS_FIXTURES;

std::string text_of(const fs::path& path) {
    std::ifstream stream{path, std::ios::binary};
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
}

int status_of(const std::string& command) {
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

struct Folder {
    fs::path path = fs::temp_directory_path() / ("capos-tables-" + std::to_string(getpid()));
    Folder() { fs::create_directories(path); }
    ~Folder() { fs::remove_all(path); }
    std::string operator/(const char* name) const { return (path / name).string(); }
};

int run(const Folder& folder, const fs::path& schema) {
    const std::string root = schema.parent_path().string();
    REQUIRE(status_of(CAPOS_CAPNP " compile -I" CAPOS_SOURCES " -o- --src-prefix=" + root + " " + schema.string() + " > " +
                      folder / "request") == 0);
    return status_of(CAPOS_PLUGIN " --source-root " + root + " --request " + folder / "request" + " --schema-tables " +
                     folder / "tables" + " --schema-section " + folder / "section.S" + " 2> " + folder / "problems");
}

}  // namespace

TEST_CASE("an interface that a schema table can't hold is refused, naming file and line") {
    const Folder folder;
    CHECK(run(folder, kFixtures / "refused/table_types.capnp") == 1);
    CHECK(text_of(folder / "problems") == text_of(kFixtures / "refused/table_types.expected"));
    CHECK_FALSE(fs::exists(folder / "tables"));
    CHECK_FALSE(fs::exists(folder / "section.S"));
}

TEST_CASE("the section of schema tables is found in an ELF file, and loads nothing") {
    const Folder folder;
    REQUIRE(run(folder, kFixtures / "accepted/dynamic.capnp") == 0);
    REQUIRE(status_of(CAPOS_COMPILER " -c -o " + folder / "section.o" + " " + folder / "section.S") == 0);
    const std::string object = text_of(folder / "section.o"), tables = text_of(folder / "tables");
    REQUIRE(tables.size() > 1000);
    const auto found = capos::dynamic::find_schema_section(std::as_bytes(std::span{object}));
    CHECK(std::string_view{reinterpret_cast<const char*>(found.data()), found.size()} == tables);

    // With any part of the file missing it is not found, or found whole.
    for (std::size_t length = 0; length < object.size(); length += 7) {
        const std::vector<char> part(object.begin(), object.begin() + static_cast<std::ptrdiff_t>(length));
        const auto rest = capos::dynamic::find_schema_section(std::as_bytes(std::span{part}));
        CHECK((rest.empty() || rest.size() == tables.size()));
    }
    // No flag, so no segment takes it in.
    const std::string flags = " | grep -q 'capos.schemas  *PROGBITS  *0* [0-9a-f]* [0-9a-f]* 00  *0  *0  *8'";
    CHECK(status_of("llvm-readelf-19 -S --wide " + folder / "section.o" + flags) == 0);
}
