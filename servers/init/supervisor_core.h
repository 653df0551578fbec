// supervisor_core.h - decides when services start, die, come back, are parked and end. Pure: inputs with the time when they
// happened, outputs as actions in a queue; no processes, no clock. supervisor.h does what it says.
//
// Rules (design-system §3)
//  - A service starts when all that it waits for is ready; those that wait for nothing start together.
//  - It has one instance at most. What an instance says after its end is ignored (incarnation).
//  - The first restart is immediate, further ones wait 10 ms, 20 ms .. 10 s. An instance that completed a call and lived at
//    least that long, and 10 ms, begins the row anew; so does a window without a death.
//  - Deaths without a completed call count: more of them than restart.times within the window park the service. Parked,
//    stopped and finished services have their endpoints down, so that calls end instead of waiting for ever.
//  - Not ready in time, or three pings without an answer: killed, which counts like a crash. While one of higher priority
//    misses a ping or is starting, a miss does not count: on the same CPU that one leaves no time to answer.
//  - At boot a required service that is parked, or waits for one that is, asks for rescue. Later the system stays up.
//  - Shutdown asks a service to end when all that stop before it have ended, and kills it when it takes too long.
#pragma once

#include <array>
#include <deque>
#include <optional>

#include "idl/supervisor_messages.h"
#include "servers/init/manifest_check.h"
#include "servers/init/service_graph.h"

namespace capos::init {

// As the supervisor tells them to others (idl/supervisor.capnp).
using idl::EndCause, idl::ServiceState;
const char* name_of(ServiceState state);
const char* name_of(EndCause cause);

enum class PowerState : u8 { off, reset };

struct Action {
    enum class Kind : u8 {
        spawn,          // make an instance
        ping,           // ask for a sign of life
        ask_to_stop,
        kill,
        endpoints_up,   // calls wait for the next instance
        endpoints_down, // calls end `disconnected`
        // Reports
        parked,
        rescue,         // a required service cannot be started
        boot_complete,
        shut_down,      // nothing runs any more
    };
    Kind kind{};
    ServiceIndex service{};
    u64 incarnation{};  // of spawn, ping, ask_to_stop and kill
    bool operator==(const Action&) const = default;
};

// How one service is treated; times in ns.
struct ServiceRules {
    u8 priority{};
    RestartOn restart_on{};
    u32 restart_times{kRestartTimesDefault};
    u64 window{};
    u64 ready_timeout{};
    u64 stop_timeout{};
    bool ping{};
    bool required{};
    bool manual{};
    std::vector<ServiceIndex> start_after;
    std::vector<ServiceIndex> restart_after;
    std::vector<ServiceIndex> stop_after;
};
// `manifest` is one that check_manifest has no objections to.
std::vector<ServiceRules> rules_of(const Manifest& manifest);

struct ServiceStatus {
    ServiceState state{ServiceState::waiting};
    u64 incarnation{};        // instances so far
    u32 deaths{};             // since boot, all of them
    EndCause last_end{};
    u64 since{};              // when it came into this state
};

class SupervisorCore {
public:
    static constexpr u64 kMillisecond = 1'000'000, kSecond = 1000 * kMillisecond;
    static constexpr u64 kPingInterval = kSecond, kBackOffFirst = 10 * kMillisecond, kBackOffMax = 10 * kSecond;
    static constexpr u64 kPingAnswerMax = 100 * kMillisecond;  // one that takes longer is silent, and may starve others
    static constexpr u32 kPingsMissedMax = 3;
    static constexpr u64 kNever = ~u64{0};

    explicit SupervisorCore(std::vector<ServiceRules> rules);

    void boot(u64 now);
    // From instances. A stale incarnation is ignored.
    void ready(ServiceIndex service, u64 incarnation, u64 now);
    void answered_ping(ServiceIndex service, u64 incarnation);
    void completed_call(ServiceIndex service, u64 incarnation);
    void ended(ServiceIndex service, u64 incarnation, EndCause cause, u64 now);
    // From operators. False when there is nothing to do: it runs, it does not run, the system is shutting down.
    bool start(ServiceIndex service, u64 now);
    bool stop(ServiceIndex service, u64 now);
    bool restart(ServiceIndex service, u64 now);
    void shut_down(u64 now);
    // Everything whose time has come. To be called at next_deadline().
    void advance(u64 now);

    u64 next_deadline() const;  // kNever: nothing is waited for
    std::optional<Action> next_action();

    usize size() const { return services_.size(); }
    const ServiceStatus& status(ServiceIndex service) const { return services_[service].status; }
    bool shutting_down() const { return shutting_down_; }
    bool booted() const { return booted_; }

private:
    enum class After : u8 { death, stopped, restart };  // what follows the end of a stopping instance

    struct Service {
        ServiceRules rules;
        ServiceStatus status;
        bool started_before{};
        bool worked{};             // completed a call
        u64 started_at{};
        u64 deadline{kNever};      // of what the state waits for
        bool ping_open{};
        u64 pinged_at{};           // when the first ping that is open was sent
        u32 pings_missed{};
        u64 back_off{};            // before the present instance, or the next
        u32 row{};                 // deaths in a row
        u64 last_death{};
        std::deque<u64> idle_deaths;  // times of deaths without a completed call, within the window
        After after{};
        EndCause kill_cause{};     // not none: it is being killed for that
        bool down{};               // its endpoints
    };

    void say(Action::Kind kind, ServiceIndex service);
    void enter(Service& service, ServiceState state, u64 now, u64 deadline = kNever);
    bool live(ServiceIndex service, u64 incarnation) const;
    bool available(ServiceIndex service) const;
    bool over(ServiceIndex service) const;
    bool lost(ServiceIndex service) const;
    bool may_be_starved(ServiceIndex service, u64 now) const;
    void set_down(ServiceIndex service, bool down);

    void wait(ServiceIndex service, u64 now);
    void spawn(ServiceIndex service, u64 now);
    void begin_stop(ServiceIndex service, After after, u64 now);
    void kill(ServiceIndex service, EndCause cause, u64 now);
    void rest(ServiceIndex service, ServiceState state, u64 now);
    void died(ServiceIndex service, u64 now);
    bool died_too_often(Service& service, u64 now);
    void expired(ServiceIndex service, u64 now);
    void settle(u64 now);
    void settle_boot();
    void settle_shutdown(u64 now);

    std::vector<Service> services_;
    std::deque<Action> actions_;
    bool booting_{};
    bool booted_{};
    bool rescue_said_{};
    bool shutting_down_{};
    bool shut_down_said_{};
};

}  // namespace capos::init
