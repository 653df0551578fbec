// records.h - where half-done operations wait. Each ring has fixed tables of them, made and charged with its thread: an entry
// that may complete later takes one Pending record, and with it the completion-queue slot of its one terminal completion; a
// call that was delivered takes one Received record of the receiving ring, whose (index, generation) is the reply token.
//
// Guarded by the kernel lock. Nothing in the kernel queues completions: what cannot be delivered stays where it is, linked.
#pragma once

#include "abi/ring.h"
#include "core/node.h"
#include "core/tree.h"

namespace capos::kernel {

class Memory;
class Thread;
struct Cpu;
struct Received;
struct SchedulingContext;

enum class PendingKind : u8 {
    unused,
    call,     // to an endpoint
    receive,  // stays until it is cancelled or its source ends
    timer,
    wait,     // for a word of memory to change
    work,     // a call to a kernel object that waits for other CPUs, or for something to be taken down
    stall,    // a page fault that waits for its mapping to be lost; lies in the Thread and posts no completion
    fault,    // the kernel's own call for a thread that faulted; lies in the Thread and posts no completion
};
enum class CallState : u8 {
    held,       // pipelined: on an Answer of its own ring, until the capability arrives
    queued,     // on Endpoint::calls; the message is still in the caller's arena
    delivered,  // copied to a receiver; `received` is set
    own,        // to a kernel object, on Thread::own_calls: the capability has arrived, and the caller itself carries it out
};

inline constexpr u8 kNoAnswer = 0xff;

// One accepted entry that has not completed. Ends with exactly one completion in its owner's ring.
struct Pending : NodeUse {
    Pending() : NodeUse{NodeUse::Kind::pending} {}

    PendingKind what{PendingKind::unused};
    CallState call_state{CallState::queued};
    bool starved{};  // RECEIVE: the source has something that did not fit into the ring

    // From the entry.
    u8 capability_count{};
    u8 result_slots{};
    u8 group{};             // RECEIVE: buffer group. CALL, held: index of the answer that it is held on
    u8 answer{kNoAnswer};   // CALL: index of the answer that it fills
    u8 result_index{};      // CALL, held: which capability of the answer
    u16 method{};
    u64 user_data{};
    u64 interface_id{};
    u32 params_offset{};
    u32 params_length{};
    u32 reply_offset{};
    u32 reply_capacity{};
    u32 capabilities_offset{};

    Thread* owner{};
    union {
        Received* received{};  // call, when delivered
        u64 deadline_ns;       // timer
        u64 word_key;          // wait: Memory::word_key of its word, and order of arrival
    };
    union {
        Cpu* timer_cpu{};      // timer: whose tree it is in
        Memory* memory;        // wait
        Object* source;        // receive: where it receives from. May be dead; look at `through` first
    };
    ListLink queue_link;    // call: Endpoint::calls or Answer::held. receive: receivers of its source. work: others that wait
                            // for the same. unused: free list
    ListLink ring_link;     // receive: Thread::receives
    TreeLink<Pending> timer_link;  // timer: Cpu::timers. wait: Memory::waiters
};
static_assert(sizeof(Pending) <= 184);

using PendingQueue = List<Pending, &Pending::queue_link>;

// A call that this ring has received and not yet answered. It is a use of the receiver's node only when the RECEIVE that
// brought it has gone: until then that one's end is its end.
struct Received : NodeUse {
    Received() : NodeUse{NodeUse::Kind::received} {}

    Pending* call{};             // null when the caller no longer waits
    Thread* server{};            // whose record this is, while in use
    SchedulingContext* lent{};   // that came with the call, by direct hand-off; may be gone, only compared
    const Object* source{};      // the endpoint that it came through; may be gone, only compared
    u32 generation{1};
    u16 next_free{};
    u8 group{};
    u8 buffer{};
    bool in_use{};
    bool cancel_unsaid{};        // the caller has gone, and the `cancelled` event did not fit yet
};

// Buffers for messages, in the arena of the receiving ring. A buffer is the kernel's while its bit is set in `free`, and the
// server's from the completion that names it until it is provided again.
struct BufferGroup {
    u64 free{};
    u32 first{};  // arena offset of buffer 0
    u32 bytes{};  // of each buffer, MessageHeader included
    u8 count{};
    u8 slots_each{};  // table slots reserved for each free buffer's capabilities
    u8 users{};       // RECEIVE entries that use the group; 0 = the group is not in use
};
inline constexpr u32 kBufferGroups = 8;
inline constexpr u32 kBuffersMax = 64;

// A promise: what a CALL will return, or has returned, for calls on its capabilities (promise pipelining).
struct Answer {
    enum class State : u8 { free, pending, done, failed };
    State state{State::free};
    Status error{Status::ok};  // failed: what calls on it end with
    u8 count{};                // done: capabilities
    u8 held_count{};
    Pending* call{};           // pending
    abi::CapId results[abi::kCapabilitiesMax]{};
    PendingQueue held;         // calls on it, in order of submission
};
inline constexpr u32 kAnswers = abi::kAnswersDefault;

}  // namespace capos::kernel
