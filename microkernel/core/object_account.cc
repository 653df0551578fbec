// Methods of Account: whatever is made is made here, and paid for here.

#include <algorithm>

#include "core/kernel.h"

namespace capos::kernel {

namespace {
constexpr u32 kRevokePerStep = 32;
}

KernelResult<Kernel::Restart> Kernel::call_account(ObjectCall& call) {
    auto& account = static_cast<Account&>(*call.node.object);
    switch (call.method()) {
        case idl::Account::CreateAccount::kOrdinal: {
            const auto params = TRY(call.decode<idl::Account::CreateAccount>());
            TRY(call.reserve(1));
            const Resources limit{.frames = params.frames, .objects = params.objects, .nodes = params.nodes};
            // One more of each is the child itself; the sum must not wrap.
            if (limit.objects == ~u32{0} || limit.nodes == ~u32{0}) return fail(Status::quota);
            Account* child = TRY(make_object<Account>(account, Interface::account, limit, limit));
            child->name.set(params.name);
            call.give(*child->root);
            return call.reply(idl::Account::CreateAccount::Results{.account = {0}});
        }
        case idl::Account::CreateMemory::kOrdinal: {
            const auto params = TRY(call.decode<idl::Account::CreateMemory>());
            if (params.bytes == 0 || params.bytes % kPageBytes != 0 || params.bytes / kPageBytes > Memory::kPagesMax) {
                return fail(Status::bad_argument);
            }
            TRY(call.reserve(1));
            const PageCount pages{params.bytes / kPageBytes};
            Memory* memory = TRY(make_object<Memory>(account, Interface::memory,
                                                     Resources{.frames = Memory::frames_charged(pages)}, pages));
            call.give(*memory->root);
            return call.reply(idl::Account::CreateMemory::Results{.memory = {0}});
        }
        case idl::Account::CreateEndpoint::kOrdinal: {
            const auto params = TRY(call.decode<idl::Account::CreateEndpoint>());
            TRY(call.reserve(1));
            Endpoint* endpoint = TRY(make_object<Endpoint>(account, Interface::endpoint, {}));
            endpoint->name.set(params.name);
            call.give(*endpoint->root);
            return call.reply(idl::Account::CreateEndpoint::Results{.endpoint = {0}});
        }
        case idl::Account::CreateNotification::kOrdinal: {
            TRY(call.decode<idl::Account::CreateNotification>());
            TRY(call.reserve(1));
            Notification* notification = TRY(make_object<Notification>(account, Interface::notification, {}));
            call.give(*notification->root);
            return call.reply(idl::Account::CreateNotification::Results{.notification = {0}});
        }
        case idl::Account::CreateProcess::kOrdinal: {
            const auto params = TRY(call.decode<idl::Account::CreateProcess>());
            if (params.slots > CapabilityTable::kSlotsMax) return fail(Status::bad_argument);
            TRY(call.reserve(2));
            Process* process = TRY(make_process(account, std::max(params.slots, u32{1}), params.name));
            call.give(*process->root);
            call.give(*process->space->root);
            return call.reply(idl::Account::CreateProcess::Results{.process = {0}, .space = {1}});
        }
        case idl::Account::Usage::kOrdinal: {
            TRY(call.decode<idl::Account::Usage>());
            const Resources used = account.used(), limit = account.limit();
            return call.reply(idl::Account::Usage::Results{.frames = used.frames,
                                                           .frames_limit = limit.frames,
                                                           .objects = used.objects,
                                                           .objects_limit = limit.objects,
                                                           .nodes = used.nodes,
                                                           .nodes_limit = limit.nodes});
        }
        case idl::Account::Derive::kOrdinal: {
            const auto params = TRY(call.decode<idl::Account::Derive>());
            Node* parent = TRY(call.argument(params.capability));
            TRY(call.reserve(1));
            Node* child = TRY(nodes_.derive(*parent, parent->interface, parent->badge, account));
            child->incarnation = parent->incarnation;
            call.give(*child);
            return call.reply(idl::Account::Derive::Results{.capability = {0}});
        }
        case idl::Account::Revoke::kOrdinal: {
            const auto params = TRY(call.decode<idl::Account::Revoke>());
            Node* top = TRY(call.argument(params.capability));
            u32 budget = kRevokePerStep;
            const bool done_below = nodes_.kill_below_step(*top, budget);
            if (top->notice_link.linked()) top->notice_link.unlink();
            if (!done_below) {
                call.caller.revoking.push_back(*top);
                return Restart::again;
            }
            // What was linked to the nodes goes now, in this thread's time.
            if (!consequences_.ended.empty() || !losing_.empty()) {
                do_work(1);
                return Restart::again;
            }
            // The last one that waits for other CPUs to forget it is done after all before it.
            if (Region* last = retiring_.back()) return defer(call, last->waiters);
            return call.reply(idl::Account::Revoke::Results{});
        }
        default: return fail(Status::unimplemented);
    }
}

}  // namespace capos::kernel
