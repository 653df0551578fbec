// Methods of IoPortSpace and IoPorts, and what claims of I/O ports mean for the kernel's own console.

#include "core/kernel.h"

namespace capos::kernel {

namespace {

constexpr u32 kBulkBytesMax = 16;  // a port access takes about a microsecond, with the lock held: a unit of work

bool valid_width(u8 width) { return width == 1 || width == 2 || width == 4; }

}  // namespace

// The claim, dead or alive, that holds a port of `range`; of several the highest. Null when there is none.
IoPorts* Kernel::claim_of(PortRange range) const {
    IoPorts* claim = port_claims_.at_or_below(range.end() - 1);
    return claim != nullptr && claim->range.overlaps(range) ? claim : nullptr;
}

KernelResult<Kernel::Restart> Kernel::call_port_space(ObjectCall& call) {
    if (call.method() != idl::IoPortSpace::Range::kOrdinal) return fail(Status::unimplemented);
    const auto params = TRY(call.decode<idl::IoPortSpace::Range>());
    if (params.count == 0 || params.first >= kPortsMax || params.count > kPortsMax - params.first) {
        return fail(Status::bad_argument);
    }
    const PortRange range{params.first, params.count};
    for (const PortRange& kept : kept_ports_) {
        if (kept.overlaps(range)) return fail(Status::not_permitted);
    }
    while (IoPorts* claim = claim_of(range)) {
        if (!claim->dead) return fail(Status::exists);
        if (here_->steps_left == 0) return Restart::again;
        spend(1);
        release_ports(*claim);  // the reaper has not come to it
    }
    TRY(call.reserve(1));
    IoPorts* ports = TRY(make_object<IoPorts>(call.payer(), Interface::io_ports, {}, range));

    // Point of no return.
    port_claims_.insert(*ports);
    if (range.overlaps(console_ports_)) log_settings().to_console = false;
    call.give(*ports->root);
    return call.reply(idl::IoPortSpace::Range::Results{.ports = {0}});
}

KernelResult<Kernel::Restart> Kernel::call_ports(ObjectCall& call) {
    const PortRange range = static_cast<IoPorts&>(*call.node.object).range;
    const auto port_at = [&](u32 offset) { return static_cast<u16>(range.first + offset); };
    switch (call.method()) {
        case idl::IoPorts::Extent::kOrdinal:
            TRY(call.decode<idl::IoPorts::Extent>());
            return call.reply(idl::IoPorts::Extent::Results{.first = range.first, .count = range.count});
        case idl::IoPorts::Read::kOrdinal: {
            const auto params = TRY(call.decode<idl::IoPorts::Read>());
            if (!valid_width(params.width) || !range.holds(params.offset, params.width)) return fail(Status::bad_argument);
            spend(1);
            return call.reply(idl::IoPorts::Read::Results{.value = port::read_port(port_at(params.offset), params.width)});
        }
        case idl::IoPorts::Write::kOrdinal: {
            const auto params = TRY(call.decode<idl::IoPorts::Write>());
            if (!valid_width(params.width) || !range.holds(params.offset, params.width) ||
                u64{params.value} >> 8 * params.width != 0) {
                return fail(Status::bad_argument);
            }
            spend(1);
            port::write_port(port_at(params.offset), params.width, params.value);
            return call.reply(idl::IoPorts::Write::Results{});
        }
        case idl::IoPorts::WriteBytes::kOrdinal: {
            const auto params = TRY(call.decode<idl::IoPorts::WriteBytes>());
            if (params.data.size() > kBulkBytesMax || !range.holds(params.offset)) return fail(Status::bad_argument);
            spend(params.data.size());
            for (const std::byte byte : params.data) port::write_port(port_at(params.offset), 1, static_cast<u32>(byte));
            return call.reply(idl::IoPorts::WriteBytes::Results{});
        }
        case idl::IoPorts::ReadWhile::kOrdinal: return read_while(call, range);
        default: return fail(Status::unimplemented);
    }
}

KernelResult<Kernel::Restart> Kernel::read_while(ObjectCall& call, PortRange range) {
    const auto params = TRY(call.decode<idl::IoPorts::ReadWhile>());
    if (params.limit > kBulkBytesMax || !range.holds(params.offset) || !range.holds(params.status) ||
        (params.wanted & ~params.mask) != 0) {
        return fail(Status::bad_argument);
    }
    std::byte data[kBulkBytesMax];
    u32 count = 0;
    u8 seen = 0;
    while (count < params.limit) {
        const auto status = static_cast<u8>(port::read_port(static_cast<u16>(range.first + params.status), 1));
        seen |= status;
        if ((status & params.mask) != params.wanted) break;
        data[count++] = static_cast<std::byte>(port::read_port(static_cast<u16>(range.first + params.offset), 1));
    }
    spend(2 * count + 1);
    return call.reply(idl::IoPorts::ReadWhile::Results{.data = {data, count}, .seen = seen});
}

// Idempotent.
void Kernel::release_ports(IoPorts& ports) {
    if (!ports.claim_link.linked) return;
    port_claims_.erase(ports);
    if (!ports.range.overlaps(console_ports_) || claim_of(console_ports_) != nullptr) return;
    regain_console();
    log(LogLevel::info, "console") << "no driver holds the serial port any more: the kernel prints here again";
}

// The kernel prints on the serial port, whoever drove it last. Idempotent.
void Kernel::regain_console() {
    if (log_settings().to_console) return;
    port::console_reset();
    log_settings().to_console = true;
}

bool Kernel::reap_ports(IoPorts& ports, u32& units) {
    release_ports(ports);
    if (!kill_capabilities(ports, units)) return false;
    ports.~IoPorts();
    free_cell(ports, {});
    return true;
}

}  // namespace capos::kernel
