#include "core/table.h"

#include "core/node_tree.h"
#include "core/ports.h"
#include "core/speculation.h"

namespace capos::kernel {

void CapabilityTable::add_frame(PhysicalAddress frame) {
    KERNEL_ASSERT(frames_ < kFramesMax);
    directory_[frames_++] = frame;
    capacity_ += kSlotsPerFrame;
}

CapabilityTable::Slot& CapabilityTable::slot(u32 index) const {
    std::byte* frame = port::direct_map(directory_[index / kSlotsPerFrame]);
    return reinterpret_cast<Slot*>(frame)[index % kSlotsPerFrame];
}

// The slot in use that `id` names, or null.
CapabilityTable::Slot* CapabilityTable::slot_of(abi::CapId id) const {
    const u32 index = id.index();
    if (index >= fresh_) return nullptr;
    Slot& s = slot(static_cast<u32>(clamp_index(index, fresh_)));
    return s.generation_and_next == (id.generation() << abi::CapId::kIndexBits | kInUse) ? &s : nullptr;
}

KernelResult<Node*> CapabilityTable::lookup(const NodeTree& nodes, abi::CapId id) const {
    const Slot* s = slot_of(id);
    if (s == nullptr) return fail(Status::bad_capability);
    Node* node = nodes.get(s->node, s->node_generation);
    if (node == nullptr) return fail(Status::bad_capability);
    return node;
}

KernelResult<void> CapabilityTable::reserve(u32 count) {
    if (count > capacity_ - used_ - reserved_ - retired_) return fail(Status::quota);
    reserved_ += count;
    return done;
}

void CapabilityTable::unreserve(u32 count) {
    KERNEL_ASSERT(count <= reserved_);
    reserved_ -= count;
}

abi::CapId CapabilityTable::install_reserved(Node& node, NodeTree& nodes) {
    KERNEL_ASSERT(reserved_ > 0);
    --reserved_;
    ++used_;
    u32 index = free_;
    u64 generation = 1;
    if (index != kEnd) {
        const u64 word = slot(index).generation_and_next;
        generation = word >> abi::CapId::kIndexBits;
        free_ = static_cast<u32>(word & kInUse);
    } else {
        KERNEL_ASSERT(fresh_ < capacity_);
        index = fresh_++;
    }
    nodes.add_reference(node);
    slot(index) = {generation << abi::CapId::kIndexBits | kInUse, nodes.index_of(node), node.generation};
    return abi::CapId::make(index, generation);
}

KernelResult<abi::CapId> CapabilityTable::install(Node& node, NodeTree& nodes) {
    TRY(reserve(1));
    return install_reserved(node, nodes);
}

KernelResult<void> CapabilityTable::release(abi::CapId id, NodeTree& nodes) {
    if (slot_of(id) == nullptr) return fail(Status::bad_capability);
    empty_slot(id.index(), nodes);
    return done;
}

void CapabilityTable::empty_slot(u32 index, NodeTree& nodes) {
    Slot& s = slot(index);
    const u32 node = s.node, node_generation = s.node_generation;
    const u64 generation = (s.generation_and_next >> abi::CapId::kIndexBits) + 1;
    --used_;
    if (generation > abi::CapId::kGenerationMax) {
        ++retired_;  // a generation that would wrap retires its slot
        s.generation_and_next = kEnd;
    } else {
        s.generation_and_next = generation << abi::CapId::kIndexBits | free_;
        free_ = index;
    }
    if (Node* named = nodes.get(node, node_generation)) nodes.drop_reference(*named);
}

bool CapabilityTable::clear_step(u32& cursor, u32 count, NodeTree& nodes) {
    for (; cursor < fresh_ && count > 0; ++cursor, --count) {
        if ((slot(cursor).generation_and_next & kInUse) == kInUse) empty_slot(cursor, nodes);
    }
    return cursor == fresh_;
}

}  // namespace capos::kernel
