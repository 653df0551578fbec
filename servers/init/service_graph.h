// service_graph.h - who waits for whom, by the manifest. Pure. Services are named by their index in the manifest; names that
// refer to nothing are left out (manifest_check.h reports them).
#pragma once

#include <optional>
#include <vector>

#include "servers/init/manifest.h"

namespace capos::init {

using ServiceIndex = usize;
using Edges = std::vector<std::vector<ServiceIndex>>;  // of each service, ascending, none twice

std::optional<ServiceIndex> find_service(const Manifest& manifest, std::string_view name);
const EndpointEntry* find_endpoint(const ServiceEntry& service, std::string_view name);

// Services that have to be ready before the first start: those of grants that are not weak, and restart.needs.
Edges start_edges(const Manifest& manifest);
// Services that have to be ready before each further start: restart.needs.
Edges restart_edges(const Manifest& manifest);
// Services whose work another one's work may depend on: those of all grants, and restart.needs.
Edges use_edges(const Manifest& manifest);
// Services that have to have ended before this one is asked to stop: those that wait for it at the start, and stop_after.
Edges stop_edges(const Manifest& manifest);

// Paths that lead back to where they begin, such as {0, 2, 0}: at least one for each set of services that wait for each other.
std::vector<std::vector<ServiceIndex>> cycles(const Edges& edges);
// A shortest path of one step or more; empty when there is none.
std::vector<ServiceIndex> path(const Edges& edges, ServiceIndex from, ServiceIndex to);

}  // namespace capos::init
