#include "servers/init/service_host.h"

#include "abi/crash.h"
#include "idl/service.h"
#include "idl/supervisor.h"

namespace capos::init {

namespace {

using runtime::Error;

constexpr u64 kKibPerFrame = 4;
// What a service's own account has beside the instance's limits: endpoints, state, the child account, facets, page tables.
constexpr u64 kOwnFrames = 16;
constexpr u32 kOwnObjects = 8, kOwnNodes = 64;
// What the instance before had is given back in the background; so long its successor waits for it.
constexpr u32 kTries = 200;
constexpr u64 kPauseNs = 1'000'000;

runtime::Client copy_of(const runtime::Client& client) { return runtime::Client::borrowed(*client.loop(), client.id()); }

}  // namespace

// --- the lasting part ---

Task<void> ServiceHost::set_up() {
    const ServiceEntry& service = entry();
    const u64 frames = service.limits.memory_kib / kKibPerFrame + service.state_kib / kKibPerFrame + kOwnFrames;
    const u32 endpoints = static_cast<u32>(service.endpoints.size());
    account_ = (co_await shared_.world.account.create_account(frames, service.limits.objects + endpoints + kOwnObjects,
                                                              service.limits.nodes + kOwnNodes, service.name)).account;
    for (const EndpointEntry& endpoint : service.endpoints) {
        endpoints_.push_back((co_await account_.create_endpoint(endpoint.name)).endpoint);
    }
    if (service.state_kib != 0) state_ = (co_await account_.create_memory(u64{service.state_kib} * 1024)).memory;
    co_return done;
}

Task<void> ServiceHost::connect(std::span<const std::unique_ptr<ServiceHost>> hosts) {
    for (const GrantEntry& grant : entry().grants) facets_.push_back(co_await connect_one(grant, hosts));
    co_return done;
}

Task<runtime::Client> ServiceHost::connect_one(const GrantEntry& grant, std::span<const std::unique_ptr<ServiceHost>> hosts) {
    u64 interface_id = 0;
    runtime::Client facet;
    switch (grant.source) {
        case GrantSource::endpoint: {
            const ServiceHost& server = *hosts[*find_service(shared_.manifest, grant.service)];
            interface_id = find_endpoint(server.entry(), grant.endpoint)->interface_id;
            facet = (co_await server.endpoint(grant.endpoint)->mint(client_badge(index_))).facet;
            break;
        }
        case GrantSource::supervisor:
            interface_id = idl::Supervisor::kInterfaceId;
            facet = (co_await shared_.supervisor.mint(client_badge(index_))).facet;
            break;
        case GrantSource::file: {
            const formats::Bytes content = *shared_.archive.find(grant.file);
            const u64 bytes = runtime::whole_pages(std::max<u64>(content.size(), 1));
            const auto memory = co_await runtime::filled_memory(shared_.world.tools(), shared_.world.account, bytes, 0, content,
                                                                true);
            interface_id = idl::ReadableMemory::kInterfaceId;
            facet = (co_await memory.readable()).memory;
            break;
        }
        case GrantSource::archive:
            interface_id = idl::ReadableMemory::kInterfaceId;
            facet = copy_of(shared_.world.archive);
            break;
        case GrantSource::kernel: break;
    }
    facet_interfaces_.push_back(interface_id);
    co_return std::move(facet);
}

Task<void> ServiceHost::set_down(bool down) {
    for (const idl::Endpoint::Client& endpoint : endpoints_) co_await endpoint.set_down(down);
    co_return done;
}

const idl::Endpoint::Client* ServiceHost::endpoint(std::string_view name) const {
    for (usize i = 0; i < endpoints_.size(); ++i) {
        if (entry().endpoints[i].name == name) return &endpoints_[i];
    }
    return nullptr;
}

// --- instances ---

Task<void> ServiceHost::spawn(u64 incarnation) {
    const ServiceEntry& service = entry();
    const runtime::ProgramImage* program = co_await image();
    co_await make_instance_account();
    std::vector<runtime::Client> kept;  // what the instance alone holds from now on
    auto given = co_await grants(kept);
    control_badge_now = control_badge(index_, incarnation);
    ping.stop = false;
    ping.early = 0;
    kept.push_back((co_await shared_.control.mint(control_badge_now)).facet);
    given.push_back({"control", idl::ServiceControl::kInterfaceId, kept.back().id()});
    runtime::SpawnRequest request{
        .name = std::string{service.name},
        .account = instance_account_,
        .arguments = {service.arguments.begin(), service.arguments.end()},
        .environment = environment(),
        .grants = std::move(given),
        .priority = service.priority,
        .region_bytes = service.ring.region_kib * 1024,
        .submissions = service.ring.submissions,
        .completions = service.ring.completions,
        .stack_bytes = u64{or_default(service.ring.stack_kib, kStackKibDefault)} * 1024,
        .slots = or_default(service.ring.slots, kSlotsDefault),
        .notification = &shared_.ends,
        .bit = static_cast<u8>(index_),
    };
    auto spawned = co_await runtime::spawn(shared_.world.tools(), *program, std::move(request));
    process_ = std::move(spawned.process);
    number_ = spawned.number;
    co_return done;
}

Task<const runtime::ProgramImage*> ServiceHost::image() {
    auto& loaded = shared_.images[entry().binary];
    if (loaded == nullptr) {
        const auto file = shared_.archive.find(entry().binary);
        if (!file) co_return fail(Error{Status::failed, 0, "its binary is not in the boot archive"});
        auto image = co_await runtime::ProgramImage::load(shared_.world.tools(), *file);
        // Another service with the same binary may have been faster.
        if (loaded == nullptr) loaded = std::make_unique<runtime::ProgramImage>(std::move(image));
    }
    co_return loaded.get();
}

Task<void> ServiceHost::make_instance_account() {
    const AccountLimits& limits = entry().limits;
    for (u32 tries = 1;; ++tries) {
        auto made = co_await runtime::attempt(
            account_.create_account(limits.memory_kib / kKibPerFrame, limits.objects, limits.nodes, entry().name));
        if (made) {
            instance_account_ = std::move(made->account);
            co_return done;
        }
        if (made.error().status != Status::quota || tries == kTries) co_return fail(std::move(made.error()));
        co_await runtime::sleep_for(*shared_.world.loop, kPauseNs);
    }
}

// `kept` is what was made for this instance: it is copied into its table and then given up.
Task<std::vector<runtime::NamedGrant>> ServiceHost::grants(std::vector<runtime::Client>& kept) {
    const World& world = shared_.world;
    std::vector<runtime::NamedGrant> given{{"clock", idl::Clock::kInterfaceId, world.clock.id()},
                                           {"entropy", idl::Entropy::kInterfaceId, world.entropy.id()}};
    bool has_log = false;
    for (usize i = 0; i < facets_.size(); ++i) {
        const GrantEntry& grant = entry().grants[i];
        has_log |= grant.name == "log";
        if (grant.source == GrantSource::kernel) given.push_back(co_await kernel_grant(grant, kept));
        else given.push_back({std::string{grant.name}, facet_interfaces_[i], facets_[i].id()});
    }
    if (!has_log) given.push_back({"log", idl::KernelLog::kInterfaceId, world.log.id()});
    for (usize i = 0; i < endpoints_.size(); ++i) {
        kept.push_back((co_await endpoints_[i].receiver()).receiver);
        given.push_back({std::string{entry().endpoints[i].name}, idl::Receiver::kInterfaceId, kept.back().id()});
    }
    if (state_.present()) given.push_back({"state", idl::Memory::kInterfaceId, state_.id()});
    co_return std::move(given);
}

Task<runtime::NamedGrant> ServiceHost::kernel_grant(const GrantEntry& grant, std::vector<runtime::Client>& kept) {
    const World& world = shared_.world;
    const std::string name{grant.name};
    switch (grant.object) {
        case KernelObject::power: co_return {name, idl::Power::kInterfaceId, world.power.id()};
        case KernelObject::platform: co_return {name, idl::PlatformInfo::kInterfaceId, world.platform.id()};
        case KernelObject::profile: co_return {name, idl::Profile::kInterfaceId, world.profile.id()};
        case KernelObject::ports:
        case KernelObject::interrupt: {
            kept.push_back(co_await claim(grant));
            const bool ports = grant.object == KernelObject::ports;
            co_return {name, ports ? idl::IoPorts::kInterfaceId : idl::Interrupt::kInterfaceId, kept.back().id()};
        }
        case KernelObject::none: break;
    }
    co_return fail(Error{Status::bad_argument, 0, "a grant of no object"});
}

// The instance before may not have let go of it yet.
Task<runtime::Client> ServiceHost::claim(const GrantEntry& grant) const {
    const World& world = shared_.world;
    for (u32 tries = 1;; ++tries) {
        Error error;
        if (grant.object == KernelObject::ports) {
            auto claimed = co_await runtime::attempt(world.ports.range(grant.first, grant.count));
            if (claimed) co_return std::move(claimed->ports);
            error = std::move(claimed.error());
        } else {
            auto claimed = co_await runtime::attempt(world.interrupts.isa_line(static_cast<u8>(grant.first)));
            if (claimed) co_return std::move(claimed->interrupt);
            error = std::move(claimed.error());
        }
        if (error.status != Status::exists || tries == kTries) co_return fail(std::move(error));
        co_await runtime::sleep_for(*world.loop, kPauseNs);
    }
}

// The manifest's, and who is behind the badges of its clients.
std::vector<std::string> ServiceHost::environment() const {
    std::vector<std::string> entries{entry().environment.begin(), entry().environment.end()};
    for (ServiceIndex client = 0; client < shared_.manifest.services.size(); ++client) {
        const ServiceEntry& other = shared_.manifest.services[client];
        const bool uses = std::ranges::any_of(other.grants, [&](const GrantEntry& grant) {
            return grant.source == GrantSource::endpoint && grant.service == entry().name;
        });
        if (uses) entries.push_back("client." + std::to_string(client_badge(client)) + "=" + std::string{other.name});
    }
    return entries;
}

Task<void> ServiceHost::kill() {
    if (process_.present()) co_await process_.kill();
    co_return done;
}

Task<std::optional<EndCause>> ServiceHost::look_at_end() {
    if (!process_.present()) co_return std::nullopt;
    const auto state = co_await process_.state();
    if (!state.ended) co_return std::nullopt;
    if (!state.crashed) co_return state.exit_code == 0 ? EndCause::exit_ok : EndCause::exit_failed;
    const auto crash = co_await process_.crash();
    crash_record.assign(crash.record.begin(), crash.record.end());
    crash_at = shared_.world.loop->now();
    co_return EndCause::crash;
}

Task<void> ServiceHost::clean_up() {
    process_.reset();
    if (instance_account_.present()) {
        (void)co_await runtime::attempt(shared_.world.account.revoke(instance_account_));  // what the instance passed on
        instance_account_.reset();
    }
    co_return done;
}

}  // namespace capos::init
