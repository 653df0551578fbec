#include "servers/shell/holdings.h"

#include <algorithm>

namespace capos::shell {

Holdings::Holdings(runtime::Grants& grants) {
    const runtime::StartMessage& start = grants.start();
    for (usize i = 0; i < start.capability_count(); ++i) {
        const runtime::NamedCapability one = start.capability(i);
        all_.push_back({.name = std::string{one.name},
                        .interface_id = one.interface_id,
                        .client = runtime::Client::borrowed(grants.loop(), one.id),
                        .is_given = true});
    }
}

const Holding* Holdings::find(std::string_view name) const {
    const auto found = std::ranges::find(all_, name, &Holding::name);
    return found == all_.end() ? nullptr : &*found;
}

std::string Holdings::free_name(std::string_view wanted) const {
    std::string name{wanted};
    for (usize number = 2; find(name) != nullptr; ++number) name = std::string{wanted} + "-" + std::to_string(number);
    return name;
}

void Holdings::add(std::string name, u64 interface_id, runtime::Client client) {
    all_.push_back({std::move(name), interface_id, std::move(client), false});
}

bool Holdings::drop(std::string_view name) {
    return std::erase_if(all_, [&](const Holding& one) { return one.name == name && !one.is_given; }) != 0;
}

}  // namespace capos::shell
