// node.h - capability nodes: the tree of who derived which authority from whom.
//
// A node is (object, interface, badge, parent). Copying a capability makes another slot that names the same node; `derive` and
// mint make a child node, charged to the account of the process that asked. Killing a node bumps its generation: every slot,
// queued message and mapping that names it fails from that instant, without being visited.
//
// Guarded by the kernel lock. A node lives in one type-stable pool, so that a stale reference reads a node, never garbage.
#pragma once

#include "core/object.h"
#include "core/pool.h"

namespace capos::kernel {

// What a capability lets its holder do. The interface is the permission; there is no rights mask.
enum class Interface : u8 {
    none,
    account,
    process,
    thread,
    address_space,
    memory,
    readable_memory,
    endpoint,
    receiver,
    facet,  // a served object: interface and method are the server's business
    notification,
    io_ports,
    interrupt,
    clock,
    kernel_log,
    entropy,
    power,
    platform_info,
    profile,
    io_port_space,
    interrupt_space,
};

inline constexpr u8 kNodeDepthMax = 16;

// A reference that notices the node's death.
struct NodeRef {
    Node* node{};
    u32 generation{};

    inline Node* get() const;
};

// What ends together with the node that it was made through: a mapping, a queued call, a RECEIVE, a received call.
struct NodeUse {
    enum class Kind : u8 { region, pending, received };
    Kind kind;
    NodeRef through;
    ListLink use_link;  // in Node::uses

    explicit NodeUse(Kind k) : kind{k} {}
};

struct Node {
    u32 generation{};
    Interface interface{Interface::none};
    u8 depth{};
    bool alive{};
    bool notice_pending{};  // a facet without holders: queued at its endpoint until the server takes the notice
    u32 references{};       // slots, queued calls, mappings and reservations that name this node
    u32 incarnation{};      // facet: the receiver's generation in which it was minted
    Object* object{};
    Account* account{};  // pays for the node
    u64 badge{};
    Node* parent{};
    Node* first_child{};
    Node* next_sibling{};
    Node** sibling_slot{};  // the pointer that points to this node, for removal in constant time
    List<NodeUse, &NodeUse::use_link> uses;
    ListLink notice_link;   // in Endpoint::notices, or a revoke of what descends from it is not finished: Thread::revoking,
                            // Consequences::revoking
    ListLink account_link;  // in Account::nodes, unless it is the root of an object, which the account has anyway

    NodeRef ref() { return NodeRef{this, generation}; }
    // A node serves no purpose and is freed when nothing names it and nothing descends from it.
    bool unused() const { return references == 0 && first_child == nullptr && !notice_pending; }
};

inline Node* NodeRef::get() const {
    return node != nullptr && node->alive && node->generation == generation && !node->object->dead ? node : nullptr;
}

}  // namespace capos::kernel
