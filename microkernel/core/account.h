// account.h - who pays. An account has limits on frames, objects and nodes; a child's limits are carved out of its parent's, so
// that a charge touches one account and the sum of all limits is what the machine has.
//
// Guarded by the kernel lock. Invariant: used <= limit for each resource, where used counts charges and children's limits.
// Exhaustion is an error to the one who asked, never a failure of the kernel.
#pragma once

#include "abi/status.h"
#include "core/node.h"
#include "formats/support/result.h"

namespace capos::kernel {

template <typename T>
using KernelResult = Result<T, Status>;

struct Resources {
    u64 frames{};
    u32 objects{};
    u32 nodes{};

    constexpr bool operator==(const Resources&) const = default;
};

class Account : public Object {
public:
    explicit Account(Resources limit) : Object{ObjectType::account}, limit_{limit} {}

    // All or nothing. Errors: quota.
    KernelResult<void> charge(Resources amount) {
        if (amount.frames > limit_.frames - used_.frames || amount.objects > limit_.objects - used_.objects ||
            amount.nodes > limit_.nodes - used_.nodes) {
            return fail(Status::quota);
        }
        used_.frames += amount.frames;
        used_.objects += amount.objects;
        used_.nodes += amount.nodes;
        return done;
    }
    void refund(Resources amount) {
        KERNEL_ASSERT(used_.frames >= amount.frames && used_.objects >= amount.objects && used_.nodes >= amount.nodes);
        used_.frames -= amount.frames;
        used_.objects -= amount.objects;
        used_.nodes -= amount.nodes;
    }

    Resources limit() const { return limit_; }
    Resources used() const { return used_; }
    Account* parent() const { return account; }

    ObjectName name;
    List<Object, &Object::account_link> objects;  // what this account pays for, child accounts among them
    List<Object, &Object::account_link> ending;   // those that end because the account does
    List<Node, &Node::account_link> nodes;        // derived and minted nodes that it pays for

private:
    Resources limit_;
    Resources used_;
};

}  // namespace capos::kernel
