// The shell as a process of the simulated machine, over a console that a test types at: calls and traces of the kernel's own
// objects and of a served one, and what happens to commands that are interrupted.
#include <new>

#include <catch2/catch.hpp>

#include "idl/console.h"
#include "idl/kernel.h"
#include "runtime/ring/start_message.h"
#include "servers/shell/session.h"
#include "servers/shell/tracer.h"
#include "sim/live.h"

using namespace capos;
using namespace capos::runtime;
using capos::sim::Live;

namespace {

constexpr u64 kMs = 1'000'000;

// Types one line (or whatever bytes) at a time, as soon as what came out ends with `after`.
struct Typed {
    std::string after;
    std::string bytes;
};

class FakeConsole final : public idl::Console::Server {
public:
    FakeConsole(Loop& loop, std::vector<Typed>& typed, std::string& output) : loop_{loop}, typed_{typed}, output_{output} {}

    Task<idl::Console::Read::Answer> read(u32) override {
        while (typed_.empty() || output_.find(typed_.front().after, seen_) == std::string::npos) {
            co_await sleep_for(loop_, kMs / 4);
        }
        seen_ = output_.size();
        bytes_ = typed_.front().bytes;
        typed_.erase(typed_.begin());
        co_return {.data = std::as_bytes(std::span{bytes_}), .lost = 0};
    }
    Task<void> write(std::span<const std::byte> data) override {
        output_.append(reinterpret_cast<const char*>(data.data()), data.size());
        co_return done;
    }

private:
    Loop& loop_;
    std::vector<Typed>& typed_;
    std::string& output_;
    std::string bytes_;
    usize seen_{};
};

struct Fixture {
    Live live;
    abi::CapId endpoint = live.world.make_endpoint(), silent = live.world.make_endpoint();
    sim::Spawned server = live.world.spawn("console", {.cpu = 1, .region_bytes = 64 * 1024});
    sim::Spawned person = live.world.spawn("shell", {.cpu = 2, .region_bytes = 128 * 1024});
    std::vector<Typed> typed;
    std::string output;

    // Everything that came out until the mark of the last line, which is added here.
    std::string run(std::vector<Typed> lines) {
        typed = std::move(lines);
        typed.push_back({"capos> ", "echo the end\n"});
        const abi::CapId receiver = live.world.grant(server, live.world.make_receiver(endpoint));
        live.start(server, [this, receiver](Loop& loop) {
            auto service = Service::create(loop, Client{loop, receiver}, {.buffers = 4, .buffer_bytes = 4200});
            REQUIRE(service);
            FakeConsole console{loop, typed, output};
            (*service)->set_root(console);
            REQUIRE(loop.run(until_end(loop, output)));
        });
        std::array<std::byte, 1024> message;
        StartMessageBuilder builder{message};
        builder.capability("console", idl::Console::kInterfaceId, live.world.grant(person, live.world.make_facet(endpoint, 1)));
        builder.capability("silent", idl::Console::kInterfaceId, live.world.grant(person, live.world.make_facet(silent, 1)));
        builder.capability("account", idl::Account::kInterfaceId, live.world.grant(person, live.world.account));
        builder.capability("clock", idl::Clock::kInterfaceId, live.world.grant(person, live.world.clock));
        builder.capability("odd", 0x1234, live.world.grant(person, live.world.clock));
        const auto start = StartMessage::parse(*builder.finish());
        REQUIRE(start);
        live.start(person, [this, &start](Loop& loop) {
            Grants grants{loop, *start};
            shell::Terminal terminal{loop, *grants.find<idl::Console>("console")};
            shell::Tracer tracer{grants};
            shell::Session session{grants, terminal, tracer};
            terminal.start();
            Running shell{session.run()};
            shell.start();
            REQUIRE(loop.run(until_end(loop, output)));
        });
        live.finish();
        return output;
    }

    // Ends with the test: a task that is destroyed where it waits.
    struct Running final : Continuation {
        explicit Running(Task<void> task) : task{std::move(task)} {}
        void start() { task.start(*this).resume(); }
        std::coroutine_handle<> proceed() override { return std::noop_coroutine(); }
        Task<void> task;
    };

