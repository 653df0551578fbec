// lock.h - the kernel lock: one FIFO ticket lock over all of the core's state.
//
// Rank 1, the only lock of the kernel. Interrupt context: taken with interrupts off, always; NMI, #MC, #DF and a panic never
// take it. It is never held while waiting for hardware or another CPU: whoever spins for it acknowledges invalidations
// meanwhile, so a holder may rely on acknowledgements to arrive, and never waits for them. clang's analysis checks who needs
// it (R14).
#pragma once

#include <atomic>

#include "core/annotations.h"
#include "core/ports.h"

namespace capos::kernel {

class CAPABILITY("kernel lock") KernelLock {
public:
    void acquire(Cpu& cpu) ACQUIRE() {
        const u32 ticket = next_.fetch_add(kTicket, std::memory_order_relaxed);
        if (serving_.load(std::memory_order_acquire) != ticket) [[unlikely]] wait(cpu, ticket);  // pairs with release()
    }
    void release() RELEASE() {
        if (timed_) [[unlikely]] end_hold();
        const u32 ticket = serving_.load(std::memory_order_relaxed);  // only the holder writes it
        serving_.store(ticket + kTicket, std::memory_order_release);  // pairs with acquire()
    }
    // True while another CPU waits for the lock that this one holds.
    bool contended() const {
        return next_.load(std::memory_order_relaxed) - (serving_.load(std::memory_order_relaxed) & ~kTimed) > kTicket;
    }

    // How long the lock was held, in ticks of the machine (port::ticks); all zero unless time_holds() was called. Guarded by
    // the lock itself.
    struct Holds {
        u64 count{};
        u64 ticks{};  // of all holds that are over
        u64 worst{};
        u64 since{};  // when the hold in progress began
        u64 counted_from{};
    };
    const Holds& holds() const { return holds_; }
    void count_anew() { holds_ = {.since = holds_.since, .counted_from = holds_.since}; }
    // Called once, before the first acquire().
    void time_holds() {
        timed_ = true;
        serving_.store(kTimed, std::memory_order_relaxed);
        holds_.since = holds_.counted_from = port::ticks();
    }

private:
    // Tickets are even. The odd bit of serving_ says that holds are timed: then no ticket equals it, and everyone goes through
    // wait(). So a kernel that does not time them pays nothing for it to acquire the lock, and one branch to release it.
    static constexpr u32 kTicket = 2, kTimed = 1;

    [[gnu::always_inline]] void wait(Cpu& cpu, u32 ticket) {  // a call would cost acquire() two registers
        while ((serving_.load(std::memory_order_acquire) & ~kTimed) != ticket) port::lock_spin(cpu);  // pairs with release()
        if (timed_) holds_.since = port::ticks();
    }
    void end_hold() {
        const u64 ticks = port::ticks() - holds_.since;
        ++holds_.count;
        holds_.ticks += ticks;
        if (ticks > holds_.worst) holds_.worst = ticks;
    }

    std::atomic<u32> next_{};
    alignas(64) std::atomic<u32> serving_{};  // apart from next_: taking a ticket does not disturb those who wait
    bool timed_{};
    Holds holds_;
};

}  // namespace capos::kernel
