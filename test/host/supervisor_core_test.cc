// The supervisor's decisions, one rule at a time. Random histories are in supervisor_model_test.cc.
#include <new>

#include <catch2/catch.hpp>

#include "host/support/manifests.h"
#include "servers/init/supervisor_core.h"

using namespace capos;
using namespace capos::init;
using namespace capos::test;

namespace {

using Kind = Action::Kind;

enum Service : usize { kUart, kLog, kShell };  // shell waits for both, log for uart

constexpr u64 kMs = SupervisorCore::kMillisecond, kSec = SupervisorCore::kSecond;

// What was said since the last time, as "spawn 0, kill 1".
std::string said(SupervisorCore& core) {
    constexpr const char* kNames[] = {"spawn", "ping", "ask", "kill", "up", "down", "parked", "rescue", "boot_complete",
                                      "shut_down"};
    std::string text;
    while (const auto action = core.next_action()) {
        text += (text.empty() ? "" : ", ") + std::string{kNames[static_cast<usize>(action->kind)]};
        const bool of_all = action->kind == Kind::boot_complete || action->kind == Kind::shut_down;
        if (!of_all) text += " " + std::to_string(action->service);
    }
    return text;
}

SupervisorCore small_core() { return SupervisorCore{rules_of(small_manifest())}; }

ServiceState state(const SupervisorCore& core, ServiceIndex service) { return core.status(service).state; }
u64 incarnation(const SupervisorCore& core, ServiceIndex service) { return core.status(service).incarnation; }

void make_ready(SupervisorCore& core, ServiceIndex service, u64 now) { core.ready(service, incarnation(core, service), now); }
void end(SupervisorCore& core, ServiceIndex service, u64 now, EndCause cause = EndCause::crash) {
    core.ended(service, incarnation(core, service), cause, now);
}

// All three are ready at time 0.
SupervisorCore running_core() {
    SupervisorCore core = small_core();
    core.boot(0);
    for (const Service service : {kUart, kLog, kShell}) make_ready(core, service, 0);
    (void)said(core);
    return core;
}

}  // namespace

TEST_CASE("services start in the order of their dependencies, and boot is complete when all are ready") {
    SupervisorCore core = small_core();
    core.boot(0);
    CHECK(said(core) == "spawn 0");
    make_ready(core, kUart, 1);
    CHECK(said(core) == "spawn 1");
    CHECK_FALSE(core.booted());
    make_ready(core, kLog, 2);
    CHECK(said(core) == "spawn 2");
    make_ready(core, kShell, 3);
    CHECK(said(core) == "boot_complete");
    CHECK(core.booted());
}

TEST_CASE("services that wait for nothing start together") {
    Manifest manifest = small_manifest();
    manifest.services[kLog].grants.clear();
    manifest.services[kShell].grants.clear();
    SupervisorCore core{rules_of(manifest)};
    core.boot(0);
    CHECK(said(core) == "spawn 0, spawn 1, spawn 2");
}

TEST_CASE("the first restart is immediate, and does not wait for what the first start waited for") {
    SupervisorCore core = running_core();
    end(core, kUart, 5);
    CHECK(said(core) == "spawn 0");
    end(core, kLog, 6);
    CHECK(said(core) == "spawn 1");
    CHECK(core.status(kLog).deaths == 1);
    CHECK(core.status(kLog).last_end == EndCause::crash);
}

TEST_CASE("further restarts back off from 10 ms to 10 s") {
    Manifest manifest = small_manifest();
    manifest.services[kUart].restart = {.times = kRestartTimesMax, .window_s = 3600};
    SupervisorCore core{rules_of(manifest)};
    core.boot(0);
    (void)said(core);
    u64 now = 0, expected = 0;
    for (int death = 0; death < 16; ++death) {
        CAPTURE(death);
        end(core, kUart, now);
        if (expected != 0) {
            CHECK(state(core, kUart) == ServiceState::backing_off);
            CHECK(core.next_deadline() == now + expected);
            core.advance(now + expected - 1);
            CHECK(said(core).empty());
        }
        now += expected;
        core.advance(now);
        CHECK(said(core) == "spawn 0");
        expected = std::min(expected == 0 ? 10 * kMs : expected * 2, 10 * kSec);
    }
}

