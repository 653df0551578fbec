// ports.h - what the core asks of the machine. Declared here; defined at link time by arch/x86_64 (the real machine) or by
// test/sim (simulated memory, CPUs and devices). Neither virtual nor templates: the kernel links with LTO, so they inline.
//
// Rules: no port waits for hardware, none takes the kernel lock, none reads memory that a user can write. A port that needs
// another CPU or an IOMMU to forget something only *requests* it; the acknowledgement comes back as an event (see epoch.h).
#pragma once

#include "core/types.h"

namespace capos::kernel::port {

// The kernel's view of physical memory (the direct map). `frame` must be RAM; the pointer is valid for the whole run.
std::byte* direct_map(PhysicalAddress frame);

// Page-table entries are read and written through these, so that a recording memory can check every intermediate state.
u64 read_entry(PhysicalAddress table, unsigned index);
void write_entry(PhysicalAddress table, unsigned index, u64 value);

// Drops this CPU's translation of one page of the current address space, GLOBAL entries included (R11).
void flush_page(VirtualAddress page);

// Asks `cpu` to run its invalidation and rescheduling checks soon. Idempotent; never waits.
void send_ipi(CpuId cpu);

// Programs this CPU's one-shot timer for `deadline` (kNever = off). A deadline in the past fires at once.
void set_timer(Time deadline);

}  // namespace capos::kernel::port
