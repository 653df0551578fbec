// invalidation.h - making other CPUs forget translations, without waiting for them.
//
//      CPU that unmaps (holds the lock)              CPU that may have stale entries (needs no lock)
//      clear page-table entries
//      flush_wanted = ++epoch   (release) ---------> wanted = flush_wanted      (acquire)
//      send_ipi                                      flush everything
//      ... later, whoever holds the lock:
//      flush_done >= stamp ?    (acquire) <--------- flush_done = wanted        (release)
//      free frames and tables, complete the operation
//
// A CPU acknowledges in its IPI handler, while it spins for the lock, and when it loads other page tables. An idle CPU runs on
// the kernel's own tables, so nobody asks it: loading a user's tables again drops all it knew. Frames and tables that went
// out of use are stamped and freed only when the stamp is reached. The CPU that asks is not asked: it flushes what it clears,
// entry by entry, and everything if another CPU has cleared a part (Kernel::await_invalidation).
#pragma once

#include <span>

#include "core/cpu.h"
#include "core/ports.h"

namespace capos::kernel {

// Called by a CPU itself, interrupts off: flushes if somebody asked for it.
inline void acknowledge_invalidations(Cpu& cpu) {
    const u64 wanted = cpu.flush_wanted.load(std::memory_order_acquire);  // pairs with request()
    if (wanted == cpu.flush_done.load(std::memory_order_relaxed)) return;
    port::flush_all();
    cpu.flush_done.store(wanted, std::memory_order_release);  // pairs with reached()
}

// Called by a CPU itself after it has loaded the page tables with that root, which dropped every user translation.
inline void tables_loaded(Cpu& cpu, PhysicalAddress root, u64 wanted_before) {
    cpu.loaded_root.store(root.value, std::memory_order_release);  // pairs with in_use()
    cpu.flush_done.store(wanted_before, std::memory_order_release);
}

class Invalidation {
public:
    explicit Invalidation(std::span<Cpu> cpus) : cpus_{cpus} {}

    // Asks every CPU but `here` that may hold translations of the tables at `root` to drop them. Returns the stamp to wait for;
    // 0 when there is nobody to wait for.
    u64 request(const Cpu& here, PhysicalAddress root);
    bool reached(u64 stamp) const;
    // True while a CPU uses, or is about to use, the tables at `root`.
    bool in_use(PhysicalAddress root) const;

private:
    std::span<Cpu> cpus_;
    u64 epoch_{};
};

}  // namespace capos::kernel