TEST_CASE("an instance that completed a call and lived for a while begins the back-off anew") {
    SupervisorCore core = running_core();
    u64 now = 0;
    for (int death = 0; death < 50; ++death) {
        core.completed_call(kUart, incarnation(core, kUart));
        now += 10 * kMs;
        end(core, kUart, now);
        CHECK(said(core) == "spawn 0");
    }
    core.completed_call(kUart, incarnation(core, kUart));
    end(core, kUart, now + 1);  // too soon: this one waits
    CHECK(state(core, kUart) == ServiceState::backing_off);
}

TEST_CASE("a service that keeps dying without doing work is parked, and its endpoints go down") {
    SupervisorCore core = running_core();
    u64 now = 0;
    for (u32 death = 0; death < kRestartTimesDefault; ++death) {
        end(core, kLog, now);
        now = std::max(now + 1, core.next_deadline() < kSec ? core.next_deadline() : now + 1);
        core.advance(now);
        CHECK(said(core) == "spawn 1");
    }
    end(core, kLog, now);
    CHECK(said(core) == "down 1, parked 1");
    CHECK(state(core, kLog) == ServiceState::parked);
    core.advance(now + 3600 * kSec);
    CHECK(said(core).find("spawn") == std::string::npos);
    CHECK(core.start(kLog, now));
    CHECK(said(core) == "up 1, spawn 1");
}

TEST_CASE("deaths after a completed call, and deaths long ago, do not park") {
    SupervisorCore core = running_core();
    u64 now = 0;
    const auto die = [&](bool worked, u64 later) {
        if (worked) core.completed_call(kLog, incarnation(core, kLog));
        now += later;
        end(core, kLog, now);
        if (state(core, kLog) == ServiceState::backing_off) core.advance(now += 10 * kSec);
        return state(core, kLog) == ServiceState::starting;
    };
    for (int death = 0; death < 20; ++death) CHECK(die(true, 1));
    for (int death = 0; death < 20; ++death) CHECK(die(false, 15 * kSec));
    u32 more = 0;
    while (die(false, 1)) ++more;
    CHECK(more < kRestartTimesDefault);
}

TEST_CASE("a service that is not ready in time is killed, which counts like a crash") {
    SupervisorCore core = small_core();
    core.boot(0);
    (void)said(core);
    CHECK(core.next_deadline() == 10 * kSec);
    core.advance(10 * kSec);
    CHECK(said(core) == "kill 0");
    end(core, kUart, 10 * kSec + 1, EndCause::exit_failed);
    CHECK(core.status(kUart).last_end == EndCause::not_ready);
    CHECK(said(core) == "spawn 0");
}

TEST_CASE("a service that misses three pings is killed and restarted") {
    SupervisorCore core = running_core();
    u64 now = 0;
    for (int ping = 0; ping < 3; ++ping) {
        core.advance(now += kSec);
        CHECK(said(core) == "ping 0, ping 1, ping 2");
        core.answered_ping(kLog, 1);
        core.answered_ping(kShell, 1);
    }
    core.advance(now += kSec);
    CHECK(said(core) == "kill 0, ping 1, ping 2");
    end(core, kUart, now, EndCause::exit_failed);
    CHECK(core.status(kUart).last_end == EndCause::hung);
    CHECK(said(core) == "spawn 0");
}

TEST_CASE("an answer to the third ping is in time, and an answer of the instance before is none") {
    for (const u64 answering : {u64{1}, u64{0}}) {
        SupervisorCore core = running_core();
        for (u64 second = 1; second <= 3; ++second) {
            core.advance(second * kSec);
            core.answered_ping(kLog, 1);
            core.answered_ping(kShell, 1);
        }
        core.answered_ping(kUart, answering);
        (void)said(core);
        core.advance(4 * kSec);
        CHECK(said(core) == (answering == 1 ? "ping 0, ping 1, ping 2" : "kill 0, ping 1, ping 2"));
    }
}

