// supervisor.h - init's shell around supervisor_core.h: it carries out what the core decides, and tells the core what happens.
//
// Every input to the core goes through one of the on_* functions, each of which obeys what follows; whatever waits runs as a
// task of its own, so that nothing here ever waits for a service.
#pragma once

#include <functional>

#include "servers/init/service_host.h"

namespace capos::init {

class Supervisor final : private runtime::Deadline, private runtime::Completable {
public:
    // Makes what all services have for ever: accounts, endpoints, facets. `manifest` is one without problems; it and `world`
    // outlive the result. Errors: those of the calls, such as quota.
    static Task<std::unique_ptr<Supervisor>> create(World& world, const Manifest& manifest, formats::UstarArchive archive);
    ~Supervisor();

    void boot();
    // Called once when a required service can't be started; and once when all are ready.
    std::function<void(ServiceIndex)> on_rescue;
    std::function<void()> on_booted;

    // From services, by the badge of their control facet.
    void on_ready(u64 badge);
    Task<bool> on_ping(u64 badge, u64 answered);  // true: it is asked to stop

    const World& world() const { return shared_.world; }
    const Manifest& manifest() const { return shared_.manifest; }
    const SupervisorCore& core() const { return core_; }
    const ServiceHost& host(ServiceIndex service) const { return *hosts_[service]; }
    idl::Endpoint::Client& control() { return shared_.control; }
    idl::Endpoint::Client& endpoint() { return shared_.supervisor; }

    // From operators: false when there is nothing to do.
    bool start(ServiceIndex service);
    bool stop(ServiceIndex service);
    bool restart(ServiceIndex service);
    void shut_down(PowerState then);

private:
    explicit Supervisor(Shared shared);
    Task<void> set_up();

    void obey();
    void perform(const Action& action);
    Task<void> spawn(ServiceIndex service, u64 incarnation);
    Task<void> kill(ServiceIndex service);
    Task<void> set_down(ServiceIndex service, bool down);
    Task<void> reap(ServiceIndex service);
    Task<void> switch_off();
    void say_end(ServiceIndex service, EndCause cause) const;
    void say(LogLevel level, ServiceIndex service, const std::string& what) const;
    u64 now() const { return shared_.world.loop->now(); }

    void expired() override;                                      // the core's deadline
    void complete(const abi::Completion& completion) override;    // instances that ended

    struct Instance {
        bool spawning{};     // its process is being made
        bool kill_wanted{};  // meanwhile
        bool end_seen{};     // meanwhile
    };

    Shared shared_;
    SupervisorCore core_;
    std::vector<std::unique_ptr<ServiceHost>> hosts_;
    std::vector<Instance> instances_;
    bool obeying_{};
    PowerState power_{};
};

}  // namespace capos::init
