#include "servers/init/manifest_reader.h"

namespace capos::init {

namespace {

template <typename T>
std::vector<T> all_of(const idl::List<T>& list) {
    return {list.begin(), list.end()};
}

ServiceEntry read(const idl::ServiceEntry& from) {
    ServiceEntry to;
    to.name = from.name;
    to.binary = from.binary;
    to.arguments = all_of(from.arguments);
    to.environment = all_of(from.environment);
    to.priority = from.priority;
    to.limits = from.limits;
    to.ring = from.ring;
    to.endpoints = all_of(from.endpoints);
    to.grants = all_of(from.grants);
    to.restart = {.on = from.restart.on,
                  .times = from.restart.times,
                  .window_s = from.restart.window_s,
                  .needs = all_of(from.restart.needs)};
    to.required = from.required;
    to.manual = from.manual;
    to.ready_ms = from.ready_ms;
    to.stop_ms = from.stop_ms;
    to.no_ping = from.no_ping;
    to.stop_after = all_of(from.stop_after);
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
                .profile = from->profile,
                .dma = from->dma,
                .speculation = from->speculation,
                .memory_kib = from->memory_kib};
    for (const idl::ServiceEntry service : from->services) to.services.push_back(read(service));
    return to;
}

}  // namespace capos::init