TEST_CASE("a service is not blamed for a hang of one with higher priority") {
    SupervisorCore core = running_core();
    u64 now = 0;
    for (int second = 0; second < 4; ++second) core.advance(now += kSec);  // uart hangs and leaves no time to the others
    CHECK(said(core).ends_with("kill 0, ping 1, ping 2"));
    end(core, kUart, now);
    make_ready(core, kUart, now);
    for (const Service service : {kLog, kShell}) core.answered_ping(service, 1);
    core.advance(now += kSec);
    CHECK(said(core) == "spawn 0, ping 0, ping 1, ping 2");
    core.answered_ping(kUart, 2);
    core.answered_ping(kLog, 1);  // and now the shell hangs by itself
    for (int second = 0; second < 3; ++second) {
        core.advance(now += kSec);
        core.answered_ping(kUart, 2);
        core.answered_ping(kLog, 1);
    }
    CHECK(said(core).ends_with("kill 2"));
}

TEST_CASE("a manifest can switch pings off") {
    Manifest manifest = small_manifest();
    for (ServiceEntry& one : manifest.services) one.no_ping = true;
    SupervisorCore core{rules_of(manifest)};
    core.boot(0);
    for (const Service service : {kUart, kLog, kShell}) make_ready(core, service, 0);
    CHECK(core.next_deadline() == SupervisorCore::kNever);
}

TEST_CASE("what an instance says after its end is ignored") {
    SupervisorCore core = running_core();
    end(core, kUart, 1);
    (void)said(core);
    core.ended(kUart, 1, EndCause::crash, 2);
    core.ready(kUart, 1, 2);
    core.completed_call(kUart, 1);
    CHECK(said(core).empty());
    CHECK(state(core, kUart) == ServiceState::starting);
    CHECK(core.status(kUart).deaths == 1);
}

TEST_CASE("exit code 0 ends a service for good only where the manifest says so") {
    Manifest manifest = small_manifest();
    manifest.services[kUart].restart.on = RestartOn::crash;
    manifest.services[kLog].restart.on = RestartOn::never;
    SupervisorCore core{rules_of(manifest)};
    core.boot(0);
    (void)said(core);
    end(core, kUart, 1, EndCause::exit_ok);  // its work is done: who waits for it goes on
    CHECK(said(core) == "down 0, spawn 1");
    CHECK(state(core, kUart) == ServiceState::finished);
    end(core, kLog, 2, EndCause::exit_failed);
    CHECK(said(core) == "down 1, parked 1, boot_complete");
    CHECK(core.restart(kLog, 3));
    CHECK(said(core) == "up 1, spawn 1");
    make_ready(core, kLog, 4);
    CHECK(said(core) == "spawn 2");
    end(core, kShell, 5, EndCause::exit_ok);
    CHECK(said(core) == "spawn 2");
}

TEST_CASE("a required service that is parked at boot asks for the rescue prompt, once") {
    Manifest manifest = small_manifest();
    manifest.services[kUart].restart.on = RestartOn::never;
    SupervisorCore core{rules_of(manifest)};
    core.boot(0);
    (void)said(core);
    end(core, kUart, 1, EndCause::spawn_failed);
    CHECK(said(core) == "down 0, parked 0, rescue 0");
    CHECK_FALSE(core.booted());
    core.advance(100 * kSec);
    CHECK(said(core).empty());
    CHECK(core.start(kUart, 2));  // from the prompt: the system can still come up
    for (const Service service : {kUart, kLog, kShell}) make_ready(core, service, 3);
    CHECK(said(core) == "up 0, spawn 0, spawn 1, spawn 2, boot_complete");
}

TEST_CASE("a required service that waits for a parked one asks for the rescue prompt") {
    Manifest manifest = small_manifest();
    manifest.services[kUart].required = false;
    manifest.services[kUart].restart.on = RestartOn::never;
    manifest.services[kShell].required = true;
    SupervisorCore core{rules_of(manifest)};
    core.boot(0);
    end(core, kUart, 1);
    CHECK(said(core) == "spawn 0, down 0, parked 0, rescue 2");
}

TEST_CASE("a required service that is parked later leaves the system up") {
    SupervisorCore core = running_core();
    for (u64 now = 0; state(core, kUart) != ServiceState::parked; now += kMs) {
        if (state(core, kUart) == ServiceState::starting || state(core, kUart) == ServiceState::ready) end(core, kUart, now);
        core.advance(now);
    }
    const std::string all = said(core);
    CHECK(all.find("rescue") == std::string::npos);
    CHECK(all.find("parked 0") != std::string::npos);
    CHECK(state(core, kShell) == ServiceState::ready);
}

