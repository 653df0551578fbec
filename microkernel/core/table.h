// table.h - a process's capability table: slots that name nodes. A capability id is (slot index, slot generation), so an id
// that was released names nothing for ever, even when its slot is in use again.
//
// Guarded by the kernel lock. The slots lie in whole frames that the process's account paid for when it was created; the table
// never grows, so installing into a reserved slot cannot fail. User-chosen indices are clamped branch-free before use.
#pragma once

#include "abi/ring.h"
#include "core/account.h"
#include "core/node.h"

namespace capos::kernel {

class NodeTree;

class CapabilityTable {
public:
    static constexpr u32 kSlotsPerFrame = kPageBytes / 16;
    static constexpr u32 kFramesMax = 64;
    static constexpr u32 kSlotsMax = kSlotsPerFrame * kFramesMax;

    // Frames stay in place until the table is gone; what they contain doesn't matter.
    void add_frame(PhysicalAddress frame);
    u32 frames() const { return frames_; }
    PhysicalAddress frame(u32 n) const { return directory_[n]; }

    // The live node that `id` names. Errors: bad_capability.
    KernelResult<Node*> lookup(const NodeTree& nodes, abi::CapId id) const;

    // Sets slots aside for capabilities that will arrive later. Errors: quota.
    KernelResult<void> reserve(u32 count);
    void unreserve(u32 count);

    // Puts a reference to `node` into a slot that was reserved before.
    abi::CapId install_reserved(Node& node, NodeTree& nodes);
    // The same without a reservation. Errors: quota.
    KernelResult<abi::CapId> install(Node& node, NodeTree& nodes);

    // Empties the slot. Errors: bad_capability for an id that names no slot in use (a slot whose node died can be released).
    KernelResult<void> release(abi::CapId id, NodeTree& nodes);

    // Empties slots from `cursor` on, at most `count` of them; true when all are empty. For teardown in bounded steps.
    bool clear_step(u32& cursor, u32 count, NodeTree& nodes);

    u32 used() const { return used_; }
    u32 touched() const { return fresh_; }  // slots that were ever used: those below this index
    u32 capacity() const { return capacity_; }

private:
    struct Slot {
        u64 generation_and_next;  // generation << 24 | index of the next free slot; the low bits are kInUse when in use
        u32 node;                 // index in the node pool
        u32 node_generation;
    };
    static_assert(sizeof(Slot) == 16);
    static constexpr u32 kInUse = (u32{1} << abi::CapId::kIndexBits) - 1;
    static constexpr u32 kEnd = kInUse - 1;  // end of the free list

    Slot& slot(u32 index) const;
    Slot* slot_of(abi::CapId id) const;
    void empty_slot(u32 index, NodeTree& nodes);

    PhysicalAddress directory_[kFramesMax];
    u32 frames_{};
    u32 capacity_{};
    u32 used_{};
    u32 reserved_{};
    u32 free_{kEnd};   // released slots, linked
    u32 fresh_{};      // slots never used so far begin here
    u32 retired_{};
};

}  // namespace capos::kernel
