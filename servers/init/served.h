// served.h - what init serves: ServiceControl to each service, and Supervisor to whoever the manifest grants it.
#pragma once

#include "idl/service.h"
#include "idl/supervisor.h"
#include "servers/init/supervisor.h"

namespace capos::init {

class ControlServer final : public idl::ServiceControl::Server {
public:
    explicit ControlServer(Supervisor& supervisor) : supervisor_{supervisor} {}

    Task<idl::ServiceControl::Ready::Answer> ready() override;
    Task<idl::ServiceControl::Ping::Answer> ping(u64 answered) override;

private:
    Supervisor& supervisor_;
};

class SupervisorServer final : public idl::Supervisor::Server {
public:
    explicit SupervisorServer(Supervisor& supervisor) : supervisor_{supervisor} {}

    Task<idl::Supervisor::Services::Answer> services() override;
    Task<idl::Supervisor::Processes::Answer> processes() override;
    Task<idl::Supervisor::Start::Answer> start(std::string_view name) override;
    Task<idl::Supervisor::Stop::Answer> stop(std::string_view name) override;
    Task<idl::Supervisor::Restart::Answer> restart(std::string_view name) override;
    Task<idl::Supervisor::Crash::Answer> crash(std::string_view name) override;
    Task<idl::Supervisor::ShutDown::Answer> shut_down(bool reboot) override;

private:
    runtime::Outcome<ServiceIndex> find(std::string_view name) const;
    Task<idl::ProcessInfo> describe(std::string_view name, const idl::Process::Client& process,
                                    const idl::Account::Client& account, u8 priority) const;

    Supervisor& supervisor_;
};

}  // namespace capos::init
