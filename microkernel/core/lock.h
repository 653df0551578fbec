// lock.h - the kernel lock: one FIFO ticket lock over all of the core's state.
//
// Rank 1, the only lock of the kernel. Interrupt context: taken with interrupts off, always; NMI, #MC, #DF and a panic never take
// it. It is never held while waiting for hardware or another CPU: whoever spins for it acknowledges invalidations meanwhile, so a
// holder may rely on acknowledgements to arrive, and never waits for them. clang's analysis checks who needs it (R14).
#pragma once

#include <atomic>

#include "core/annotations.h"
#include "core/ports.h"

namespace capos::kernel {

class CAPABILITY("kernel lock") KernelLock {
public:
    void acquire(Cpu& cpu) ACQUIRE() {
        const u32 ticket = next_.fetch_add(1, std::memory_order_relaxed);
        while (serving_.load(std::memory_order_acquire) != ticket) port::lock_spin(cpu);  // pairs with release()
    }
    void release() RELEASE() {
        const u32 ticket = serving_.load(std::memory_order_relaxed);  // only the holder writes it
        serving_.store(ticket + 1, std::memory_order_release);        // pairs with acquire()
    }
    // True while another CPU waits for the lock that this one holds.
    bool contended() const {
        return next_.load(std::memory_order_relaxed) - serving_.load(std::memory_order_relaxed) > 1;
    }

private:
    std::atomic<u32> next_{};
    alignas(64) std::atomic<u32> serving_{};  // apart from next_: taking a ticket does not disturb those who wait
};

}  // namespace capos::kernel
