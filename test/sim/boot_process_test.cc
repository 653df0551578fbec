// The end of the first process is the end of the machine, which says why.
#include "sim/pair.h"

using namespace capos;
using namespace capos::sim;

namespace {

bool stopped(World& w) { return w.machine.cpu(0).where == Where::off; }
bool says(World& w, std::string_view text) { return w.machine.console.find(text) != std::string::npos; }

}  // namespace

TEST_CASE("when the first process exits, the machine restarts and names the exit code") {
    World w;
    w.init.exit(7);
    CHECK(stopped(w));
    CHECK(says(w, "ERROR kernel: the first process, init, has ended with exit code 7: the machine restarts"));
}

TEST_CASE("when the first process crashes, the machine restarts and names the fault, after the crash record") {
    World w;
    w.machine.fault(*w.init.where(), {.vector = 13, .error_code = 5});
    w.machine.settle();
    CHECK(stopped(w));
    CHECK(says(w, "ERROR kernel: the first process, init, has ended by fault 13: the machine restarts"));
    CHECK(w.machine.console.find("WARN crash: init") < w.machine.console.find("ERROR kernel:"));
}

TEST_CASE("when the first process is killed, the CPU that does it stops the machine") {
    World w;
    Spawned killer = w.spawn("killer");
    const abi::CapId victim = w.grant(killer, w.init_self);
    killer.user.push(killer.user.make_call<idl::Process::Kill>(victim, {}));
    killer.user.begin_enter(1);
    CHECK(w.machine.cpu(1).where == Where::off);
    CHECK(says(w, "ERROR kernel: the first process, init, has ended: the machine restarts"));
}

TEST_CASE("the first process may lose threads, and others may end: the machine goes on") {
    World w;
    Spawned init{.process = w.init_self, .space = w.init_space, .object = w.init_process};
    abi::CapId id;
    const User second = w.add_thread(init, id, {.cpu = 2});
    second.exit(1);
    Spawned other = w.spawn("other");
    w.machine.fault(*other.user.where(), {.vector = 6});
    w.check();
    CHECK_FALSE(stopped(w));
    CHECK_FALSE(says(w, "ERROR"));
}
