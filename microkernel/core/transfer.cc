// Capabilities in messages: resolved in the sender's table at the moment of delivery, all or none, and installed in the
// receiver's, where their slots were reserved before.

#include <algorithm>

#include "core/kernel.h"

namespace capos::kernel {

namespace {

u64 read_id(const std::byte* list, u32 index) { return read_shared_word(list + index * sizeof(u64)); }

}  // namespace

KernelResult<void> Kernel::resolve(Thread& sender, u32 offset, u8 count, Transfer& transfer) {
    const std::byte* list = sender.ring.arena(offset);
    for (u32 i = 0; i < count; ++i) {
        const u64 word = read_id(list, i);
        const abi::CapId id{word & ~abi::kMove};
        transfer.nodes[i] = TRY(sender.process().table.lookup(nodes_, id));
        if ((word & abi::kMove) != 0) transfer.moved[transfer.moves++] = id;
    }
    transfer.count = count;
    return done;
}

// Installs at most `room` of the capabilities, into slots that were reserved; returns how many, their ids in `installed`. A
// facet that arrives where its own endpoint is served is named by its badge, and its reserved slot is free again.
u8 Kernel::install(Transfer& transfer, u8 room, Process& receiver) {
    const u8 count = std::min(transfer.count, room);
    for (u8 i = 0; i < count; ++i) {
        Node& node = *transfer.nodes[i];
        if (node.interface == Interface::facet && static_cast<Endpoint*>(node.object)->served_by(receiver.pid)) {
            transfer.installed[i] = abi::kBadgeEntry | node.badge;
            receiver.table.unreserve(1);
            continue;
        }
        transfer.installed[i] = receiver.table.install_reserved(node, nodes_).value;
    }
    return count;
}

void Kernel::remove_moved(Thread& sender, const Transfer& transfer) {
    for (u8 i = 0; i < transfer.moves; ++i) {
        // The same id twice in one list moves once.
        (void)sender.process().table.release(transfer.moved[i], nodes_).has_value();
    }
}

}  // namespace capos::kernel
