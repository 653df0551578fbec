#include "servers/init/service_graph.h"

#include <algorithm>

namespace capos::init {

namespace {

void add(std::vector<ServiceIndex>& edges, std::optional<ServiceIndex> to) {
    if (to && !std::ranges::contains(edges, *to)) edges.push_back(*to);
}

void sort(Edges& edges) {
    for (auto& one : edges) std::ranges::sort(one);
}

enum class Wanted : u8 { waited_for, all };

Edges grant_edges(const Manifest& manifest, Wanted wanted) {
    Edges edges = restart_edges(manifest);
    for (ServiceIndex i = 0; i < manifest.services.size(); ++i) {
        for (const GrantEntry& grant : manifest.services[i].grants) {
            if (grant.source != GrantSource::endpoint || (grant.weak && wanted == Wanted::waited_for)) continue;
            add(edges[i], find_service(manifest, grant.service));
        }
    }
    sort(edges);
    return edges;
}

// Depth first; a path is as long as there are services at most.
class CycleSearch {
public:
    explicit CycleSearch(const Edges& edges) : edges_{edges}, colours_(edges.size(), Colour::white) {}

    std::vector<std::vector<ServiceIndex>> run() {
        for (ServiceIndex i = 0; i < edges_.size(); ++i) {
            if (colours_[i] == Colour::white) visit(i);
        }
        return std::move(found_);
    }

private:
    enum class Colour : u8 { white, on_path, done };

    void visit(ServiceIndex at) {
        colours_[at] = Colour::on_path;
        path_.push_back(at);
        for (const ServiceIndex next : edges_[at]) {
            if (colours_[next] == Colour::white) visit(next);
            if (colours_[next] != Colour::on_path) continue;
            std::vector<ServiceIndex> cycle{std::ranges::find(path_, next), path_.end()};
            cycle.push_back(next);
            found_.push_back(std::move(cycle));
        }
        path_.pop_back();
        colours_[at] = Colour::done;
    }

    const Edges& edges_;
    std::vector<Colour> colours_;
    std::vector<ServiceIndex> path_;
    std::vector<std::vector<ServiceIndex>> found_;
};

}  // namespace

std::optional<ServiceIndex> find_service(const Manifest& manifest, std::string_view name) {
    const auto found = std::ranges::find(manifest.services, name, &ServiceEntry::name);
    if (found == manifest.services.end()) return std::nullopt;
    return static_cast<ServiceIndex>(found - manifest.services.begin());
}

const EndpointEntry* find_endpoint(const ServiceEntry& service, std::string_view name) {
    const auto found = std::ranges::find(service.endpoints, name, &EndpointEntry::name);
    return found == service.endpoints.end() ? nullptr : &*found;
}

Edges start_edges(const Manifest& manifest) { return grant_edges(manifest, Wanted::waited_for); }

Edges use_edges(const Manifest& manifest) { return grant_edges(manifest, Wanted::all); }

Edges restart_edges(const Manifest& manifest) {
    Edges edges(manifest.services.size());
    for (ServiceIndex i = 0; i < manifest.services.size(); ++i) {
        for (const std::string_view name : manifest.services[i].restart.needs) add(edges[i], find_service(manifest, name));
    }
    sort(edges);
    return edges;
}

Edges stop_edges(const Manifest& manifest) {
    const Edges starts = start_edges(manifest);
    Edges edges(manifest.services.size());
    for (ServiceIndex client = 0; client < starts.size(); ++client) {
        for (const ServiceIndex server : starts[client]) add(edges[server], client);
    }
    for (ServiceIndex i = 0; i < manifest.services.size(); ++i) {
        for (const std::string_view name : manifest.services[i].stop_after) add(edges[i], find_service(manifest, name));
    }
    sort(edges);
    return edges;
}

std::vector<std::vector<ServiceIndex>> cycles(const Edges& edges) { return CycleSearch{edges}.run(); }

std::vector<ServiceIndex> path(const Edges& edges, ServiceIndex from, ServiceIndex to) {
    std::vector<std::optional<ServiceIndex>> reached_from(edges.size());
    std::vector<ServiceIndex> reached{from};
    for (usize i = 0; i < reached.size(); ++i) {
        for (const ServiceIndex next : edges[reached[i]]) {
            if (reached_from[next]) continue;
            reached_from[next] = reached[i];
            reached.push_back(next);
            if (next != to) continue;
            std::vector<ServiceIndex> steps{to};
            do {
                steps.push_back(*reached_from[steps.back()]);
            } while (steps.back() != from);
            std::ranges::reverse(steps);
            return steps;
        }
    }
    return {};
}

}  // namespace capos::init
