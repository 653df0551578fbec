// Random histories of a supervised system: services that crash, hang, dawdle and refuse to end, operators that interfere, and
// in the end a shutdown. Whatever happens, the supervisor keeps its promises. A failing run names its seed.
#include <new>

#include <catch2/catch.hpp>
#include <random>

#include "servers/init/supervisor_core.h"

using namespace capos;
using namespace capos::init;

namespace {

constexpr u64 kMs = SupervisorCore::kMillisecond, kSec = SupervisorCore::kSecond;

// How instances of one service behave, each drawn by lot.
struct Nature {
    unsigned spawn_fails, never_ready, crashes, hangs, deaf;  // percent
};

struct Instance {
    bool alive{};
    u64 incarnation{};
    bool hung{}, deaf{}, worked{};
    u64 ready_at{}, dies_at{}, hangs_at{}, ends_at{};  // kNever: not
    bool killed{};
    u64 ready_since{};
};

class History {
public:
    explicit History(u64 seed) : random_{seed}, core_{make_rules()} {}

    void run() {
        core_.boot(now_);
        obey();
        const u64 end = 120 * kSec;
        while (now_ < end) step(true);
        core_.shut_down(now_);
        shut_down_at_ = now_;
        obey();
        // Each service takes its stop timeout and a step at most, one after the other at the worst.
        const u64 limit = now_ + instances_.size() * 2 * kSec + kSec;
        while (!shut_down_ && now_ < limit) step(false);
        CHECK(shut_down_);
        for (const Instance& instance : instances_) CHECK_FALSE(instance.alive);
        core_.advance(now_ + 1000 * kSec);
        CHECK_FALSE(core_.next_action());
    }

    // What has happened in all histories together: a test that never parks anything tests no parking.
    struct Seen {
        u64 spawns, restarts, kills, pings, parked, rescues, boots, hung;
    };
    static Seen& seen() {
        static Seen counted{};
        return counted;
    }

private:
    u64 draw(u64 end) { return std::uniform_int_distribution<u64>{0, end - 1}(random_); }
    bool percent(unsigned chance) { return draw(100) < chance; }

    std::vector<ServiceRules> make_rules() {
        const usize count = 1 + draw(8);
        std::vector<ServiceRules> rules(count);
        for (usize i = 0; i < count; ++i) {
            ServiceRules& one = rules[i];
            one.restart_on = percent(70) ? RestartOn::any_end : percent(50) ? RestartOn::crash : RestartOn::never;
            one.restart_times = static_cast<u32>(draw(6));
            one.priority = static_cast<u8>(31 - i);  // servers above their clients
            one.window = (1 + draw(60)) * kSec;
            one.ready_timeout = (1 + draw(10)) * kSec;
            one.stop_timeout = (1 + draw(1000)) * kMs;
            one.ping = percent(80);
            one.required = percent(40);
            one.manual = !one.required && percent(10);
            for (usize j = 0; j < i; ++j) {
                if (!percent(30) || rules[j].manual) continue;
                one.start_after.push_back(j);
                rules[j].stop_after.push_back(i);
                if (percent(20)) one.restart_after.push_back(j);
            }
        }
        // Some systems are well, some have a rotten service or two.
        for (usize i = 0; i < count; ++i) {
            natures_.push_back(percent(60) ? Nature{} : Nature{.spawn_fails = static_cast<unsigned>(draw(60)),
                                                                .never_ready = static_cast<unsigned>(draw(40)),
                                                                .crashes = static_cast<unsigned>(draw(101)),
                                                                .hangs = static_cast<unsigned>(draw(60)),
                                                                .deaf = static_cast<unsigned>(draw(60))});
        }
        instances_.resize(count);
        idle_deaths_.resize(count);
        rules_ = rules;
        return rules;
    }

    void step(bool operators) {
        now_ += 1 + draw(percent(50) ? 5 * kMs : 300 * kMs);
        const u64 deadline = core_.next_deadline();
        if (deadline < now_) now_ = std::max(deadline, now_ - (now_ - deadline));  // init's timer is on time
        for (ServiceIndex i = 0; i < instances_.size(); ++i) live(i);
        if (core_.next_deadline() <= now_) core_.advance(now_);
        obey();
        if (operators && percent(1)) interfere();
    }

    void live(ServiceIndex i) {
        Instance& it = instances_[i];
        if (it.alive && it.ready_at <= now_ && !it.killed) {
            it.ready_at = SupervisorCore::kNever;
            it.ready_since = now_;
            core_.ready(i, it.incarnation, now_);
            obey();
        }
        if (it.alive && it.hangs_at <= now_) it.hung = true;
        if (it.alive && !it.hung && it.ready_since != 0 && percent(20)) {
            it.worked = true;
            core_.completed_call(i, it.incarnation);
        }
        if (it.alive && it.hung && rules_[i].ping && it.ready_since != 0) {
            // Found within four intervals of the hang, for each priority above that may hide it; a step may be late.
            CHECK(now_ - std::max(it.hangs_at, it.ready_since) < (rules_.size() - i) * 15 * kSec);
        }
        if (it.alive && it.dies_at <= now_ && !it.hung) end(i, percent(20) ? EndCause::exit_ok : EndCause::crash);
        if (it.alive && it.ends_at <= now_) end(i, EndCause::exit_ok);
    }

