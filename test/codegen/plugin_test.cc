// capnpc-capos itself, run as the build runs it. For fixtures/accepted its outputs are those in the folder, byte by byte; what
// is in fixtures/refused it refuses with exactly the lines of the .expected file, and writes nothing.
//
// After an intended change of an output: copy the file that the failed test names over the one in fixtures.
#include <new>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/wait.h>

#include "abi/types.h"

namespace {

namespace fs = std::filesystem;

const fs::path kFixtures = CAPOS_FIXTURES;
constexpr int kRefused = 1, kFailed = 2;

std::string text_of(const fs::path& path) {
    std::ifstream stream{path, std::ios::binary};
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
}

// A folder of this process that is gone afterwards, unless the test failed.
class Folder {
public:
    Folder() {
        std::string name = (fs::temp_directory_path() / "capos-codegen-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~Folder() {
        std::error_code ignored;
        if (!keep) fs::remove_all(path_, ignored);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    fs::path operator/(const char* name) const { return path_ / name; }
    bool keep{};

private:
    fs::path path_;
};

int status_of(const std::string& command) {
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// The exit status of the plugin for one schema, a kernel one if it is called flat; what it says goes to `folder`/problems.
int run(const Folder& folder, const fs::path& schema) {
    const bool is_flat = schema.filename().string().starts_with("flat_") || schema.stem() == "flat";
    const std::string messages = is_flat ? " --kernel-messages " : " --messages ";
    const std::string stubs = is_flat ? " --kernel-stubs " : " --stubs ";
    const fs::path root = schema.parent_path(), imports = (kFixtures / "../../..").lexically_normal();
    REQUIRE(status_of(CAPOS_CAPNP " compile -o- -I" + imports.string() + " --src-prefix=" + root.string() + " " +
                      schema.string() + " > " + (folder / "request").string()) == 0);
    return status_of(CAPOS_PLUGIN " --source-root " + root.string() + " --request " + (folder / "request").string() +
                     messages + (folder / "messages.h").string() + stubs + (folder / "stubs.h").string() + " --manual " +
                     (folder / "").string() + " --description " +
                     (folder / "description.json").string() + " 2> " + (folder / "problems").string());
}

void check_same(Folder& folder, const char* name, const fs::path& expected) {
    INFO("now " << (folder / name) << ", expected " << expected);
    const bool same = text_of(folder / name) == text_of(expected);
    folder.keep = folder.keep || !same;
    CHECK(same);
}

void check_refused(const std::string& prefix) {
    unsigned count = 0;
    for (const auto& entry : fs::directory_iterator{kFixtures / "refused"}) {
        const fs::path schema = entry.path();
        if (schema.extension() != ".capnp" || !schema.filename().string().starts_with(prefix)) continue;
        ++count;
        Folder folder;
        INFO(schema);
        CHECK(run(folder, schema) == kRefused);
        CHECK_FALSE(fs::exists(folder / "messages.h"));
        CHECK_FALSE(fs::exists(folder / "stubs.h"));
        CHECK_FALSE(fs::exists(folder / "index.md"));
        CHECK_FALSE(fs::exists(folder / "description.json"));
        check_same(folder, "problems", fs::path{schema}.replace_extension(".expected"));
    }
    CHECK(count > 0);
}

}  // namespace

TEST_CASE("the generated header and description of a schema are those on record") {
    for (const std::string name : {"flat", "common"}) {
        Folder folder;
        CHECK(run(folder, kFixtures / "accepted" / (name + ".capnp")) == 0);
        check_same(folder, "messages.h", kFixtures / "accepted" / (name + "_messages.expected"));
        check_same(folder, "description.json", kFixtures / "accepted" / (name + "_description.expected"));
        check_same(folder, "problems", "/dev/null");
    }
}

TEST_CASE("the generated stubs and manual pages of a schema are those on record") {
    Folder folder;
    CHECK(run(folder, kFixtures / "accepted/sample.capnp") == 0);
    check_same(folder, "stubs.h", kFixtures / "accepted/sample_stubs.expected");
    check_same(folder, "Shelf.md", kFixtures / "accepted/sample_shelf.expected");
    check_same(folder, "index.md", kFixtures / "accepted/sample_index.expected");
    check_same(folder, "problems", "/dev/null");
}

TEST_CASE("an interface that stubs can't serve is refused, naming file and line of each reason") { check_refused("stubs"); }

TEST_CASE("a schema without a flat representation is refused, naming file and line of each reason") { check_refused("flat_"); }

TEST_CASE("a schema that messages can't hold is refused, naming file and line of each reason") { check_refused("types"); }

TEST_CASE("a comment that is missing, shifted or detached is refused, naming file and line", "[R24]") {
    check_refused("comment_");
}

TEST_CASE("every declaration in a description has the comment that follows it in the schema", "[R24]") {
    const std::string description = text_of(kFixtures / "accepted/flat_description.expected");
    const auto doc_of = [&](const std::string& name) {
        const auto at = description.find("\"doc\": ", description.find("\"name\": \"" + name + '"'));
        return at == std::string::npos ? std::string{} : description.substr(at + 7, description.find('\n', at) - at - 7);
    };
    CHECK(doc_of("Colour") == R"("What `paint` takes.",)");
    CHECK(doc_of("red") == R"("the default")");
    CHECK(doc_of("deepBlue") == R"("Two words.")");
    CHECK(doc_of("size") == R"("`bytes` is its size. Idempotent.",)");
    CHECK(doc_of("paint").starts_with(R"("Declared before the method with the smaller ordinal.)"));
    CHECK(doc_of("capabilities").starts_with(R"("`any` and `named` are of whatever interface)"));
    CHECK(doc_of("value") == R"("Declared first, ordinal second.")");
    CHECK(doc_of("label") == R"("for people")");
    CHECK(doc_of("done") == R"("Whether it was.")");
}

TEST_CASE("capnpc-capos tells a failure of its own from a refusal") {
    Folder folder;
    std::ofstream{folder / "request"} << "not a request";
    const std::string plugin = std::string{CAPOS_PLUGIN} + " 2> /dev/null --source-root / --request ";
    CHECK(status_of(plugin + (folder / "request").string()) == kFailed);
    CHECK(status_of(plugin + (folder / "missing").string()) == kFailed);
    CHECK(status_of(plugin) == kFailed);
}