TEST_CASE("operators stop, start and restart services") {
    SupervisorCore core = running_core();
    CHECK_FALSE(core.start(kLog, 1));
    CHECK(core.stop(kLog, 1));
    CHECK(said(core) == "ask 1");
    core.advance(1 + kSec);  // it does not listen
    CHECK(said(core) == "ping 0, kill 1, ping 2");
    end(core, kLog, 2 * kSec, EndCause::exit_ok);
    CHECK(said(core) == "down 1");
    CHECK(core.status(kLog).last_end == EndCause::stopped);
    CHECK_FALSE(core.stop(kLog, 3 * kSec));
    CHECK(core.start(kLog, 3 * kSec));
    CHECK(said(core) == "up 1, spawn 1");
    CHECK(core.restart(kLog, 4 * kSec));
    CHECK(said(core) == "ask 1");
    end(core, kLog, 4 * kSec, EndCause::exit_ok);
    CHECK(said(core) == "spawn 1");
    CHECK(core.status(kLog).deaths == 0);
    CHECK(core.stop(kLog, 5 * kSec));
    CHECK(core.start(kLog, 5 * kSec));  // changed their mind before it ended
    end(core, kLog, 5 * kSec, EndCause::exit_ok);
    CHECK(said(core) == "ask 1, spawn 1");
}

TEST_CASE("a restart waits for what it needs") {
    Manifest manifest = small_manifest();
    manifest.services[kShell].restart.needs = {"log"};
    SupervisorCore core{rules_of(manifest)};
    core.boot(0);
    for (const Service service : {kUart, kLog, kShell}) make_ready(core, service, 0);
    (void)said(core);
    end(core, kLog, 1);
    end(core, kShell, 1);
    CHECK(said(core) == "spawn 1");
    make_ready(core, kLog, 2);
    CHECK(said(core) == "spawn 2");
}

TEST_CASE("services shut down in reverse order, those that take too long are killed") {
    SupervisorCore core = running_core();
    core.shut_down(0);
    CHECK(said(core) == "ask 2");
    end(core, kShell, 1, EndCause::exit_ok);
    CHECK(said(core) == "down 2, ask 1");
    core.advance(1 + kSec);
    CHECK(said(core) == "ping 0, kill 1");
    end(core, kLog, 2 * kSec, EndCause::crash);
    CHECK(said(core) == "down 1, ask 0");
    end(core, kUart, 2 * kSec, EndCause::exit_ok);
    CHECK(said(core) == "down 0, shut_down");
    CHECK_FALSE(core.start(kUart, 3 * kSec));
    CHECK_FALSE(core.restart(kUart, 3 * kSec));
    core.advance(100 * kSec);
    CHECK(said(core).empty());
}

TEST_CASE("a shutdown in the middle of a start or a back-off comes to its end") {
    SupervisorCore core = small_core();
    core.boot(0);
    end(core, kUart, 1);
    end(core, kUart, 2);
    CHECK(state(core, kUart) == ServiceState::backing_off);
    (void)said(core);
    core.shut_down(3);
    CHECK(said(core) == "down 0, down 1, down 2, shut_down");
}

TEST_CASE("the rules of a service follow from the manifest") {
    Manifest manifest = small_manifest();
    manifest.services[kShell].restart = {.on = RestartOn::crash, .times = 7, .window_s = 9, .needs = {"log"}};
    manifest.services[kShell].ready_ms = 11;
    manifest.services[kShell].stop_ms = 12;
    const std::vector<ServiceRules> rules = rules_of(manifest);
    CHECK(rules[kUart].window == 60 * kSec);
    CHECK(rules[kUart].ready_timeout == 10 * kSec);
    CHECK(rules[kUart].stop_timeout == kSec);
    CHECK(rules[kUart].required);
    CHECK(rules[kUart].stop_after == std::vector<ServiceIndex>{kLog, kShell});
    CHECK(rules[kShell].restart_times == 7);
    CHECK(rules[kShell].window == 9 * kSec);
    CHECK(rules[kShell].ready_timeout == 11 * kMs);
    CHECK(rules[kShell].stop_timeout == 12 * kMs);
    CHECK(rules[kShell].start_after == std::vector<ServiceIndex>{kUart, kLog});
    CHECK(rules[kShell].restart_after == std::vector<ServiceIndex>{kLog});
}