    void end(ServiceIndex i, EndCause cause) {
        Instance& it = instances_[i];
        it.alive = false;
        const u32 deaths = core_.status(i).deaths;
        idle_deaths_[i].push_back(now_);
        core_.ended(i, it.incarnation, cause, now_);
        if (it.worked || core_.status(i).deaths == deaths) std::erase(idle_deaths_[i], now_);
        if (percent(10)) core_.ended(i, it.incarnation, cause, now_);  // said twice: no harm
        obey();
    }

    void interfere() {
        const ServiceIndex i = draw(instances_.size());
        switch (draw(3)) {
            case 0:
                if (core_.start(i, now_)) idle_deaths_[i].clear();
                break;
            case 1: core_.stop(i, now_); break;
            default:
                core_.restart(i, now_);
                idle_deaths_[i].clear();
        }
        obey();
    }

    void obey() {
        while (const auto action = core_.next_action()) perform(*action);
    }

    void perform(const Action& action) {
        Instance& it = instances_[action.service];
        switch (action.kind) {
            case Action::Kind::spawn: return spawn(action);
            case Action::Kind::ping:
                ++seen().pings;
                CHECK(it.alive);
                if (!it.hung) core_.answered_ping(action.service, action.incarnation);
                return;
            case Action::Kind::ask_to_stop:
                CHECK(action.incarnation == it.incarnation);
                if (!it.hung && !it.deaf) it.ends_at = now_ + draw(100 * kMs);
                return;
            case Action::Kind::kill:
                ++seen().kills;
                if (it.hung) ++seen().hung;
                REQUIRE(it.alive);
                CHECK(action.incarnation == it.incarnation);
                it.killed = true;
                it.hung = false;
                it.ends_at = now_ + 1 + draw(kMs);  // the kernel's promise
                return;
            case Action::Kind::endpoints_up:
            case Action::Kind::endpoints_down:
                CHECK(down_[action.service] == (action.kind == Action::Kind::endpoints_up));
                down_[action.service] = !down_[action.service];
                return;
            case Action::Kind::parked: return parked(action.service);
            case Action::Kind::rescue:
                ++seen().rescues;
                CHECK_FALSE(core_.booted());
                return;
            case Action::Kind::boot_complete:
                ++seen().boots;
                for (ServiceIndex i = 0; i < rules_.size(); ++i) {
                    const ServiceState state = core_.status(i).state;
                    if (rules_[i].required) CHECK((state == ServiceState::ready || state == ServiceState::finished));
                }
                return;
            case Action::Kind::shut_down:
                CHECK_FALSE(shut_down_);
                shut_down_ = true;
                return;
        }
    }

    void spawn(const Action& action) {
        const ServiceIndex i = action.service;
        Instance& it = instances_[i];
        const bool first = it.incarnation == 0;
        ++(first ? seen().spawns : seen().restarts);
        CHECK_FALSE(it.alive);                            // never two instances
        CHECK(action.incarnation == it.incarnation + 1);  // none without its number
        CHECK(shut_down_at_ == 0);
        CHECK_FALSE(down_[i]);
        for (const ServiceIndex other : first ? rules_[i].start_after : rules_[i].restart_after) {
            const ServiceState state = core_.status(other).state;
            CHECK((state == ServiceState::ready || state == ServiceState::finished));
        }
        const Nature& nature = natures_[i];
        it = {.alive = true, .incarnation = action.incarnation};
        it.deaf = percent(nature.deaf);
        it.ready_at = percent(nature.never_ready) ? SupervisorCore::kNever : now_ + draw(200 * kMs);
        it.dies_at = percent(nature.crashes) ? now_ + draw(percent(50) ? 50 * kMs : 20 * kSec) : SupervisorCore::kNever;
        it.hangs_at = percent(nature.hangs) ? now_ + draw(20 * kSec) : SupervisorCore::kNever;
        it.ends_at = SupervisorCore::kNever;
        if (percent(nature.spawn_fails)) end(i, EndCause::spawn_failed);
    }

    void parked(ServiceIndex i) {
        ++seen().parked;
        if (rules_[i].restart_on == RestartOn::never) return;
        // Only after more idle deaths within the window than it is allowed.
        usize within = 0;
        for (const u64 at : idle_deaths_[i]) within += now_ - at <= rules_[i].window ? 1 : 0;
        CHECK(within > rules_[i].restart_times);
        idle_deaths_[i].clear();
    }

    std::mt19937_64 random_;
    std::vector<ServiceRules> rules_;
    std::vector<Nature> natures_;
    std::vector<Instance> instances_;
    std::vector<std::vector<u64>> idle_deaths_;
    bool down_[16]{};
    u64 now_{1};
    u64 shut_down_at_{};
    bool shut_down_{};
    SupervisorCore core_;
};

}  // namespace

TEST_CASE("in any history there is one instance, in order, and every shutdown ends") {
    for (u64 seed = 1; seed <= 400; ++seed) {
        CAPTURE(seed);
        History{seed}.run();
    }
    const History::Seen& seen = History::seen();
    CHECK(seen.spawns > 1000);
    CHECK(seen.restarts > 1000);
    CHECK(seen.kills > 100);
    CHECK(seen.hung > 50);
    CHECK(seen.pings > 1000);
    CHECK(seen.parked > 100);
    CHECK(seen.rescues > 20);
    CHECK(seen.boots > 100);
}
