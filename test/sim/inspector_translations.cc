// What CPUs remember of page tables (R11): nothing that they must not reach any more. What the tables do not say any more is
// about to be forgotten: a change still goes on, or the CPU has been asked and has not answered.
#include "sim/inspector.h"
#include "sim/inspector_parts.h"

namespace capos::kernel {

namespace {

// True if the tables allow what the translation does.
bool is_entered(const AddressSpace& space, u64 address, const sim::Translation& t) {
    const auto entered = space.table.lookup(VirtualAddress{address});
    if (!entered || entered->address.value + address % entered->page_bytes != t.frame) return false;
    const Access access = entered->attributes.access;
    return (!t.writable || access == Access::read_write) && (!t.executable || access == Access::read_execute);
}

}  // namespace

void Inspector::check_translations(const std::vector<AddressSpace*>& spaces) {
    std::unordered_map<u64, AddressSpace*> by_root;
    for (AddressSpace* space : spaces) by_root[space->table.root().value] = space;
    for (u32 n = 0; n < machine_.cpu_count(); ++n) {
        const sim::SimCpu& cpu = machine_.cpu(n);
        const Cpu& core_cpu = machine_.core_cpu(n);
        const bool asked = core_cpu.flush_done.load(std::memory_order_relaxed) <
                           core_cpu.flush_wanted.load(std::memory_order_relaxed);
        const u64 root = cpu.loaded_root;
        require(root == machine_.kernel().kernel_table_.root().value || by_root.contains(root), "CPU ", n,
                " uses page tables that are free");
        for (const auto& [address, t] : cpu.translations) {
            if (t.global) continue;
            require(t.root == root && by_root.contains(root), "CPU ", n, " remembers ", hex(address), " of other page tables");
            const AddressSpace& space = *by_root[root];
            const Region* region = space.region_at(VirtualAddress{address});
            require(region != nullptr, "CPU ", n, " remembers ", hex(address), ", which is unmapped");
            require(shows(*region, (address - region->start.value) / kPageBytes, t.frame), "CPU ", n, " remembers frame ",
                    hex(t.frame), " at ", hex(address), ", which is not its mapping's any more");
            require(!t.writable || region->memory == nullptr || region->writable, "CPU ", n, " can write at ", hex(address),
                    " through what is not writable any more");
            require(asked || region->cursor < region->pages.value || is_entered(space, address, t), "CPU ", n, " remembers ",
                    hex(address), ", which is not entered any more, and nobody has asked it to forget that");
        }
    }
}

}  // namespace capos::kernel
