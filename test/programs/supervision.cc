// supervision - checks, from inside the system, that init keeps its services alive: kills them in every way and looks at what
// their clients see. Granted: `victim`, `looper` (Console facets), `supervisor`. Ends by shutting the system down.
#include <cstdio>
#include <string>

#include "idl/console.h"
#include "idl/supervisor.h"
#include "runtime/program/server.h"

namespace capos::test {

namespace {

using runtime::attempt;
using runtime::Loop;
using runtime::Task;

constexpr u64 kMs = 1'000'000, kSecond = 1000 * kMs;
constexpr int kKills = 40;

int checks = 0;

void check(const char* name, bool holds, const std::string& why = "see the program") {
    ++checks;
    std::fprintf(stderr, "TEST %s %s\n", name, holds ? "ok" : ("FAILED: " + why).c_str());
}

struct Info {
    idl::ServiceState state{};
    u64 instances{}, process{};
    u32 deaths{};
    idl::EndCause last_end{};
};

class Checks {
public:
    explicit Checks(Loop& loop, idl::Console::Client victim, idl::Console::Client looper, idl::Supervisor::Client supervisor)
        : loop_{loop}, victim_{std::move(victim)}, looper_{std::move(looper)}, supervisor_{std::move(supervisor)} {}

    Task<void> run() {
        co_await works();
        co_await crashes();
        co_await many_kills();
        co_await hangs();
        co_await loops();
        co_await operators();
        co_await processes();
        co_return done;
    }
    Task<void> shut_down() {
        co_await supervisor_.shut_down(false);
        co_return done;
    }

private:
    static std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span{text}); }

    // What reading gives after `text` was written; the error's name when one of both fails.
    Task<std::string> echo(std::string text) {
        const auto written = co_await attempt(victim_.write(bytes(text)).within(20 * kSecond));
        if (!written) co_return std::string{runtime::name_of(written.error().status)};
        const auto read = co_await attempt(victim_.read(100).within(20 * kSecond));
        if (!read) co_return std::string{runtime::name_of(read.error().status)};
        co_return std::string{reinterpret_cast<const char*>(read->data.data()), read->data.size()};
    }
    Task<Info> info(std::string name) {
        const auto all = co_await supervisor_.services();
        for (const idl::ServiceInfo one : all.services) {
            if (one.name == name) {
                co_return Info{one.state, one.instances, one.process, one.deaths, one.last_end};
            }
        }
        co_return Info{};
    }
    Task<bool> comes_to(std::string name, idl::ServiceState state) {
        for (int i = 0; i < 200; ++i) {
            if ((co_await info(name)).state == state) co_return true;
            co_await sleep_for(loop_, 50 * kMs);
        }
        co_return false;
    }

    Task<void> works() {
        check("supervise.call", co_await echo("hello") == "hello");
        check("supervise.client_has_a_name", co_await echo("who") == "supervision", co_await echo("who"));
        check("supervise.first_instance", (co_await info("victim")).instances == 1);
        check("supervise.job_is_finished", (co_await info("job")).state == idl::ServiceState::finished);
        co_return done;
    }

    Task<void> crashes() {
        const std::string during = co_await echo("crash");
        check("supervise.call_during_crash_is_disconnected", during == "disconnected", during);
        const std::string after = co_await echo("again");
        check("supervise.delegated_facet_works_after_crash", after == "again", after);
        const Info now = co_await info("victim");
        check("supervise.new_instance", now.instances == 2 && now.deaths == 1 && now.last_end == idl::EndCause::crash);
        const auto crash = co_await supervisor_.crash("victim");
        check("supervise.crash_record_kept", crash.record.size() >= 176 && crash.at_ns != 0);
        co_return done;
    }

    Task<void> many_kills() {
        const auto before = co_await supervisor_.processes();
        const u64 init_before = before.processes[0].memory_kib;
        int wrong = 0;
        for (int i = 0; i < kKills; ++i) {
            co_await sleep_for(loop_, static_cast<u64>(15 + i % 7 * 5) * kMs);  // time to work, and to be seen working
            (void)co_await echo(i % 3 == 0 ? "exit" : "crash");
            if (co_await echo("alive") != "alive") ++wrong;
        }
        check("supervise.forty_kills", wrong == 0, std::to_string(wrong) + " of 40 did not come back");
        const auto after = co_await supervisor_.processes();
        const u64 init_after = after.processes[0].memory_kib;
        check("supervise.accounts_balance", init_after == init_before,
              std::to_string(init_before) + " KiB before, " + std::to_string(init_after) + " after");
        co_return done;
    }

    Task<void> hangs() {
        const u64 start = loop_.now();
        const std::string during = co_await echo("hang");
        const u64 took = loop_.now() - start;
        check("supervise.hung_service_is_killed", during == "disconnected" && took < 8 * kSecond,
              during + " after " + std::to_string(took / kMs) + " ms");
        check("supervise.hung_service_comes_back", co_await echo("back") == "back");
        check("supervise.hang_is_the_cause", (co_await info("victim")).last_end == idl::EndCause::hung);
        co_return done;
    }

    Task<void> loops() {
        check("supervise.crash_loop_is_parked", co_await comes_to("looper", idl::ServiceState::parked));
        const auto call = co_await attempt(looper_.write(bytes("x")));
        check("supervise.parked_is_down", !call && call.error().status == Status::disconnected);
        const Info parked = co_await info("looper");
        check("supervise.parked_after_its_restarts", parked.instances == 4 && parked.deaths == 4);
        check("supervise.missed_ready_deadline", co_await comes_to("mute", idl::ServiceState::parked) &&
                                                     (co_await info("mute")).last_end == idl::EndCause::not_ready);
        co_return done;
    }

    Task<void> operators() {
        check("supervise.unknown_name", !co_await attempt(supervisor_.stop("nobody")));
        const u64 before = (co_await info("victim")).process;
        co_await supervisor_.restart("victim");
        for (int i = 0; i < 100 && (co_await info("victim")).process == before; ++i) co_await sleep_for(loop_, 50 * kMs);
        check("supervise.restart", (co_await info("victim")).process != before && co_await echo("restarted") == "restarted");
        co_await supervisor_.stop("victim");
        check("supervise.stop", co_await comes_to("victim", idl::ServiceState::stopped));
        check("supervise.stopped_is_down", co_await echo("x") == "disconnected");
        check("supervise.stop_twice_is_refused", !co_await attempt(supervisor_.stop("victim")));
        co_await supervisor_.start("victim");
        check("supervise.start", co_await echo("started") == "started");
        co_return done;
    }

    Task<void> processes() {
        const auto all = co_await supervisor_.processes();
        bool seen = false;
        for (const idl::ProcessInfo one : all.processes) {
            if (one.name != "supervision") continue;
            seen = one.threads == 1 && one.memory_kib != 0 && one.memory_kib <= one.memory_limit_kib;
        }
        check("supervise.processes", seen && all.processes[0].name == "init");
        co_return done;
    }

    Loop& loop_;
    idl::Console::Client victim_, looper_;
    idl::Supervisor::Client supervisor_;
};

}  // namespace

}  // namespace capos::test

capos::runtime::Task<void> capos::runtime::program_main(Grants& grants) {
    co_await ready(grants);
    test::Checks checks{grants.loop(), co_await grants.find<idl::Console>("victim"),
                        co_await grants.find<idl::Console>("looper"),
                        co_await grants.find<idl::Supervisor>("supervisor")};
    co_await checks.run();
    std::fprintf(stderr, "TEST done %d\n", test::checks);
    co_await checks.shut_down();
    co_await forever(grants.loop());
    co_return done;
}
