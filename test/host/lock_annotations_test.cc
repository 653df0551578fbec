// The lock rules are checked by the compiler: each file in refused/ breaks one, and clang refuses it for that reason.
#include <new>

#include <catch2/catch.hpp>
#include <cstdio>
#include <string>

namespace {

struct Compilation {
    bool accepted;
    std::string output;
};

// With the arguments of the kernel build that matter for locks. The build defines the paths.
Compilation compile(const std::string& file) {
    const std::string command =
        CAPOS_COMPILER " -std=c++23 -stdlib=libc++ -fsyntax-only -Wthread-safety -Wthread-safety-beta -Werror " CAPOS_VIEW
                       " " CAPOS_REFUSED "/" +
        file + " 2>&1";
    FILE* pipe = popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::string output;
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) output += static_cast<char>(c);
    return {pclose(pipe) == 0, output};
}

void check_refused(const std::string& file, const std::string& reason) {
    const Compilation result = compile(file);
    INFO(result.output);
    CHECK_FALSE(result.accepted);
    CHECK(result.output.find(reason) != std::string::npos);
    CHECK(result.output.find("-Wthread-safety") != std::string::npos);
}

}  // namespace

TEST_CASE("code that keeps the lock rules compiles", "[R14]") {
    const Compilation result = compile("none.cc");
    INFO(result.output);
    CHECK(result.accepted);
}

TEST_CASE("guarded data cannot be touched without the kernel lock", "[R14]") {
    check_refused("guarded_data.cc", "writing variable 'value' requires holding");
}

TEST_CASE("a function that requires the kernel lock cannot be called without it", "[R14]") {
    check_refused("required_lock.cc", "calling function 'change' requires holding");
}

TEST_CASE("the kernel lock cannot be taken twice", "[R14]") { check_refused("taken_twice.cc", "that is already held"); }

TEST_CASE("the kernel lock cannot be forgotten on one path out of a function", "[R14]") {
    check_refused("forgotten.cc", "is not held on every path");
}

TEST_CASE("a function that takes the kernel lock cannot be called while holding it", "[R14]") {
    check_refused("excluded.cc", "cannot call function 'take_and_change' while");
}
