// world.h - what every test program has: the roots of authority that the first process is given, its log lines, and the end.
//
// A test program defines `test_main`; support/world.cc calls it, prints `TEST done N`, and switches the machine off. Programs
// have no mutable globals, so that their image is one sealed memory which any number of child processes share (child.h).
#pragma once

#include "runtime/ring/log.h"
#include "runtime/ring/program.h"
#include "support/objects.h"

namespace capos::test {

using runtime::Environment;
using runtime::Hex;

class World {
public:
    explicit World(Environment& environment);
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    Ring& ring;
    Caller& caller;
    const CapId account, process, space, thread, clock, platform, power, kernel_log, entropy, profile, ports, interrupts;

    // One check, one line. `reason` are the pieces of what is wrong, only looked at when it is.
    template <typename... Reason>
    void check(std::string_view name, bool good, const Reason&... reason) {
        ++checks_;
        if (good) {
            log_.info("TEST ", name, " ok");
        } else {
            log_.info("TEST ", name, " FAILED: ", reason...);
        }
    }
    // A check that an operation failed in one way only.
    template <typename T>
    void check_error(std::string_view name, const Expected<T>& result, Status wanted) {
        check(name, !result && result.error() == wanted, "wanted ", wanted, ", got ", result ? Status::ok : result.error());
    }
    template <typename T>
    void check_ok(std::string_view name, const Expected<T>& result) {
        check(name, result.has_value(), result ? Status::ok : result.error());
    }
    template <typename... Pieces>
    void say(const Pieces&... pieces) {
        log_.info(pieces...);
    }

    u64 now() { return test::now(caller, clock).value_or(0); }
    void sleep(u64 ns) { (void)ring.perform(runtime::entry::timer(now() + ns)); }
    u64 free_frames() { return test::free_frames(caller, platform).value_or(0); }
    // What the kernel takes down in the background is given a second to be taken down.
    bool frames_return_to(u64 frames);
    bool charges_return_to(const idl::Account::Usage::Results& usage);  // of `account`
    u32 cpus();

    // The last line, and the end of the machine.
    [[noreturn]] void finish();

private:
    runtime::Log log_;
    u32 checks_{};
};

// Defined by the test program.
void test_main(World& world);

}  // namespace capos::test
