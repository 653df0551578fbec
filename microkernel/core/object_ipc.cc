// Methods of Endpoint and Receiver.

#include "core/kernel.h"

namespace capos::kernel {

namespace {
constexpr u32 kRevokePerStep = 16;
}

KernelResult<Kernel::Restart> Kernel::call_endpoint_object(ObjectCall& call) {
    auto& endpoint = static_cast<Endpoint&>(*call.node.object);
    if (call.node.interface == Interface::receiver) {
        if (call.method() != idl::Receiver::Mint::kOrdinal) return fail(Status::unimplemented);
        return mint(call, TRY(call.decode<idl::Receiver::Mint>()).badge);
    }
    switch (call.method()) {
        case idl::Endpoint::Mint::kOrdinal: return mint(call, TRY(call.decode<idl::Endpoint::Mint>()).badge);
        case idl::Endpoint::Receiver::kOrdinal: {
            TRY(call.decode<idl::Endpoint::Receiver>());
            TRY(call.reserve(1));
            if (Node* before = endpoint.receiver.get()) {
                u32 budget = kRevokePerStep;
                if (!nodes_.kill_all_step(*before, budget)) return give_up_slots(call, Restart::again);
            }
            if (!consequences_.ended.empty()) {
                do_work(1);  // the RECEIVE entries of the earlier holder, and what it had received
                return give_up_slots(call, Restart::again);
            }
            Node* receiver = TRY(nodes_.derive(*endpoint.root, Interface::receiver, 0, call.payer()));
            endpoint.receiver = receiver->ref();
            endpoint.server = 0;
            ++endpoint.incarnation;
            consequences_.look_at(endpoint);
            call.give(*receiver);
            return call.reply(idl::Endpoint::Receiver::Results{.receiver = {0}});
        }
        case idl::Endpoint::SetDown::kOrdinal: {
            const auto params = TRY(call.decode<idl::Endpoint::SetDown>());
            endpoint.down = params.down;
            consequences_.look_at(endpoint);
            return call.reply(idl::Endpoint::SetDown::Results{});
        }
        default: return fail(Status::unimplemented);
    }
}

// A facet belongs to the endpoint, not to the receiver: it survives the server that made it.
KernelResult<Kernel::Restart> Kernel::mint(ObjectCall& call, u64 badge) {
    auto& endpoint = static_cast<Endpoint&>(*call.node.object);
    if (badge > abi::kBadgeMax) return fail(Status::bad_argument);
    TRY(call.reserve(1));
    Node* facet = TRY(nodes_.derive(*endpoint.root, Interface::facet, badge, call.payer()));
    facet->incarnation = endpoint.incarnation;
    call.give(*facet);
    return call.reply(idl::Endpoint::Mint::Results{.facet = {0}});
}

// Before a restart: slots are reserved anew then.
Kernel::Restart Kernel::give_up_slots(ObjectCall& call, Restart restart) {
    if (call.record == nullptr) call.caller.process().table.unreserve(call.reserved);
    return restart;
}

}  // namespace capos::kernel
