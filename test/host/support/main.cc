// main of the test binaries: Catch2's, plus --list-tsv, which prints each test as NAME<TAB>TAGS on one line for the runner.
#include <new>

#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>

int main(int argc, char** argv) {
    Catch::Session session;
    if (argc == 2 && std::string_view{argv[1]} == "--list-tsv") {
        for (const auto& test : Catch::getAllTestCasesSorted(session.config())) {
            std::cout << test.name << '\t' << test.tagsAsString() << '\n';
        }
        return 0;
    }
    return session.run(argc, argv);
}
