// thread.h - threads: a flow of control, its ring, and its place in the scheduler.
//
// A thread lives in a block of frames of its own (see ThreadLayout in lifecycle.cc): the Thread itself, its Pending and
// Received tables and its FPU state; its ring region is a second block. Both are charged to the account of the process when
// it is made. Guarded by the kernel lock, except `context`, which the CPU that runs the thread reads and writes.
#pragma once

#include "abi/crash.h"
#include "core/context.h"
#include "core/region.h"
#include "core/ring.h"
#include "core/tree.h"

namespace capos::kernel {

class Process;
struct Cpu;
struct Region;

enum class ThreadState : u8 {
    created,    // not started
    ready,      // in a run queue, or Cpu::next
    running,    // current on its CPU
    waiting,    // in enter, for completions
    throttled,  // its scheduling context has no budget left
    faulted,    // waits for the answer of its fault endpoint
    stalled,    // has touched a mapping that is being lost
    ended,      // will not run again; its pieces are being taken down
};

inline constexpr u8 kPriorities = 32;
inline constexpr u8 kPriorityMax = kPriorities - 1;

// What the kernel does when the thread runs next, before user code: go on with a half-done operation.
enum class Continuation : u8 { none, enter, fault };

// A right to run: `budget` in every `period`. Each thread owns one; direct hand-off lends it to the thread that works for its
// owner, which nobody else uses meanwhile. It goes back with the answer, or when the owner runs again for any other reason.
struct SchedulingContext {
    Thread* owner{};
    Thread* user{};       // the owner, or whom it is lent to
    u8 priority{};
    Duration budget{};    // 0 = unlimited
    Duration period{};
    Duration left{};
    Time refill_at{};     // when `left` becomes `budget` again
    Received* through{};  // the call that it was lent with

    bool limited() const { return budget.value != 0; }
};

// A block of frames that an operation reserved in one step, had zeroed outside the lock, and installs in another step. An
// operation that no longer needs it, or whose thread ends, gives it back. A single frame is paid for by a standing charge of
// each thread, more by `charged` frames at the account of the thread's process until it is installed.
struct PreparedBlock {
    PhysicalAddress address;
    u32 charged{};
    u8 order{};
    bool reserved{};
    bool zeroed{};
};

class Thread : public Object {
public:
    Thread(Process& process, u8 priority) : Object{ObjectType::thread}, process_{process} {
        own.owner = own.user = this;
        own.priority = priority;
    }

    Process& process() const { return process_; }
    bool ended() const { return state == ThreadState::ended; }
    // Of the teardown. Released: everything that it held has been given back; it lives on while capabilities name it.
    enum Phase : u8 { kRecords, kRegion, kReleased };
    bool released() const { return phase == kReleased; }
    // A server that works for a client runs at least at the client's priority.
    u8 priority() const { return own.priority > active->priority ? own.priority : active->priority; }

    UserContext context;
    ThreadState state{ThreadState::created};
    Continuation continuation{Continuation::none};
    bool pinned{};

private:
    Process& process_;

public:
    Cpu* cpu{};             // where it runs, or ran last
    Cpu* pinned_cpu{};      // pinned: where it must run
    u8 queued_priority{};   // of the run queue that it is in
    SchedulingContext own;
    SchedulingContext* active{&own};
    ListLink run_link;      // in a run queue
    ListLink process_link;  // in Process::threads

    Ring ring;
    List<Pending, &Pending::ring_link> receives;  // active RECEIVE entries
    PendingQueue own_calls;  // calls to kernel objects that were held until their capability arrived
    // What an entry that takes several steps has begun. When it does not come to its end, the reaper finishes it.
    List<Node, &Node::notice_link> revoking;
    List<Region, &Region::change_link> changing;
    u32 starved{};          // how many of them, or of the Received records, have something to say that did not fit
    u32 deferred{};         // calls to kernel objects that have not completed: `work` records

    // The enter call in progress; kept across steps while the operation restarts, and while the thread waits.
    struct Enter {
        u32 to_submit{};
        u32 consumed{};
        u32 min_complete{};
        bool chained{};        // the entry before this one had kLink
        bool chain_failed{};   // and did not succeed
        bool in_registers{};   // the entry came in registers, and the completion may go there
        bool entry_valid{};    // `entry` was read and its operation restarts: what the user writes now is not looked at
        u64 woken{};           // by the WAKE that is being carried out
        Pending* chain{};      // the entry before has not completed: this one waits for it
        Time deadline{kNever};
        abi::Submission entry;
    } enter;
    Time wake_at{kNever};
    TreeLink<Thread> timer_link;  // in Cpu::wakeups of timer_cpu
    Cpu* timer_cpu{};

    PreparedBlock prepared;

    // Faults. Without a live `fault_facet` a fault ends the process.
    Fault fault;
    NodeRef fault_facet;
    Duration fault_timeout{};
    Pending fault_call;
    abi::CrashRecord crash;
    alignas(8) std::byte fault_message[sizeof(abi::CrashRecord) + 24];  // the record as a message

    ObjectName name;
    PhysicalAddress block;  // where this Thread lies
    u8 block_order{};
    Region* region{};       // the ring region's mapping, which owns its frames
    PendingQueue end_waiters;
    u32 teardown_cursor{};
};

}  // namespace capos::kernel
