// service_host.h - what init keeps for one service: the lasting part (account, endpoints, state memory, facets of other
// services' endpoints), and its instance. What clients were given refers to the lasting part, so it survives every instance.
//
// Accounts: the service's own pays for endpoints and state and is carved once, so that a restart never lacks what the manifest
// granted; each instance gets a child of it with the manifest's limits, which ends with the instance and with all it made.
#pragma once

#include <map>
#include <memory>

#include "servers/init/ping_wait.h"
#include "servers/init/supervisor_core.h"
#include "servers/init/world.h"

namespace capos::init {

// What all hosts share.
struct Shared {
    World& world;
    const Manifest& manifest;
    formats::UstarArchive archive;
    idl::Notification::Client ends;     // bit n: the instance of service n has ended
    idl::Endpoint::Client control;      // ServiceControl, served by init
    idl::Endpoint::Client supervisor;   // Supervisor, served by init
    std::map<std::string_view, std::unique_ptr<runtime::ProgramImage>> images;  // by file of the boot archive
};

// Badges of the facets that init makes. Of ServiceControl: which instance calls; of all others: which service it was given to,
// counted from 1, which servers know by name from their environment (client.BADGE=NAME).
constexpr u64 control_badge(ServiceIndex service, u64 incarnation) { return (incarnation << 8 | (service + 1)) & 0xffff'ffff; }
constexpr ServiceIndex service_of_badge(u64 badge) { return static_cast<ServiceIndex>(badge & 0xff) - 1; }
constexpr u64 client_badge(ServiceIndex service) { return service + 1; }

class ServiceHost {
public:
    ServiceHost(Shared& shared, ServiceIndex index) : shared_{shared}, index_{index} {}
    ServiceHost(const ServiceHost&) = delete;

    const ServiceEntry& entry() const { return shared_.manifest.services[index_]; }

    // Account, endpoints and state. Errors: those of the calls.
    Task<void> set_up();
    // Facets of other hosts' endpoints, once these are set up.
    Task<void> connect(std::span<const std::unique_ptr<ServiceHost>> hosts);
    Task<void> set_down(bool down);

    // Makes an instance. Errors: those of spawning; not_found for a binary that is not there.
    Task<void> spawn(u64 incarnation);
    Task<void> kill();
    // What the kernel says about the instance's end; nothing while it has not ended.
    Task<std::optional<EndCause>> look_at_end();
    // Gives back all that the instance had.
    Task<void> clean_up();

    bool has_instance() const { return process_.present(); }
    u64 process_number() const { return has_instance() ? number_ : 0; }
    const idl::Process::Client& process() const { return process_; }
    const idl::Account::Client& instance_account() const { return instance_account_; }
    const idl::Endpoint::Client* endpoint(std::string_view name) const;

    PingPlace ping;
    u64 control_badge_now{};
    std::vector<std::byte> crash_record;
    u64 crash_at{};

private:
    Task<const runtime::ProgramImage*> image();
    Task<void> make_instance_account();
    Task<std::vector<runtime::NamedGrant>> grants(std::vector<runtime::Client>& kept);
    Task<runtime::Client> connect_one(const GrantEntry& grant, std::span<const std::unique_ptr<ServiceHost>> hosts);
    std::vector<std::string> environment() const;
    // An object of the kernel. Claims of ports and interrupts are made for this instance: `kept` holds them.
    Task<runtime::NamedGrant> kernel_grant(const GrantEntry& grant, std::vector<runtime::Client>& kept);
    Task<runtime::Client> claim(const GrantEntry& grant) const;

    Shared& shared_;
    ServiceIndex index_;
    idl::Account::Client account_;
    std::vector<idl::Endpoint::Client> endpoints_;  // as in the manifest
    idl::Memory::Client state_;
    std::vector<runtime::Client> facets_;           // as grants in the manifest; absent for objects of the kernel
    std::vector<u64> facet_interfaces_;

    idl::Account::Client instance_account_;
    idl::Process::Client process_;
    u64 number_{};
};

}  // namespace capos::init
