// ports.h - what the core asks of the machine. Declared here; defined at link time by arch/x86_64 (the real machine) or by
// test/sim (simulated memory, CPUs and devices). Neither virtual nor templates: the kernel links with LTO, so they inline.
//
// Rules: no port waits for hardware, none takes the kernel lock, none reads memory that a user can write. A port that needs
// another CPU to forget something only *requests* it; the acknowledgement is published without the lock (invalidation.h).
#pragma once

#include "core/context.h"
#include "core/types.h"

namespace capos::kernel {
struct Cpu;
struct InterruptSource;
}

namespace capos::kernel::port {

// The kernel's view of physical memory (the direct map). `frame` must be RAM; the pointer is valid for the whole run.
std::byte* direct_map(PhysicalAddress frame);

// Page-table entries are read and written through these, so that a recording memory can check every intermediate state.
u64 read_entry(PhysicalAddress table, unsigned index);
void write_entry(PhysicalAddress table, unsigned index, u64 value);

// Drops this CPU's translation of one page of the current address space, GLOBAL entries included (R11).
void flush_page(VirtualAddress page);
// Drops all of this CPU's translations, GLOBAL ones and those of every address space included (R11).
void flush_all();

// Loads the kernel's own page tables on this CPU, and reports it (tables_loaded): the ones it has are about to be freed.
void use_kernel_tables(Cpu& cpu);

// Interrupts `cpu` soon: it acknowledges invalidations, then calls Kernel::interrupt. Idempotent; never waits.
void send_ipi(CpuId cpu);
// Called between two looks at a lock that another CPU holds: acknowledges invalidations (invalidation.h), and pauses.
void lock_spin(Cpu& cpu);

// A counter that all CPUs share and that only grows: to measure the kernel itself with (KernelLock::Holds).
u64 ticks();

// How that counter tells the time to user programs, through their ring's header (abi/ring.h): ns since boot =
// (counter - zero) * ns_per_tick / 2^32.
struct ClockScale {
    u64 zero;
    u64 ns_per_tick;
};
ClockScale clock_scale();

// Programs this CPU's one-shot timer for `deadline` (kNever = off). A deadline in the past fires at once.
void set_timer(Time deadline);

// Saves what the entry code does not: FPU state and FS and GS bases of the thread that leaves this CPU. Called with the lock
// held, so that no other CPU can continue the thread before its state is complete. Loading happens outside the lock.
void save_extended(UserContext& context);
// The initial FPU state, in an area of fpu_bytes() bytes that is aligned to 64.
void initialise_fpu(std::byte* area);
u32 fpu_bytes();

// I/O ports of `width` 1, 2 or 4 bytes. They take as long as the device does; only those that somebody has claimed are reached.
u32 read_port(u16 port, u8 width);
void write_port(u16 port, u8 width, u32 value);

// Interrupt lines, by global system interrupt number (interrupt.h). The others are only called for a line that exists.
bool has_line(u32 line);
// From now on the line has that number in Cpu::arrived. It is left masked.
void route_line(const InterruptSource& source, u32 number);
void mask_line(u32 line);
void unmask_line(u32 line);

// Fills with unpredictable bytes; false when the machine has no generator.
bool random_bytes(std::byte* out, usize bytes);

}  // namespace capos::kernel::port
