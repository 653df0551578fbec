// What tests and the model of authority look up in the kernel: capabilities, mappings, what a process can reach.
#include "sim/inspector.h"

namespace capos::kernel {

const char* name_of(ObjectType type) {
    constexpr const char* kNames[] = {"none", "account", "process", "thread", "address space", "memory", "endpoint",
                                      "notification", "I/O ports", "interrupt", "clock", "kernel log", "entropy", "power",
                                      "platform info", "profile", "I/O port space", "interrupt space"};
    return kNames[static_cast<usize>(type)];
}

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

void Inspector::check_access(const Kernel& kernel, PortRange ports) {
    const IoPorts* claim = kernel.claim_of(ports);
    if (claim == nullptr || claim->dead || claim->range.first > ports.first || claim->range.end() < ports.end()) {
        throw sim::Violation{"an access to an I/O port without a claim"};
    }
}

void Inspector::check_ports() {
    Kernel& k = machine_.kernel();
    u64 end = 0;
    bool console_free = true;
    for (IoPorts* p = k.port_claims_.first(); p != nullptr; p = k.port_claims_.at_or_above(p->range.first + u64{1})) {
        if (p->range.first < end) throw sim::Violation{"two claims hold the same I/O port"};
        end = p->range.end();
        if (p->range.overlaps(k.console_ports_)) console_free = false;
        for (const PortRange& kept : k.kept_ports_) {
            if (p->range.overlaps(kept)) throw sim::Violation{"a claim holds an I/O port that the kernel keeps"};
        }
    }
    if (machine_.log.to_console != console_free) throw sim::Violation{"the console and who holds its ports do not agree"};
    machine_.accesses.clear();
}

void Inspector::check_interrupts() {
    Kernel& k = machine_.kernel();
    bool claimed[sim::Machine::kLines]{};
    for (u32 number = 0; number < kInterruptsMax; ++number) {
        const Interrupt* i = k.interrupts_[number];
        if (i == nullptr) continue;
        const sim::SimLine& line = machine_.line(i->source.interrupt);
        if (claimed[i->source.interrupt]) throw sim::Violation{"two interrupts have the same line"};
        claimed[i->source.interrupt] = true;
        if (i->number != number || line.number != number) throw sim::Violation{"an interrupt and its line do not agree"};
        const bool masked = i->source.level_triggered ? i->pending || i->in_service : i->pending;
        // Of a dead one an arrival may have masked it already.
        if (!i->dead && line.masked != masked) throw sim::Violation{"a line is masked, or is not, against the rule"};
        const Pending* receive = i->receivers.front();
        if (i->pending && !i->in_service && !i->dead && receive != nullptr && !receive->owner->ended() &&
            receive->owner->ring.free_slots() != 0) {
            throw sim::Violation{"an interrupt waits though somebody receives"};
        }
    }
    for (u32 n = 0; n < sim::Machine::kLines; ++n) {
        if (!claimed[n] && !machine_.line(n).masked) throw sim::Violation{"a line that nobody has claimed is not masked"};
    }
}

void Inspector::end_everything() {
    Kernel& k = machine_.kernel();
    k.boot_process_ = nullptr;  // its end is not to be the machine's
    for (Object* o = k.root_account_.objects.front(); o != nullptr; o = k.root_account_.objects.next(*o))
        k.consequences_.end(*o);
}

}  // namespace capos::kernel
