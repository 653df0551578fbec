#include "servers/init/served.h"

#include <algorithm>

#include "idl/errors.h"

namespace capos::init {

namespace {

using runtime::failed;

constexpr u64 kKibPerFrame = 4;
constexpr u8 kInitPriority = 30;

}  // namespace

// --- ServiceControl ---

Task<idl::ServiceControl::Ready::Answer> ControlServer::ready() {
    supervisor_.on_ready(caller_badge());
    co_return done;
}

Task<idl::ServiceControl::Ping::Answer> ControlServer::ping(u64 answered) {
    const bool stop = co_await supervisor_.on_ping(caller_badge(), answered);
    co_return {.stop = stop};
}

// --- Supervisor ---

runtime::Outcome<ServiceIndex> SupervisorServer::find(std::string_view name) const {
    const auto found = find_service(supervisor_.manifest(), name);
    if (!found) return failed(idl::ErrorCode::not_found, "there is no service of that name");
    return *found;
}

Task<idl::Supervisor::Services::Answer> SupervisorServer::services() {
    std::vector<idl::ServiceInfo> all;
    for (ServiceIndex i = 0; i < supervisor_.core().size(); ++i) {
        const ServiceStatus& status = supervisor_.core().status(i);
        const ServiceEntry& entry = supervisor_.manifest().services[i];
        all.push_back({.name = entry.name,
                       .state = status.state,
                       .required = entry.required,
                       .process = supervisor_.host(i).process_number(),
                       .instances = status.incarnation,
                       .deaths = status.deaths,
                       .last_end = status.last_end,
                       .since_ns = status.since});
    }
    co_return {.services = all};
}

Task<idl::ProcessInfo> SupervisorServer::describe(std::string_view name, const idl::Process::Client& process,
                                                  const idl::Account::Client& account, u8 priority) const {
    const auto state = co_await process.state();
    const auto usage = co_await account.usage();
    co_return idl::ProcessInfo{.number = state.number,
                               .name = name,
                               .memory_kib = usage.frames * kKibPerFrame,
                               .memory_limit_kib = usage.frames_limit * kKibPerFrame,
                               .objects = usage.objects,
                               .nodes = usage.nodes,
                               .threads = state.threads,
                               .priority = priority};
}

Task<idl::Supervisor::Processes::Answer> SupervisorServer::processes() {
    const World& world = supervisor_.world();
    std::vector<idl::ProcessInfo> all{co_await describe("init", world.process, world.account, kInitPriority)};
    for (ServiceIndex i = 0; i < supervisor_.core().size(); ++i) {
        if (!supervisor_.host(i).has_instance()) continue;
        const ServiceEntry& entry = supervisor_.manifest().services[i];
        // One that ends at this very moment is left out.
        const auto one = co_await runtime::attempt(
            describe(entry.name, supervisor_.host(i).process(), supervisor_.host(i).instance_account(), entry.priority));
        if (one) all.push_back(*one);
    }
    std::ranges::sort(all, {}, &idl::ProcessInfo::number);
    co_return {.processes = all};
}

Task<idl::Supervisor::Start::Answer> SupervisorServer::start(std::string_view name) {
    if (!supervisor_.start(co_await find(name))) co_return failed(idl::ErrorCode::busy, "it runs, or the system shuts down");
    co_return done;
}

Task<idl::Supervisor::Stop::Answer> SupervisorServer::stop(std::string_view name) {
    if (!supervisor_.stop(co_await find(name))) co_return failed(idl::ErrorCode::busy, "it does not run");
    co_return done;
}

Task<idl::Supervisor::Restart::Answer> SupervisorServer::restart(std::string_view name) {
    if (!supervisor_.restart(co_await find(name))) co_return failed(idl::ErrorCode::busy, "the system shuts down");
    co_return done;
}

Task<idl::Supervisor::Crash::Answer> SupervisorServer::crash(std::string_view name) {
    const ServiceHost& host = supervisor_.host(co_await find(name));
    co_return {.record = host.crash_record, .at_ns = host.crash_at};
}

Task<idl::Supervisor::ShutDown::Answer> SupervisorServer::shut_down(bool reboot) {
    supervisor_.shut_down(reboot ? PowerState::reset : PowerState::off);
    co_return done;
}

}  // namespace capos::init
