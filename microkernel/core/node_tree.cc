#include "core/node_tree.h"

#include "core/endpoint.h"

namespace capos::kernel {

Node& NodeTree::take(Object& object, Interface interface, Account* payer) {
    KERNEL_ASSERT(free_ != nullptr || fresh_ < capacity_);  // the limits of all accounts together are the capacity
    Node* node = free_;
    if (node != nullptr) {
        free_ = node->next_sibling;
    } else {
        node = new (&nodes_[fresh_++]) Node;
    }
    ++used_;
    const u32 generation = node->generation + 1;
    node->~Node();
    new (node) Node;
    node->generation = generation;
    node->interface = interface;
    node->alive = true;
    node->object = &object;
    node->account = payer;
    return *node;
}

Node& NodeTree::make_root(Object& object, Interface interface, Account* payer) {
    KERNEL_ASSERT(object.root == nullptr);
    Node& node = take(object, interface, payer);
    object.root = &node;
    return node;
}

KernelResult<Node*> NodeTree::derive(Node& parent, Interface interface, u64 badge, Account& payer) {
    KERNEL_ASSERT(parent.alive);
    if (parent.depth == kNodeDepthMax) return fail(Status::bad_argument);
    TRY(payer.charge({.nodes = 1}));

    // Point of no return.
    Node& node = take(*parent.object, interface, &payer);
    node.depth = static_cast<u8>(parent.depth + 1);
    node.badge = badge;
    node.parent = &parent;
    node.next_sibling = parent.first_child;
    node.sibling_slot = &parent.first_child;
    if (parent.first_child != nullptr) parent.first_child->sibling_slot = &node.next_sibling;
    parent.first_child = &node;
    payer.nodes.push_back(node);
    return &node;
}

void NodeTree::drop_reference(Node& node) {
    KERNEL_ASSERT(node.references > 0);
    if (--node.references == 0) release(&node);
}

// Walks up while the removal of a child leaves its parent without any use: at most kNodeDepthMax rounds.
void NodeTree::release(Node* node) {
    while (node != nullptr && node->alive && node->unused()) {
        if (node == node->object->root) {
            consequences_.end(*node->object);
            return;
        }
        // One notice for each mint: what was derived from a facet counts as a part of it.
        const bool minted = node->interface == Interface::facet && node->parent->interface != Interface::facet;
        if (minted && !node->object->dead) {
            // Freed when the server has taken the notice. It leaves the tree, so that it does not keep the endpoint alive.
            if (node->notice_link.linked()) node->notice_link.unlink();
            node->notice_pending = true;
            static_cast<Endpoint*>(node->object)->notices.push_back(*node);
            consequences_.look_at(*node->object);
            Node* parent = node->parent;
            leave_parent(*node);
            node = parent;
            continue;
        }
        Node* parent = node->parent;
        kill(*node);
        free_node(*node);
        node = parent;
    }
}

void NodeTree::finish_notice(Node& facet) {
    KERNEL_ASSERT(facet.notice_pending && facet.references == 0);
    kill(facet);
    free_node(facet);
}

void NodeTree::kill(Node& node) {
    KERNEL_ASSERT(node.alive);
    node.alive = false;
    ++node.generation;
    node.references = 0;  // every reference is stale from here on, and its holder will notice
    if (node.notice_link.linked()) node.notice_link.unlink();
    node.notice_pending = false;
}

bool NodeTree::kill_below_step(Node& top, u32& budget) {
    // Down to the first leaf, killing on the way, so that parents die before their children and a dead node cannot derive;
    // then the leaf is freed. The position is in the tree itself: a later step begins at `top` again.
    while (top.first_child != nullptr) {
        Node* node = top.first_child;
        while (true) {
            // Passing a node that is dead already costs nothing: at most kNodeDepthMax of them lie above the one that counts.
            if (node->alive) {
                if (budget == 0) return false;
                --budget;
                kill(*node);
            }
            while (NodeUse* use = node->uses.front()) {
                if (budget == 0) return false;
                --budget;
                node->uses.remove(*use);
                consequences_.ended.push_back(*use);
            }
            if (node->first_child == nullptr) break;
            node = node->first_child;
        }
        if (budget == 0) return false;
        --budget;
        free_node(*node);
    }
    return true;
}

bool NodeTree::kill_all_step(Node& top, u32& budget) {
    if (top.alive) kill(top);
    while (NodeUse* use = top.uses.front()) {
        if (budget == 0) return false;
        --budget;
        top.uses.remove(*use);
        consequences_.ended.push_back(*use);
    }
    if (!kill_below_step(top, budget)) return false;
    if (top.object->root == &top) top.object->root = nullptr;
    Node* parent = top.parent;
    free_node(top);
    release(parent);
    return true;
}

void NodeTree::leave_parent(Node& node) {
    if (node.parent == nullptr) return;
    *node.sibling_slot = node.next_sibling;
    if (node.next_sibling != nullptr) node.next_sibling->sibling_slot = node.sibling_slot;
    node.parent = nullptr;
}

void NodeTree::free_node(Node& node) {
    KERNEL_ASSERT(!node.alive && node.first_child == nullptr && node.uses.empty());
    leave_parent(node);
    if (node.account_link.linked()) node.account_link.unlink();
    if (node.account != nullptr) node.account->refund({.nodes = 1});
    node.account = nullptr;
    node.object = nullptr;
    --used_;
    if (node.generation >= kGenerationLast) return;  // a generation that would wrap retires its node
    node.next_sibling = free_;
    free_ = &node;
}

}  // namespace capos::kernel
