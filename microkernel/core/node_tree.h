// node_tree.h - makes, counts and kills capability nodes.
//
// Guarded by the kernel lock.
#pragma once

#include "core/account.h"
#include "core/records.h"

namespace capos::kernel {

// What an operation causes elsewhere and leaves to be carried out in bounded steps afterwards. Everything waits on a link of
// its own, so that nothing here allocates or fails.
struct Consequences {
    List<Object, &Object::reap_link> dead;              // objects to take down
    List<Object, &Object::attention_link> attention;    // what may have something to deliver
    List<NodeUse, &NodeUse::use_link> ended;            // mappings, calls and RECEIVEs whose node was killed
    PendingQueue finished;                              // deferred calls that have what they waited for
    List<Node, &Node::notice_link> revoking;            // what descends from them goes; who asked for it has ended

    // No capability to the object works from here on.
    void end(Object& object) {
        if (object.dead) return;
        object.dead = true;
        reap(object);
    }
    // The object, or what it held, is to be taken down.
    void reap(Object& object) {
        if (!object.reap_link.linked()) dead.push_back(object);
    }
    void look_at(Object& object) {
        if (!object.dead && !object.attention_link.linked()) attention.push_back(object);
    }
    // What an operation of the thread that runs has caused, unlike the rest, which is the reaper's.
    bool urgent() const { return !attention.empty() || !ended.empty() || !finished.empty(); }
    bool empty() const { return dead.empty() && revoking.empty() && !urgent(); }
};

class NodeTree {
public:
    explicit NodeTree(Consequences& consequences) : consequences_{consequences} {}
    // `memory` holds the nodes and must outlive the tree; its contents don't matter, and nothing is written yet.
    void initialise(std::span<std::byte> memory) {
        nodes_ = reinterpret_cast<Node*>(memory.data());
        capacity_ = static_cast<u32>(memory.size() / sizeof(Node));
    }
    u32 capacity() const { return capacity_; }
    u32 used() const { return used_; }

    // The first capability to a new object, charged to the object's account by the caller.
    Node& make_root(Object& object, Interface interface, Account* payer);

    // A child of `parent`, charged to `payer`. Errors: quota; bad_argument when the tree would be deeper than kNodeDepthMax.
    KernelResult<Node*> derive(Node& parent, Interface interface, u64 badge, Account& payer);

    void add_reference(Node& node) { ++node.references; }
    // Drops one reference; the last one frees the node, or ends the object, or sends the facet's notice.
    void drop_reference(Node& node);
    // The same for a reference that may have become stale.
    void drop_reference(NodeRef reference) {
        if (Node* node = reference.get()) drop_reference(*node);
    }
    // The server has been told that nobody holds this facet any more: it goes.
    void finish_notice(Node& facet);

    // Makes every reference to this one node fail, at once.
    void kill(Node& node);
    // One bounded step of killing what descends from `top`, parents before children; the second also kills `top`, and frees it
    // last. True when that is done. Handles at most `budget` nodes and uses, and lowers it by what it handled.
    bool kill_below_step(Node& top, u32& budget);
    bool kill_all_step(Node& top, u32& budget);

    u32 index_of(const Node& node) const { return static_cast<u32>(&node - nodes_); }
    // Null unless the node at `index` is alive with that generation. `index` came from index_of.
    Node* get(u32 index, u32 generation) const { return NodeRef{&nodes_[index], generation}.get(); }

private:
    static constexpr u32 kGenerationLast = ~u32{0} - 2;

    void release(Node* node);
    Node& take(Object& object, Interface interface, Account* payer);
    static void leave_parent(Node& node);
    void free_node(Node& node);

    Consequences& consequences_;
    Node* nodes_{};
    Node* free_{};  // linked by next_sibling; a free node keeps its generation, which its next life continues
    u32 capacity_{};
    u32 used_{};
    u32 fresh_{};  // nodes never used so far begin here
};

}  // namespace capos::kernel
