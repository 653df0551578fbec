// process.h - processes: a capability table, an address space, and threads that share them.
//
// A process ends when its last thread ends, when it is killed, or by a fault; it is then taken down in bounded steps
// (reaper.cc) while its Process object lives on, with exit code and crash record, until the last capability to it goes.
// Guarded by the kernel lock.
#pragma once

#include "core/table.h"
#include "core/thread.h"

namespace capos::kernel {

class AddressSpace;

class Process : public Object {
public:
    explicit Process(AddressSpace& address_space) : Object{ObjectType::process}, space{&address_space} {}

    enum class State : u8 { alive, ending, ended };

    State state{State::alive};
    bool crashed{};
    u8 supervisor_bit{};
    u64 exit_code{};
    u64 pid{};              // for people: unique since boot
    AddressSpace* space;    // null when taken down
    CapabilityTable table;
    u32 table_cursor{};
    List<Thread, &Thread::process_link> threads;  // by age, behind them those that have ended
    u32 thread_count{};     // of those that have not ended
    NodeRef supervisor;     // a Notification
    PendingQueue end_waiters;
    ListLink ending_link;   // in Kernel::ending
    ObjectName name;
    abi::CrashRecord crash{};

    PhysicalAddress block;  // where this Process lies
};
static_assert(sizeof(Process) <= kPageBytes);

}  // namespace capos::kernel