    static Task<void> until_end(Loop& loop, std::string& output) {
        for (int i = 0; i < 10'000 && output.find("\nthe end\r\n") == std::string::npos; ++i) co_await sleep_for(loop, kMs);
        co_await sleep_for(loop, 5 * kMs);
        co_return done;
    }
};

// The lines, each typed at its prompt.
std::vector<Typed> at_prompt(std::initializer_list<const char*> lines) {
    std::vector<Typed> typed;
    for (const char* line : lines) typed.push_back({"capos> ", std::string{line} + "\n"});
    return typed;
}

bool contains(const std::string& text, std::string_view part) {
    INFO(text);
    const bool found = text.find(part) != std::string::npos;
    CHECK(found);
    return found;
}

}  // namespace

TEST_CASE("a method of a kernel object is called from its schema, and what it returns can be called", "[shell]") {
    Fixture f;
    const std::string output = f.run(at_prompt({
        "call account.createMemory (bytes = 8192)",
        "memory.write (offset = 10, data = \"a\\x1bb\")",
        "memory.read (offset = 9, length = 4)",
        "memory.size",
        "account.derive (capability = $memory)",
        "drop memory",
        "memory.seal",
    }));
    contains(output, "(memory = $memory)\r\n");
    contains(output, "(data = 0x\"00 61 1b 62\")\r\n");
    contains(output, "(bytes = 8192, sealed = false)\r\n");
    contains(output, "(capability = $capability)\r\n");
    contains(output, "there is no capability memory; `caps` lists them\r\n");
}

TEST_CASE("what is wrong with a call is said where it is wrong, and nothing is called", "[shell]") {
    Fixture f;
    const std::string output = f.run(at_prompt({
        "clock.later",
        "account.createMemory (byts = 1)",
        "account.derive (capability = $nothing)",
        "account.createMemory (bytes = 5)",
        "odd.now",
        "nonsense",
        "status",
    }));
    contains(output, "             ^\r\nClock has no method later; `methods clock` lists them\r\n");
    contains(output, "no field is called byts; there are bytes\r\n");
    contains(output, "there is no capability nothing; `caps` lists them\r\n");
    contains(output, "bad_argument\r\n");
    contains(output, "nobody knows the schema of interface 0x1234\r\n");
    contains(output, "there is no command nonsense; `help` lists them\r\ncapos> status\r\n2\r\n");
}

TEST_CASE("a traced capability works as the one behind it, and shows each message", "[shell]") {
    Fixture f;
    const std::string output = f.run(at_prompt({
        "trace account as watched",
        "watched.createMemory (bytes = 4096)",
        "memory.size",
        "watched.createMemory (bytes = 1)",
        "drop watched",
        "caps",
    }));
    contains(output, "$watched passes everything on to account, and prints it.\r\n");
    contains(output, "watched #1 createMemory (bytes = 4096)\r\n");
    contains(output, "watched #1 = (memory = <cap 0>)\r\n");
    contains(output, "(memory = $memory)\r\n");
    contains(output, "(bytes = 4096, sealed = false)\r\n");
    contains(output, "watched #2 createMemory (bytes = 1)\r\n");
    contains(output, "watched #2 failed, bad_argument\r\n");
    CHECK(output.rfind("watched") < output.rfind("capos> caps"));
}

TEST_CASE("Ctrl-C ends a call that waits for ever, and the shell goes on", "[shell]") {
    Fixture f;
    std::vector<Typed> typed = at_prompt({"silent.read (max = 1)"});
    typed.push_back({"(max = 1)", "\x03"});
    typed.push_back({"capos> ", "\n"});
    typed.push_back({"capos> ", "status\n"});
    const std::string output = f.run(std::move(typed));
    contains(output, "^C\r\n");
    CHECK(output.find("^C") == output.rfind("^C"));  // the empty line keeps the status, but was not interrupted
    contains(output, "capos> status\r\n130\r\n");
}

TEST_CASE("Ctrl-C that is typed right behind a line ends its command", "[shell]") {
    Fixture f;
    const std::string output = f.run({{"capos> ", "silent.read (max = 1)\nechoes\n\x03"}, {"capos> ", "status\n"}});
    contains(output, "capos> status\r\n130\r\n");
    CHECK(output.find("echoes") == std::string::npos);
}

TEST_CASE("for machines the shell writes neither prompt nor echo, but a status after each line", "[shell]") {
    Fixture f;
    f.typed = {};
    std::vector<Typed> typed = at_prompt({"script t1"});
    typed.push_back({"[t1 0]\r\n", "echo one  two\nnonsense\n\nclock.now (x = 1)\nscript\n"});
    const std::string output = f.run(std::move(typed));
    contains(output, "[t1 0]\r\none two\r\n[t1 0]\r\nthere is no command nonsense; `help` lists them\r\n[t1 2]\r\n[t1 2]\r\n"
                     "there are no fields here\r\n[t1 2]\r\n");
}
