// io_ports.h - who has claimed which I/O ports. A port has one claim at most, and none that the kernel keeps for itself; every
// access is a call of the kernel, so a claim that is dead reaches no port.
//
// Guarded by the kernel lock. Rule: the kernel prints on its console while no live claim holds a port of it, and in a panic.
#pragma once

#include "core/object.h"
#include "core/tree.h"

namespace capos::kernel {

struct PortRange {
    u32 first{};
    u32 count{};

    constexpr u64 end() const { return u64{first} + count; }
    constexpr bool overlaps(PortRange other) const { return first < other.end() && other.first < end(); }
    // True if `width` ports from the `offset`-th on belong to the range.
    constexpr bool holds(u32 offset, u32 width = 1) const { return offset < count && width <= count - offset; }
};
inline constexpr u32 kPortsMax = 65536;

class IoPorts : public Object {
public:
    explicit IoPorts(PortRange ports) : Object{ObjectType::io_ports}, range{ports} {}

    PortRange range;
    TreeLink<IoPorts> claim_link;  // in Kernel::port_claims_, from the claim to its release
};
constexpr u64 port_key(const IoPorts& ports) { return ports.range.first; }
using PortClaims = Tree<IoPorts, &IoPorts::claim_link, port_key>;

}  // namespace capos::kernel
