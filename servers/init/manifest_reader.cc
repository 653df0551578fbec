#include "servers/init/manifest_reader.h"

#include "idl/manifest_messages.h"

namespace capos::init {

namespace {

std::vector<std::string_view> texts(const idl::List<std::string_view>& list) { return {list.begin(), list.end()}; }

// An enumerant of the message as ours: the values are the same, and unknown ones stay unknown.
template <typename To, typename From>
To same(From value) {
    return static_cast<To>(static_cast<u16>(value));
}

GrantEntry read(const idl::GrantEntry& from) {
    return {.name = from.name,
            .source = same<GrantSource>(from.source),
            .service = from.service,
            .endpoint = from.endpoint,
            .interface_id = from.interface_id,
            .weak = from.weak,
            .object = same<KernelObject>(from.object),
            .first = from.first,
            .count = from.count,
            .file = from.file};
}

ServiceEntry read(const idl::ServiceEntry& from) {
    ServiceEntry to;
    to.name = from.name;
    to.binary = from.binary;
    to.arguments = texts(from.arguments);
    to.environment = texts(from.environment);
    to.priority = from.priority;
    to.limits = {.memory_kib = from.limits.memory_kib, .objects = from.limits.objects, .nodes = from.limits.nodes};
    to.ring = {.region_kib = from.ring.region_kib,
               .submissions = from.ring.submissions,
               .completions = from.ring.completions,
               .stack_kib = from.ring.stack_kib,
               .slots = from.ring.slots};
    for (const idl::EndpointEntry endpoint : from.endpoints) {
        to.endpoints.push_back({endpoint.name, endpoint.interface, endpoint.interface_id});
    }
    for (const idl::GrantEntry grant : from.grants) to.grants.push_back(read(grant));
    to.restart = {.on = same<RestartOn>(from.restart.on),
                  .times = from.restart.times,
                  .window_s = from.restart.window_s,
                  .needs = texts(from.restart.needs)};
    to.required = from.required;
    to.manual = from.manual;
    to.ready_ms = from.ready_ms;
    to.stop_ms = from.stop_ms;
    to.no_ping = from.no_ping;
    to.stop_after = texts(from.stop_after);
    to.inspect_never = from.inspect_never;
    to.state_kib = from.state_kib;
    return to;
}

}  // namespace

std::optional<Manifest> read_manifest(std::span<const std::byte> message) {
    const auto from = idl::Manifest::decode(message, 0);
    if (!from) return std::nullopt;
    Manifest to{.version = from->version,
                .name = from->name,
                .profile = same<SystemProfile>(from->profile),
                .dma = same<DmaPolicy>(from->dma),
                .speculation = same<SpeculationPolicy>(from->speculation),
                .memory_kib = from->memory_kib};
    for (const idl::ServiceEntry service : from->services) to.services.push_back(read(service));
    return to;
}

}  // namespace capos::init
