// attacks.h - what the hostile processes of the attack tests do. Each attack runs in a process of its own, with an account of
// its own, next to a server that must not notice. It returns 0 when everything it tried was refused as it should be, else the
// number of the step that was not.
#pragma once

#include "support/puppet.h"

namespace capos::test {

// In a hostile process: its capabilities, and ways to use them.
class Hostile {
public:
    explicit Hostile(Environment& environment);

    Environment& environment;
    Ring& ring;
    Caller& caller;
    const CapId account, process, space, thread, facet, clock, log, notification;

    u64 now() { return test::now(caller, clock).value_or(0); }
    // How the kernel ends an entry, or what the ring client says.
    Status outcome(const abi::Submission& entry);
    Status outcome_of_call(CapId target, u64 interface_id, u16 method, u32 length = 0);
    // A second thread in this process, on a stack of its own. Errors: those of the methods it takes.
    Expected<CapId> second_thread(void (*entry)(u64 argument, std::byte* region), u64 argument);
};

// The status with which a call ended; ok if it did not fail.
template <typename T>
Status status_of(const Expected<T>& result) {
    return result ? Status::ok : result.error();
}

using AttackFunction = u64 (*)(Hostile& hostile);

struct Attack {
    std::string_view name;
    AttackFunction function;
    // How it ends. kReturns: by itself, with exit code 0; kKilled: without a crash; else the cause of its crash.
    u32 ending;
    // What we do while it runs.
    void (*meanwhile)(World& world, Child& child, CapId account, Puppeteer& puppeteer, CapId facet);
};
inline constexpr u32 kReturns = 1000, kKilled = 1001;

// By subject, one list for each file.
std::span<const Attack> attacks_on_names();
std::span<const Attack> attacks_on_rings();
std::span<const Attack> attacks_on_accounts();
std::span<const Attack> attacks_on_peers();

}  // namespace capos::test
