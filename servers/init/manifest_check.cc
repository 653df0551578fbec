#include "servers/init/manifest_check.h"

#include <algorithm>
#include <bit>

#include "servers/init/service_graph.h"

namespace capos::init {

namespace {

constexpr u32 kPriorityMax = 30, kEntriesMax = 512, kRegionKibMax = 2048, kStackKibMax = 8192, kSlotsMax = 16384;
constexpr u64 kMemoryKibMax = u64{1} << 32;  // 4 TiB: sums of 60 of them don't wrap
constexpr u32 kStateKibMax = 1 << 20, kSecondsMax = 24 * 3600, kMillisecondsMax = 600'000;
constexpr u32 kPortsEnd = 0x1'0000, kIsaLines = 16, kIsaCascade = 2;
constexpr usize kTextsMax = 32;  // arguments, or environment entries, of one service

// What init gives to every service, so that a grant cannot be called so. A grant `log` takes the place of the kernel's log.
constexpr std::string_view kOwnNames[] = {"process", "thread", "space", "account", "clock", "entropy", "control", "state"};
constexpr std::string_view kReservedServices[] = {"init", "kernel", "boot"};

std::string quoted(std::string_view name) { return "`" + std::string{name} + "`"; }

bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool name_character(char c) { return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-'; }

template <typename Enum>
bool known(Enum value, Enum last) {
    return static_cast<u16>(value) <= static_cast<u16>(last);
}

class Checker {
public:
    Checker(const Manifest& manifest, const Surroundings& surroundings) : manifest_{manifest}, surroundings_{surroundings} {}

    std::vector<std::string> run() {
        if (manifest_.version != kManifestVersion) {
            problem("the manifest has version " + std::to_string(manifest_.version) + "; this system reads version " +
                    std::to_string(kManifestVersion));
            return std::move(problems_);  // nothing else in it can be trusted to mean what it says
        }
        check_whole();
        for (const ServiceEntry& service : manifest_.services) check_service(service);
        check_devices();
        if (!duplicates_) check_order();  // with two services of one name it would blame the wrong one
        return std::move(problems_);
    }

private:
    void problem(std::string text) { problems_.push_back(std::move(text)); }
    void problem(const ServiceEntry& service, const std::string& text) {
        problem("service " + quoted(service.name) + ": " + text);
    }

    void check_whole() {
        if (manifest_.services.empty()) problem("there is no service");
        if (manifest_.services.size() > kServicesMax) {
            problem(std::to_string(manifest_.services.size()) + " services; at most " + std::to_string(kServicesMax));
        }
        if (!manifest_.services.empty() && !std::ranges::any_of(manifest_.services, &ServiceEntry::required)) {
            problem("no service is required, so a system in which nothing runs would count as up");
        }
        if (!known(manifest_.profile, SystemProfile::development)) problem("`profile` has an unknown value");
        if (!known(manifest_.dma, DmaPolicy::unprotected)) problem("`dma` has an unknown value");
        if (!known(manifest_.speculation, SpeculationPolicy::unsafe)) problem("`speculation` has an unknown value");
        duplicates_ = !check_unique(manifest_.services, "two services are called ");
        check_sums();
    }

    // One problem for each name that comes more than once. True if there is none.
    template <typename Entries>
    bool check_unique(const Entries& entries, const std::string& what) {
        std::vector<std::string_view> names;
        for (const auto& entry : entries) names.push_back(entry.name);
        std::ranges::sort(names);
        bool unique = true;
        for (usize i = 1; i < names.size(); ++i) {
            if (names[i] != names[i - 1]) continue;
            unique = false;
            if (i == 1 || names[i] != names[i - 2]) problem(what + quoted(names[i]));
        }
        return unique;
    }

    void check_sums() {
        u64 memory = kInitShareKib, objects = 0, nodes = 0;
        for (const ServiceEntry& service : manifest_.services) {
            memory += std::min(service.limits.memory_kib, kMemoryKibMax) + service.state_kib;
            objects += service.limits.objects;
            nodes += service.limits.nodes;
        }
        const auto compare = [&](u64 wanted, u64 there, const std::string& what) {
            if (there == 0 || wanted <= there) return;
            problem("the limits of all services take " + std::to_string(wanted) + " " + what + "; there are " +
                    std::to_string(there));
        };
        compare(memory, manifest_.memory_kib, "KiB of memory on the smallest machine, init's share included");
        compare(memory, surroundings_.memory_kib, "KiB of memory, init's share included");
        compare(objects, surroundings_.objects, "kernel objects");
        compare(nodes, surroundings_.nodes, "capability nodes");
    }

    void check_service(const ServiceEntry& service) {
        check_name(service, "the name", service.name);
        if (std::ranges::contains(kReservedServices, service.name)) problem(service, "the name is reserved");
        check_file(service, "binary", service.binary);
        check_texts(service);
        check_numbers(service);
        check_restart(service);
        check_endpoints(service);
        if (service.grants.size() > kGrantsMax) {
            problem(service, std::to_string(service.grants.size()) + " grants; at most " + std::to_string(kGrantsMax));
        }
        check_names_of_capabilities(service);
        for (const GrantEntry& grant : service.grants) check_grant(service, grant);
        for (const std::string_view name : service.stop_after) check_reference(service, "stop_after", name);
        if (service.required && service.manual) problem(service, "it is required, and started by hand only");
    }

    void check_name(const ServiceEntry& service, const std::string& what, std::string_view name) {
        if (name.size() > kNameBytesMax) {
            problem(service, what + " " + quoted(name) + " is longer than " + std::to_string(kNameBytesMax) + " characters");
        }
        if (name.empty() || !letter(name.front()) || !std::ranges::all_of(name, name_character)) {
            problem(service, what + " " + quoted(name) + " is not a letter followed by letters, digits, `_` and `-`");
        }
    }

    void check_file(const ServiceEntry& service, const std::string& what, std::string_view file) {
        if (file.empty()) {
            problem(service, what + ": no file is named");
        } else if (!std::ranges::contains(surroundings_.files, file)) {
            problem(service, what + ": the boot archive has no file " + quoted(file));
        }
    }

    void check_texts(const ServiceEntry& service) {
        usize bytes = service.name.size() + 1;
        for (const auto* texts : {&service.arguments, &service.environment}) {
            if (texts->size() > kTextsMax) {
                problem(service, "more than " + std::to_string(kTextsMax) + " arguments or variables");
            }
            for (const std::string_view text : *texts) {
                bytes += text.size() + 1;
                if (text.contains('\0')) problem(service, "an argument or variable contains a NUL character");
            }
        }
        for (const std::string_view entry : service.environment) {
            if (entry.find('=') == 0 || !entry.contains('=')) {
                problem(service, "environment entry " + quoted(entry) + " is not NAME=value");
            }
        }
        if (bytes > kStartTextsBytesMax) {
            problem(service, "name, arguments and environment take " + std::to_string(bytes) + " bytes; at most " +
                                 std::to_string(kStartTextsBytesMax));
        }
    }

    void check_range(const ServiceEntry& service, const std::string& what, u64 value, u64 low, u64 high) {
        if (value >= low && value <= high) return;
        problem(service, what + " is " + std::to_string(value) + "; it can be " + std::to_string(low) + " to " +
                             std::to_string(high));
    }

    void check_numbers(const ServiceEntry& service) {
        check_range(service, "priority", service.priority, 0, kPriorityMax);
        check_range(service, "memory", service.limits.memory_kib, 64, kMemoryKibMax);
        if (service.limits.memory_kib % 4 != 0) problem(service, "memory is not a multiple of 4 KiB");
        check_range(service, "objects", service.limits.objects, 8, 1 << 20);
        check_range(service, "nodes", service.limits.nodes, 8, 1 << 20);
        check_range(service, "state", service.state_kib, 0, kStateKibMax);
        if (service.state_kib % 4 != 0) problem(service, "state is not a multiple of 4 KiB");
        check_range(service, "ready_ms", service.ready_ms, 0, kMillisecondsMax);
        check_range(service, "stop_ms", service.stop_ms, 0, kMillisecondsMax);
        check_ring(service);
    }

    void check_ring(const ServiceEntry& service) {
        const RingGeometry& ring = service.ring;
        const u32 region = or_default(ring.region_kib, kRegionKibDefault);
        const u32 submissions = or_default(ring.submissions, kSubmissionsDefault);
        const u32 completions = or_default(ring.completions, kCompletionsDefault);
        const auto power = [&](const std::string& what, u32 value, u32 high) {
            if (!std::has_single_bit(value) || value > high) {
                problem(service, what + " is " + std::to_string(value) + "; it is a power of two, at most " +
                                     std::to_string(high));
            }
        };
        power("ring.region_kib", region, kRegionKibMax);
        power("ring.submissions", submissions, kEntriesMax);
        power("ring.completions", completions, kEntriesMax);
        // Header and queues of 64 and 32 bytes an entry in whole pages, and at least a page of arena.
        const u64 queues_kib = (256 + u64{submissions} * 64 + u64{completions} * 32 + 4095) / 4096 * 4;
        if (region < queues_kib + 4) problem(service, "ring.region_kib leaves no page for messages");
        check_range(service, "ring.stack_kib", or_default(ring.stack_kib, kStackKibDefault), 16, kStackKibMax);
        check_range(service, "ring.slots", or_default(ring.slots, kSlotsDefault), 1, kSlotsMax);
    }

    void check_restart(const ServiceEntry& service) {
        if (!known(service.restart.on, RestartOn::never)) problem(service, "restart.on has an unknown value");
        check_range(service, "restart.times", service.restart.times, 0, kRestartTimesMax);
        check_range(service, "restart.window_s", service.restart.window_s, 0, kSecondsMax);
        for (const std::string_view name : service.restart.needs) {
            check_reference(service, "restart.needs", name);
            const auto need = find_service(manifest_, name);
            if (need && manifest_.services[*need].manual && !service.manual) {
                problem(service, "restart.needs: " + quoted(name) + " is started by hand only");
            }
        }
    }

    void check_endpoints(const ServiceEntry& service) {
        if (service.endpoints.size() > kEndpointsMax) {
            problem(service, std::to_string(service.endpoints.size()) + " endpoints; at most " + std::to_string(kEndpointsMax));
        }
        for (const EndpointEntry& endpoint : service.endpoints) {
            check_name(service, "the endpoint's name", endpoint.name);
            if (endpoint.name == "log") problem(service, "an endpoint cannot be called `log`, as the kernel's log is");
            if (endpoint.interface_id == 0) problem(service, "endpoint " + quoted(endpoint.name) + " has no interface");
        }
    }

    // Endpoints, grants and what every service has stand side by side in the start-up message.
    void check_names_of_capabilities(const ServiceEntry& service) {
        struct Named {
            std::string_view name;
        };
        std::vector<Named> names;
        for (const EndpointEntry& endpoint : service.endpoints) names.push_back({endpoint.name});
        for (const GrantEntry& grant : service.grants) names.push_back({grant.name});
        check_unique(names, "service " + quoted(service.name) + ": two of its capabilities are called ");
        for (const Named& one : names) {
            if (std::ranges::contains(kOwnNames, one.name)) {
                problem(service, quoted(one.name) + " is the name of something that every service has");
            }
        }
    }

    void check_grant(const ServiceEntry& service, const GrantEntry& grant) {
        check_name(service, "the grant's name", grant.name);
        const std::string where = "grant " + quoted(grant.name);
        switch (grant.source) {
            case GrantSource::endpoint: return check_endpoint_grant(service, grant, where + ": ");
            case GrantSource::kernel: return check_kernel_grant(service, grant, where + ": ");
            case GrantSource::file: return check_file(service, where, grant.file);
            case GrantSource::supervisor:
            case GrantSource::archive: return;
        }
        problem(service, where + ": unknown source");
    }

    void check_endpoint_grant(const ServiceEntry& service, const GrantEntry& grant, const std::string& where) {
        const auto owner = find_service(manifest_, grant.service);
        if (!owner) return problem(service, where + "there is no service " + quoted(grant.service));
        const ServiceEntry& server = manifest_.services[*owner];
        const EndpointEntry* endpoint = find_endpoint(server, grant.endpoint);
        if (endpoint == nullptr) {
            return problem(service, where + "service " + quoted(server.name) + " has no endpoint " + quoted(grant.endpoint));
        }
        if (grant.interface_id != 0 && grant.interface_id != endpoint->interface_id) {
            problem(service, where + "another interface is expected than " + quoted(endpoint->interface) + ", which " +
                                 quoted(server.name) + " serves there");
        }
        if (server.priority < service.priority) {
            problem(service, where + "its priority " + std::to_string(service.priority) + " is above that of " +
                                 quoted(server.name) + ", " + std::to_string(server.priority));
        }
        if (server.manual && !service.manual && !grant.weak) {
            problem(service, where + "it would wait for " + quoted(server.name) + ", which is started by hand only");
        }
    }

    void check_kernel_grant(const ServiceEntry& service, const GrantEntry& grant, const std::string& where) {
        switch (grant.object) {
            case KernelObject::power:
            case KernelObject::platform:
            case KernelObject::profile:
                if (grant.first != 0 || grant.count != 0) problem(service, where + "this object has no range");
                return;
            case KernelObject::ports:
                if (grant.count == 0 || grant.first >= kPortsEnd || grant.count > kPortsEnd - grant.first) {
                    problem(service, where + "there are no " + std::to_string(grant.count) + " I/O ports from " +
                                         std::to_string(grant.first));
                }
                return;
            case KernelObject::interrupt:
                if (grant.first >= kIsaLines || grant.first == kIsaCascade) {
                    problem(service, where + "there is no interrupt line " + std::to_string(grant.first) + " to be had");
                }
                if (grant.count != 0) problem(service, where + "an interrupt is one line, without a count");
                return;
            case KernelObject::none: break;
        }
        problem(service, where + "it names no object of the kernel");
    }

    void check_reference(const ServiceEntry& service, const std::string& what, std::string_view name) {
        if (!find_service(manifest_, name)) problem(service, what + ": there is no service " + quoted(name));
    }

    struct DeviceGrant {
        const ServiceEntry* service;
        const GrantEntry* grant;
        u64 end() const { return u64{grant->first} + grant->count; }
    };

    // Each port and each interrupt line has one holder.
    void check_devices() {
        std::vector<DeviceGrant> ports, lines;
        for (const ServiceEntry& service : manifest_.services) {
            for (const GrantEntry& grant : service.grants) {
                if (grant.source != GrantSource::kernel) continue;
                if (grant.object == KernelObject::ports) ports.push_back({&service, &grant});
                if (grant.object == KernelObject::interrupt) lines.push_back({&service, &grant});
            }
        }
        const auto each_pair = [&](const std::vector<DeviceGrant>& grants, auto clash, const std::string& what) {
            for (usize i = 0; i < grants.size(); ++i) {
                for (usize j = 0; j < i; ++j) {
                    if (!clash(grants[j], grants[i])) continue;
                    problem(*grants[i].service, "grant " + quoted(grants[i].grant->name) + ": " + what + " in grant " +
                                                    quoted(grants[j].grant->name) + " of " + quoted(grants[j].service->name));
                }
            }
        };
        each_pair(
            ports,
            [](const DeviceGrant& a, const DeviceGrant& b) { return a.grant->first < b.end() && b.grant->first < a.end(); },
            "the same I/O ports are");
        each_pair(
            lines, [](const DeviceGrant& a, const DeviceGrant& b) { return a.grant->first == b.grant->first; },
            "the same interrupt line is");
    }

    std::string steps(const std::vector<ServiceIndex>& path, const std::string& arrow) const {
        std::string text;
        for (const ServiceIndex step : path) text += (text.empty() ? "" : arrow) + quoted(manifest_.services[step].name);
        return text;
    }

    void check_order() {
        // Whoever waits for each other at the start does so at the end, too: said once.
        const auto at_start = cycles(start_edges(manifest_));
        const auto at_end = at_start.empty() ? cycles(stop_edges(manifest_)) : at_start;
        const std::string when = at_start.empty() ? "at the end" : "at the start";
        for (const auto& cycle : at_end) problem(when + " these wait for each other: " + steps(cycle, " for "));
        const Edges uses = use_edges(manifest_), needs = restart_edges(manifest_);
        for (ServiceIndex i = 0; i < manifest_.services.size(); ++i) {
            for (const ServiceIndex need : needs[i]) {
                const auto way = need == i ? std::vector{i} : path(uses, need, i);
                if (!way.empty()) problem(manifest_.services[i], "restarting it needs itself: " + steps(way, ", which uses "));
            }
        }
    }

    const Manifest& manifest_;
    const Surroundings& surroundings_;
    std::vector<std::string> problems_;
    bool duplicates_{};
};

}  // namespace

std::vector<std::string> check_manifest(const Manifest& manifest, const Surroundings& surroundings) {
    return Checker{manifest, surroundings}.run();
}

}  // namespace capos::init
