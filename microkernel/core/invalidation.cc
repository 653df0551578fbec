#include "core/invalidation.h"

#include "core/ports.h"

namespace capos::kernel {

namespace {

bool may_use(const Cpu& cpu, PhysicalAddress root) {
    return cpu.root == root || cpu.loaded_root.load(std::memory_order_acquire) == root.value;
}

}  // namespace

u64 Invalidation::request(const Cpu& here, PhysicalAddress root) {
    u64 stamp = 0;
    for (Cpu& cpu : cpus_) {
        if (&cpu == &here || !cpu.online || !may_use(cpu, root)) continue;
        if (stamp == 0) stamp = ++epoch_;
        cpu.flush_wanted.store(stamp, std::memory_order_release);  // pairs with acknowledge_invalidations()
        port::send_ipi(cpu.id);
    }
    return stamp;
}

bool Invalidation::reached(u64 stamp) const {
    for (const Cpu& cpu : cpus_) {
        const u64 done = cpu.flush_done.load(std::memory_order_acquire);
        if (done < stamp && done < cpu.flush_wanted.load(std::memory_order_relaxed)) return false;
    }
    return true;
}

bool Invalidation::in_use(PhysicalAddress root) const {
    for (const Cpu& cpu : cpus_) {
        if (cpu.online && may_use(cpu, root)) return true;
    }
    return false;
}

}  // namespace capos::kernel
