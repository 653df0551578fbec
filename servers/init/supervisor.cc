#include "servers/init/supervisor.h"

#include <cstring>

#include "servers/init/crash_text.h"

namespace capos::init {

namespace {

// An instance that has not worked yet is asked again sooner, so that it is known at its death whether it ever did.
constexpr u64 kEarlyPingNs = 10'000'000;
constexpr u32 kEarlyPingsMax = 6;  // 10 ms, 20 ms .. 320 ms

}  // namespace

Supervisor::Supervisor(Shared shared)
    : shared_{std::move(shared)}, core_{rules_of(shared_.manifest)}, instances_(shared_.manifest.services.size()) {
    for (ServiceIndex i = 0; i < instances_.size(); ++i) hosts_.push_back(std::make_unique<ServiceHost>(shared_, i));
}

Supervisor::~Supervisor() { shared_.world.loop->timers().disarm(*this); }

Task<std::unique_ptr<Supervisor>> Supervisor::create(World& world, const Manifest& manifest, formats::UstarArchive archive) {
    Shared shared{.world = world, .manifest = manifest, .archive = archive};
    shared.ends = (co_await world.account.create_notification()).notification;
    shared.control = (co_await world.account.create_endpoint("control")).endpoint;
    shared.supervisor = (co_await world.account.create_endpoint("supervisor")).endpoint;
    std::unique_ptr<Supervisor> made{new Supervisor{std::move(shared)}};
    co_await made->set_up();
    co_return std::move(made);
}

Task<void> Supervisor::set_up() {
    for (const auto& host : hosts_) co_await host->set_up();
    for (const auto& host : hosts_) co_await host->connect(hosts_);
    shared_.world.loop->submit(runtime::entry::receive_signals(shared_.ends.id()), this);
    co_return done;
}

// --- inputs ---

void Supervisor::boot() {
    core_.boot(now());
    obey();
}

void Supervisor::on_ready(u64 badge) {
    const ServiceIndex service = service_of_badge(badge);
    if (service >= hosts_.size() || hosts_[service]->control_badge_now != badge) return;
    core_.ready(service, core_.status(service).incarnation, now());
    obey();
}

Task<bool> Supervisor::on_ping(u64 badge, u64 answered) {
    const ServiceIndex service = service_of_badge(badge);
    if (service >= hosts_.size() || hosts_[service]->control_badge_now != badge) co_return true;  // of an earlier instance
    const u64 incarnation = core_.status(service).incarnation;
    core_.answered_ping(service, incarnation);
    if (answered != 0) core_.completed_call(service, incarnation);
    PingPlace& place = hosts_[service]->ping;
    const bool early = answered == 0 && place.early < kEarlyPingsMax;
    const u64 until = early ? now() + (kEarlyPingNs << place.early++) : runtime::kNoDeadline;
    PingWait wait{*shared_.world.loop, place, until};
    co_await wait;
    co_return place.stop;
}

bool Supervisor::start(ServiceIndex service) {
    const bool accepted = core_.start(service, now());
    obey();
    return accepted;
}

bool Supervisor::stop(ServiceIndex service) {
    const bool accepted = core_.stop(service, now());
    obey();
    return accepted;
}

bool Supervisor::restart(ServiceIndex service) {
    const bool accepted = core_.restart(service, now());
    obey();
    return accepted;
}

void Supervisor::shut_down(PowerState then) {
    power_ = then;
    shared_.world.say(LogLevel::info, then == PowerState::off ? "shutting down" : "restarting");
    core_.shut_down(now());
    obey();
}

void Supervisor::expired() {
    core_.advance(now());
    obey();
}

void Supervisor::complete(const abi::Completion& completion) {
    if (completion.kind != static_cast<u8>(abi::CompletionKind::signal)) return;
    for (ServiceIndex i = 0; i < hosts_.size(); ++i) {
        if ((completion.token >> i & 1) == 0) continue;
        if (instances_[i].spawning) instances_[i].end_seen = true;
        else shared_.world.loop->spawn(reap(i));
    }
}

// --- what the core decided ---

void Supervisor::obey() {
    if (obeying_) return;  // a task that started here had news: the outer round sees to it
    obeying_ = true;
    while (const auto action = core_.next_action()) perform(*action);
    obeying_ = false;
    shared_.world.loop->timers().disarm(*this);
    if (core_.next_deadline() != SupervisorCore::kNever) shared_.world.loop->timers().arm(*this, core_.next_deadline());
}

void Supervisor::perform(const Action& action) {
    const ServiceIndex service = action.service;
    runtime::Loop& loop = *shared_.world.loop;
    switch (action.kind) {
        case Action::Kind::spawn: return loop.spawn(spawn(service, action.incarnation));
        case Action::Kind::kill: return loop.spawn(kill(service));
        case Action::Kind::endpoints_up: return loop.spawn(set_down(service, false));
        case Action::Kind::endpoints_down: return loop.spawn(set_down(service, true));
        case Action::Kind::ask_to_stop:
            hosts_[service]->ping.stop = true;
            [[fallthrough]];
        case Action::Kind::ping:
            if (PingWait* waiting = hosts_[service]->ping.waiting) waiting->wake();
            return;
        case Action::Kind::parked:
            return say(LogLevel::error, service, "is parked: it stays down until it is started by hand");
        case Action::Kind::rescue:
            if (on_rescue) on_rescue(service);
            return;
        case Action::Kind::boot_complete:
            if (on_booted) on_booted();
            return;
        case Action::Kind::shut_down: return loop.spawn(switch_off());
    }
}

Task<void> Supervisor::spawn(ServiceIndex service, u64 incarnation) {
    Instance& instance = instances_[service];
    instance = {.spawning = true};
    const auto spawned = co_await runtime::attempt(hosts_[service]->spawn(incarnation));
    instance.spawning = false;
    if (!spawned) {
        const std::string_view status = runtime::name_of(spawned.error().status);
        say(LogLevel::error, service, "cannot be started: " + std::string{status} + " " + spawned.error().text);
        co_await hosts_[service]->clean_up();
        core_.ended(service, incarnation, EndCause::spawn_failed, now());
        obey();
        co_return done;
    }
    if (instance.kill_wanted) co_await hosts_[service]->kill();
    if (instance.end_seen) co_await reap(service);
    co_return done;
}

Task<void> Supervisor::kill(ServiceIndex service) {
    if (instances_[service].spawning) instances_[service].kill_wanted = true;
    else co_await hosts_[service]->kill();
    co_return done;
}

Task<void> Supervisor::set_down(ServiceIndex service, bool down) { return hosts_[service]->set_down(down); }

Task<void> Supervisor::reap(ServiceIndex service) {
    const u64 incarnation = core_.status(service).incarnation;
    const auto cause = co_await hosts_[service]->look_at_end();
    if (!cause) co_return done;
    co_await hosts_[service]->clean_up();
    core_.ended(service, incarnation, *cause, now());
    say_end(service, core_.status(service).last_end);
    obey();
    co_return done;
}

void Supervisor::say(LogLevel level, ServiceIndex service, const std::string& what) const {
    shared_.world.say(level, "service `" + std::string{shared_.manifest.services[service].name} + "` " + what);
}

void Supervisor::say_end(ServiceIndex service, EndCause cause) const {
    if (cause == EndCause::stopped) return say(LogLevel::info, service, "has stopped");
    if (core_.status(service).state == ServiceState::finished) return say(LogLevel::info, service, "has done its work");
    std::string what = std::string{"ended: "} + name_of(cause);
    if (cause == EndCause::crash) what += ", " + crash_text(hosts_[service]->crash_record);
    say(LogLevel::warn, service, what);
}

Task<void> Supervisor::switch_off() {
    shared_.world.say(LogLevel::info, power_ == PowerState::off ? "all services have ended: switching off"
                                                                : "all services have ended: restarting the machine");
    if (power_ == PowerState::off) co_await shared_.world.power.off();
    else co_await shared_.world.power.reset();
    co_return done;
}

}  // namespace capos::init
