#include "servers/init/supervisor_core.h"

#include <algorithm>
#include <utility>

namespace capos::init {

std::vector<ServiceRules> rules_of(const Manifest& manifest) {
    const Edges starts = start_edges(manifest), restarts = restart_edges(manifest), stops = stop_edges(manifest);
    std::vector<ServiceRules> rules;
    for (ServiceIndex i = 0; i < manifest.services.size(); ++i) {
        const ServiceEntry& service = manifest.services[i];
        rules.push_back({
            .priority = service.priority,
            .restart_on = service.restart.on,
            .restart_times = or_default(service.restart.times, kRestartTimesDefault),
            .window = or_default(service.restart.window_s, kRestartWindowSDefault) * SupervisorCore::kSecond,
            .ready_timeout = or_default(service.ready_ms, kReadyMsDefault) * SupervisorCore::kMillisecond,
            .stop_timeout = or_default(service.stop_ms, kStopMsDefault) * SupervisorCore::kMillisecond,
            .ping = !service.no_ping,
            .required = service.required,
            .manual = service.manual,
            .start_after = starts[i],
            .restart_after = restarts[i],
            .stop_after = stops[i],
        });
    }
    return rules;
}

SupervisorCore::SupervisorCore(std::vector<ServiceRules> rules) {
    for (ServiceRules& one : rules) {
        services_.push_back({.rules = std::move(one)});
        services_.back().status.state = ServiceState::stopped;
    }
}

// --- inputs ---

void SupervisorCore::boot(u64 now) {
    booting_ = true;
    for (ServiceIndex i = 0; i < services_.size(); ++i) {
        if (services_[i].rules.manual) rest(i, ServiceState::stopped, now);
        else wait(i, now);
    }
    settle(now);
}

void SupervisorCore::ready(ServiceIndex service, u64 incarnation, u64 now) {
    if (!live(service, incarnation) || services_[service].status.state != ServiceState::starting) return;
    Service& s = services_[service];
    s.ping_open = false;
    s.pings_missed = 0;
    enter(s, ServiceState::ready, now, s.rules.ping ? now + kPingInterval : kNever);
    settle(now);
}

void SupervisorCore::answered_ping(ServiceIndex service, u64 incarnation) {
    if (!live(service, incarnation)) return;
    services_[service].ping_open = false;
    services_[service].pings_missed = 0;
}

void SupervisorCore::completed_call(ServiceIndex service, u64 incarnation) {
    if (live(service, incarnation)) services_[service].worked = true;
}

void SupervisorCore::ended(ServiceIndex service, u64 incarnation, EndCause cause, u64 now) {
    if (!live(service, incarnation)) return;
    Service& s = services_[service];
    const bool asked = s.status.state == ServiceState::stopping && s.kill_cause == EndCause::none;
    s.status.last_end = asked ? EndCause::stopped : s.kill_cause != EndCause::none ? s.kill_cause : cause;
    if (s.status.state == ServiceState::stopping && s.after == After::stopped) {
        rest(service, ServiceState::stopped, now);
    } else if (s.status.state == ServiceState::stopping && s.after == After::restart) {
        wait(service, now);
    } else if (s.status.last_end == EndCause::exit_ok && s.rules.restart_on != RestartOn::any_end) {
        rest(service, ServiceState::finished, now);
    } else {
        died(service, now);
    }
    settle(now);
}

bool SupervisorCore::start(ServiceIndex service, u64 now) {
    Service& s = services_[service];
    const bool rests = over(service) || s.status.state == ServiceState::backing_off;
    const bool is_stopped_now = s.status.state == ServiceState::stopping && s.after == After::stopped;
    if (shutting_down_ || !(rests || is_stopped_now)) return false;
    s.row = 0;
    s.idle_deaths.clear();
    if (is_stopped_now) s.after = After::restart;
    else wait(service, now);
    settle(now);
    return true;
}

bool SupervisorCore::stop(ServiceIndex service, u64 now) {
    Service& s = services_[service];
    switch (s.status.state) {
        case ServiceState::starting:
        case ServiceState::ready: begin_stop(service, After::stopped, now); break;
        case ServiceState::stopping: s.after = After::stopped; break;
        case ServiceState::waiting:
        case ServiceState::backing_off: rest(service, ServiceState::stopped, now); break;
        default: return false;
    }
    settle(now);
    return true;
}

bool SupervisorCore::restart(ServiceIndex service, u64 now) {
    Service& s = services_[service];
    if (shutting_down_) return false;
    s.row = 0;
    s.idle_deaths.clear();
    switch (s.status.state) {
        case ServiceState::starting:
        case ServiceState::ready: begin_stop(service, After::restart, now); return true;
        case ServiceState::stopping: s.after = After::restart; return true;
        default: return start(service, now);
    }
}

void SupervisorCore::shut_down(u64 now) {
    if (shutting_down_) return;
    shutting_down_ = true;
    booting_ = false;
    settle(now);
}

void SupervisorCore::advance(u64 now) {
    for (ServiceIndex i = 0; i < services_.size(); ++i) {
        if (services_[i].deadline <= now) expired(i, now);
    }
    settle(now);
}

// --- outputs ---

u64 SupervisorCore::next_deadline() const {
    u64 earliest = kNever;
    for (const Service& service : services_) earliest = std::min(earliest, service.deadline);
    return earliest;
}

std::optional<Action> SupervisorCore::next_action() {
    if (actions_.empty()) return std::nullopt;
    const Action action = actions_.front();
    actions_.pop_front();
    return action;
}

// --- states ---

void SupervisorCore::say(Action::Kind kind, ServiceIndex service) {
    actions_.push_back({kind, service, services_.empty() ? 0 : services_[service].status.incarnation});
}

void SupervisorCore::enter(Service& service, ServiceState state, u64 now, u64 deadline) {
    service.status.state = state;
    service.status.since = now;
    service.deadline = deadline;
}

// An instance of that number is being made, or runs.
bool SupervisorCore::live(ServiceIndex service, u64 incarnation) const {
    if (service >= services_.size() || services_[service].status.incarnation != incarnation) return false;
    const ServiceState state = services_[service].status.state;
    return state == ServiceState::starting || state == ServiceState::ready || state == ServiceState::stopping;
}

bool SupervisorCore::available(ServiceIndex service) const {
    const ServiceState state = services_[service].status.state;
    return state == ServiceState::ready || state == ServiceState::finished;
}

// It has no instance, and gets none by itself.
bool SupervisorCore::over(ServiceIndex service) const {
    const ServiceState state = services_[service].status.state;
    return state == ServiceState::stopped || state == ServiceState::finished || state == ServiceState::parked;
}

// It will not be ready by itself: parked, or waiting for one that is lost. The graph has no cycles.
bool SupervisorCore::lost(ServiceIndex service) const {
    const Service& s = services_[service];
    if (s.status.state == ServiceState::parked || s.status.state == ServiceState::stopped) return true;
    if (s.status.state != ServiceState::waiting) return false;
    const auto& awaited = s.started_before ? s.rules.restart_after : s.rules.start_after;
    return std::ranges::any_of(awaited, [&](ServiceIndex other) { return lost(other); });
}

bool SupervisorCore::may_be_starved(ServiceIndex service, u64 now) const {
    return std::ranges::any_of(services_, [&](const Service& other) {
        const ServiceState state = other.status.state;
        const bool unanswered = other.ping_open && now - other.pinged_at >= kPingAnswerMax;
        const bool silent = state == ServiceState::starting || (state == ServiceState::ready && unanswered);
        return silent && other.rules.priority > services_[service].rules.priority;
    });
}

void SupervisorCore::set_down(ServiceIndex service, bool down) {
    if (services_[service].down == down) return;
    services_[service].down = down;
    say(down ? Action::Kind::endpoints_down : Action::Kind::endpoints_up, service);
}

void SupervisorCore::wait(ServiceIndex service, u64 now) {
    services_[service].back_off = 0;
    enter(services_[service], ServiceState::waiting, now);
}

void SupervisorCore::spawn(ServiceIndex service, u64 now) {
    Service& s = services_[service];
    ++s.status.incarnation;
    s.started_before = true;
    s.worked = false;
    s.started_at = now;
    s.kill_cause = EndCause::none;
    enter(s, ServiceState::starting, now, now + s.rules.ready_timeout);
    set_down(service, false);
    say(Action::Kind::spawn, service);
}

void SupervisorCore::begin_stop(ServiceIndex service, After after, u64 now) {
    Service& s = services_[service];
    s.after = after;
    enter(s, ServiceState::stopping, now, now + s.rules.stop_timeout);
    say(Action::Kind::ask_to_stop, service);
}

void SupervisorCore::kill(ServiceIndex service, EndCause cause, u64 now) {
    Service& s = services_[service];
    s.kill_cause = cause;
    s.after = After::death;
    enter(s, ServiceState::stopping, now);
    say(Action::Kind::kill, service);
}

void SupervisorCore::rest(ServiceIndex service, ServiceState state, u64 now) {
    enter(services_[service], state, now);
    set_down(service, true);
    if (state == ServiceState::parked) say(Action::Kind::parked, service);
}

// --- deaths ---

void SupervisorCore::died(ServiceIndex service, u64 now) {
    Service& s = services_[service];
    ++s.status.deaths;
    const bool fruitful = s.worked && now - s.started_at >= std::max(s.back_off, kBackOffFirst);
    if (fruitful || (s.row != 0 && now - s.last_death > s.rules.window)) s.row = 0;
    ++s.row;
    s.last_death = now;
    if (shutting_down_) return rest(service, ServiceState::stopped, now);
    if (s.rules.restart_on == RestartOn::never || died_too_often(s, now)) return rest(service, ServiceState::parked, now);
    // 0, then doubling from the first step; 2^10 steps of 10 ms are above the maximum.
    s.back_off = s.row == 1 ? 0 : std::min(kBackOffFirst << std::min(s.row - 2, 10u), kBackOffMax);
    enter(s, ServiceState::backing_off, now, now + s.back_off);
}

bool SupervisorCore::died_too_often(Service& service, u64 now) {
    if (service.worked) return false;
    while (!service.idle_deaths.empty() && now - service.idle_deaths.front() > service.rules.window) {
        service.idle_deaths.pop_front();
    }
    service.idle_deaths.push_back(now);
    return service.idle_deaths.size() > service.rules.restart_times;
}

// --- time ---

void SupervisorCore::expired(ServiceIndex service, u64 now) {
    Service& s = services_[service];
    s.deadline = kNever;
    switch (s.status.state) {
        case ServiceState::starting: return kill(service, EndCause::not_ready, now);
        case ServiceState::stopping: return say(Action::Kind::kill, service);
        case ServiceState::backing_off: return enter(s, ServiceState::waiting, now);
        case ServiceState::ready: break;
        default: return;
    }
    if (s.ping_open && !may_be_starved(service, now) && ++s.pings_missed == kPingsMissedMax) {
        return kill(service, EndCause::hung, now);
    }
    if (!std::exchange(s.ping_open, true)) s.pinged_at = now;
    s.deadline = now + kPingInterval;
    say(Action::Kind::ping, service);
}

// --- what follows from the states of all ---

void SupervisorCore::settle(u64 now) {
    if (shutting_down_) return settle_shutdown(now);
    for (ServiceIndex i = 0; i < services_.size(); ++i) {
        Service& s = services_[i];
        if (s.status.state == ServiceState::backing_off && s.deadline <= now) expired(i, now);
        if (s.status.state != ServiceState::waiting) continue;
        const auto& awaited = s.started_before ? s.rules.restart_after : s.rules.start_after;
        if (std::ranges::all_of(awaited, [&](ServiceIndex other) { return available(other); })) spawn(i, now);
    }
    if (booting_) settle_boot();
}

void SupervisorCore::settle_boot() {
    bool all_settled = true;
    for (ServiceIndex i = 0; i < services_.size(); ++i) {
        const Service& s = services_[i];
        if (s.rules.manual || available(i)) continue;
        if (!s.rules.required && lost(i)) continue;
        all_settled = false;
        if (!s.rules.required || !lost(i) || rescue_said_) continue;
        rescue_said_ = true;
        say(Action::Kind::rescue, i);
    }
    if (!all_settled) return;
    booting_ = false;
    booted_ = true;
    say(Action::Kind::boot_complete, 0);
}

void SupervisorCore::settle_shutdown(u64 now) {
    bool all_over = true;
    for (ServiceIndex i = 0; i < services_.size(); ++i) {
        Service& s = services_[i];
        if (s.status.state == ServiceState::waiting || s.status.state == ServiceState::backing_off) {
            rest(i, ServiceState::stopped, now);
        }
        if (s.status.state == ServiceState::stopping) s.after = After::stopped;
    }
    for (ServiceIndex i = 0; i < services_.size(); ++i) {
        if (over(i)) continue;
        all_over = false;
        const ServiceState state = services_[i].status.state;
        if (state == ServiceState::stopping) continue;
        const auto& before = services_[i].rules.stop_after;
        if (std::ranges::all_of(before, [&](ServiceIndex other) { return over(other); })) begin_stop(i, After::stopped, now);
    }
    if (!all_over || shut_down_said_) return;
    shut_down_said_ = true;
    say(Action::Kind::shut_down, 0);
}

// --- words ---

const char* name_of(ServiceState state) {
    switch (state) {
        case ServiceState::waiting: return "waiting";
        case ServiceState::starting: return "starting";
        case ServiceState::ready: return "ready";
        case ServiceState::backing_off: return "backing off";
        case ServiceState::stopping: return "stopping";
        case ServiceState::stopped: return "stopped";
        case ServiceState::finished: return "finished";
        case ServiceState::parked: return "parked";
    }
    return "unknown";
}

const char* name_of(EndCause cause) {
    switch (cause) {
        case EndCause::none: return "none";
        case EndCause::exit_ok: return "exit code 0";
        case EndCause::exit_failed: return "an exit code other than 0";
        case EndCause::crash: return "a crash";
        case EndCause::spawn_failed: return "a failed start";
        case EndCause::not_ready: return "not ready in time";
        case EndCause::hung: return "no answer to three pings";
        case EndCause::stopped: return "stopped on demand";
    }
    return "unknown";
}

}  // namespace capos::init
