// What tests and the model of authority look up in the kernel: capabilities, mappings, what a process can reach.
#include "sim/inspector.h"

namespace capos::kernel {

NodeTree& Inspector::nodes() { return machine_.kernel().nodes_; }
bool Inspector::retiring() const { return !machine_.kernel().retiring_.empty(); }
bool Inspector::at_rest() const { return !machine_.kernel().has_work(); }

Inspector::Totals Inspector::totals() const {
    Kernel& k = machine_.kernel();
    return {k.frames_.free_frames(), k.nodes_.used(), k.cells_.used(), k.root_account_.used()};
}

Node* Inspector::node(Process& process, abi::CapId id) {
    const auto found = process.table.lookup(nodes(), id);
    return found ? *found : nullptr;
}

Object* Inspector::object(Process& process, abi::CapId id) {
    Node* found = node(process, id);
    return found != nullptr ? found->object : nullptr;
}

std::vector<std::pair<abi::CapId, Interface>> Inspector::slots(Process& process) {
    constexpr u64 kSlotInUse = (u64{1} << abi::CapId::kIndexBits) - 1;
    std::vector<std::pair<abi::CapId, Interface>> found;
    if (process.state == Process::State::ended) return found;
    for (u32 i = 0; i < process.table.touched(); ++i) {
        const auto* slot =
            reinterpret_cast<const u64*>(machine_.memory(process.table.frame(i / CapabilityTable::kSlotsPerFrame).value)) +
            2 * (i % CapabilityTable::kSlotsPerFrame);
        if ((slot[0] & kSlotInUse) != kSlotInUse) continue;
        const Node* node = nodes().get(static_cast<u32>(slot[1]), static_cast<u32>(slot[1] >> 32));
        found.emplace_back(abi::CapId::make(i, slot[0] >> abi::CapId::kIndexBits),
                           node != nullptr ? node->interface : Interface::none);
    }
    return found;
}

std::vector<Inspector::Range> Inspector::regions(Process& process) {
    std::vector<Range> found;
    if (process.space == nullptr) return found;
    const auto& all = process.space->regions;
    for (Region* r = all.first(); r != nullptr; r = all.at_or_above(r->start.value + 1))
        found.push_back({r->start.value, r->pages.value, r->access});
    return found;
}

std::vector<Inspector::Range> Inspector::regions_of_space(Process& process, abi::CapId id) {
    const Object* space = object(process, id);
    if (space == nullptr || space->type != ObjectType::address_space) return {};
    return regions(*static_cast<const AddressSpace*>(space)->process);
}

bool Inspector::is_ring(Process& process, u64 address) {
    const Region* region = process.space != nullptr ? process.space->region_at(VirtualAddress{address}) : nullptr;
    return region != nullptr && region->ring;
}

std::vector<const Object*> Inspector::reach(Process& process) {
    std::vector<const Object*> found;
    for (const auto& [id, interface] : slots(process)) {
        if (const Object* named = object(process, id)) found.push_back(named);
    }
    if (process.space == nullptr) return found;
    const auto& all = process.space->regions;
    for (Region* r = all.first(); r != nullptr; r = all.at_or_above(r->start.value + 1)) {
        if (r->memory != nullptr) found.push_back(r->memory);
    }
    return found;
}

void Inspector::end_everything() {
    Kernel& k = machine_.kernel();
    k.boot_process_ = nullptr;  // its end is not to be the machine's
    for (Object* o = k.root_account_.objects.front(); o != nullptr; o = k.root_account_.objects.next(*o))
        k.consequences_.end(*o);
}

}  // namespace capos::kernel
