// The shell's command lines: words, help and completion.
#include <new>

#include <algorithm>
#include <catch2/catch.hpp>

#include "servers/shell/columns.h"
#include "servers/shell/completion.h"
#include "servers/shell/words.h"

using namespace capos;
using namespace capos::shell;

namespace {

std::vector<std::string> words_of(std::string_view line) {
    Words words{line};
    std::vector<std::string> found;
    while (true) {
        const auto word = words.next();
        REQUIRE(word);
        if (!*word) return found;
        found.push_back((*word)->text);
    }
}

std::string error_of(std::string_view line) {
    Words words{line};
    while (true) {
        const auto word = words.next();
        if (!word) return std::to_string(word.error().position) + ": " + word.error().text;
        REQUIRE(*word);
    }
}

Names some_names() {
    return {.capabilities = {{"clock", {"now"}}, {"console", {"read", "write"}}},
            .services = {"uart", "log"}};
}

std::vector<std::string> offered(std::string_view line) {
    const Names names = some_names();
    return NameCompleter{names}.complete(line).candidates;
}

}  // namespace

TEST_CASE("a command line is words between blanks, with quotes and comments") {
    CHECK(words_of("").empty());
    CHECK(words_of("  # nothing").empty());
    CHECK(words_of("run  hello \"two words\" a=\"b c\" #comment") ==
          std::vector<std::string>{"run", "hello", "two words", "a=b c"});
    CHECK(words_of("a#b \"\" \"\\x41\\n\"") == std::vector<std::string>{"a#b", "", "A\n"});
    CHECK(error_of("echo \"open") == "5: the closing `\"` of this text is missing");
    CHECK(error_of("echo x\"\\q\"") .starts_with("7: an unknown escape sequence"));
}

TEST_CASE("a word tells its key and value, but not for what is quoted") {
    Words words{"name=cap \"a=b\" x=y=z"};
    const auto first = words.next();
    CHECK((*first)->key() == "name");
    CHECK((*first)->value() == "cap");
    CHECK_FALSE((*words.next())->has_value());
    CHECK((*words.next())->value() == "y=z");
}

TEST_CASE("the rest of a line is taken as it stands") {
    Words words{"call memory.read  (data = \"a b\")  "};
    CHECK((*words.next())->text == "call");
    CHECK((*words.next())->text == "memory.read");
    CHECK(words.position() == 18);
    CHECK(words.rest() == "(data = \"a b\")");
    CHECK(words.at_end());
}

TEST_CASE("tables are aligned, and times are short") {
    Columns table{{"NAME", "ä"}};
    table.row({"long name", "1"});
    table.row({"x", ""});
    CHECK(table.text() == "NAME       ä\nlong name  1\nx\n");
    CHECK(duration(0) == "0.000 s");
    CHECK(duration(59'999'999'999) == "59.999 s");
    CHECK(duration(60'000'000'000) == "00:01:00");
    CHECK(duration(u64{86'400'000'000'000} * 2 + 3'661'000'000'000) == "2 d 01:01:01");
}

TEST_CASE("commands are sorted, and each one has help") {
    CHECK(std::ranges::is_sorted(commands(), {}, &Command::name));
    for (const Command& one : commands()) {
        CHECK(find_command(one.name) == &one);
        CHECK(help_overview().find(one.summary) != std::string::npos);
        CHECK(help_of(one).starts_with("usage: " + std::string{one.name}));
        CHECK((one.details.empty() || one.details.ends_with('\n')));
    }
    CHECK(find_command("") == nullptr);
    CHECK(find_command("helpx") == nullptr);
}

TEST_CASE("completion offers commands first, and then what their arguments can be") {
    CHECK(offered("po") == std::vector<std::string>{"poweroff"});
    CHECK(offered("  po") == std::vector<std::string>{"poweroff"});
    CHECK(offered("").size() == commands().size());
    CHECK(offered("restart ") == std::vector<std::string>{"log", "uart"});
    CHECK(offered("restart u") == std::vector<std::string>{"uart"});
    CHECK(offered("restart uart ").empty());
    CHECK(offered("help lo") == std::vector<std::string>{"log"});
    CHECK(offered("call c") == std::vector<std::string>{"clock.", "console."});
    CHECK(offered("call console.") == std::vector<std::string>{"console.read", "console.write"});
    CHECK(offered("console.r") == std::vector<std::string>{"console.read"});
    CHECK(offered("call console.write (data = $cl") == std::vector<std::string>{"clock"});
    CHECK(offered("unknown x").empty());
    const Names names = some_names();
    CHECK(NameCompleter{names}.complete("call co").suffix.empty());
    CHECK(NameCompleter{names}.complete("call c.n ($cl").start == 11);
}
