// ring.h - the ring ABI: how a thread and the kernel pass submissions, completions and messages. This is the whole interface;
// there are two system calls, and everything else is an entry in a ring. Version 1.
//
// Each thread owns one ring region: physically contiguous memory that the kernel allocates when the thread is created, maps
// into the thread's address space, and reaches through its own direct map. No capability to it exists.
//
//      +0                RingHeader       (256 bytes)
//      +sq_offset        Submission[sq_entries]
//      +cq_offset        Completion[cq_entries]
//      +arena_offset     message arena, arena_bytes long; every offset in an entry counts from here
//
// Who writes what (a two-party protocol; the other side only reads):
//      sq_tail  user     written after the entries below it     (release; pairs with the kernel's acquire in enter)
//      sq_head  kernel   written after the entries were taken   (release; pairs with the user's acquire before reuse)
//      cq_tail  kernel   written after the completions          (release; pairs with the user's acquire before reading)
//      cq_head  user     written after completions were read    (release; pairs with the kernel's acquire in enter)
// Indices run freely and wrap at 2^32; a slot is `index & (entries - 1)`. Empty: head == tail. Full: tail - head == entries.
// A `tail - head` beyond `entries` is a fault of the thread that wrote it and ends its process. A bad entry is a completion.
//
// The kernel keeps its own copy of sq_head and cq_tail and of the geometry: what a hostile thread writes over them is ignored.
#pragma once

#include <cstddef>
#include <type_traits>

#include "abi/status.h"
#include "abi/types.h"

namespace capos::abi {

inline constexpr u32 kRingMagic = 0x52504143;  // "CAPR"
inline constexpr u16 kRingVersion = 1;

inline constexpr u32 kMessageBytesMax = 8192;   // payload of one message; more travels as a sealed Memory
inline constexpr u32 kCapabilitiesMax = 8;      // capabilities in one message
inline constexpr u32 kRegisterCallBytesMax = 256;  // payload of a call made in registers
inline constexpr u32 kObjectReplyBytesMin = 64;  // room for results that a call of a kernel object must offer at least
inline constexpr u32 kPipelineDepthMax = 8;     // calls held on one pending answer
inline constexpr u32 kErrorTextBytesMax = 120;

inline constexpr u32 kSubmissionEntriesDefault = 16;
inline constexpr u32 kCompletionEntriesDefault = 32;
inline constexpr u32 kAnswersDefault = 16;
inline constexpr u32 kRegionBytesDefault = 16 * 1024;
inline constexpr u32 kRegionBytesMax = 2 * 1024 * 1024;

// A capability as a process names it: a slot of its table and that slot's generation, so that a stale id names nothing.
// 39 bits of generation outlast any process: at a million transfers a second one slot wraps after six days, and is then
// retired for the life of the process. Bit 63 is never set, so that kMove and kBadgeEntry can use it.
struct CapId {
    u64 value{};
    constexpr bool operator==(const CapId&) const = default;

    static constexpr unsigned kIndexBits = 24;
    static constexpr u64 kGenerationMax = (u64{1} << 39) - 1;
    static constexpr CapId make(u32 index, u64 generation) { return CapId{generation << kIndexBits | index}; }
    constexpr u32 index() const { return static_cast<u32>(value & ((u64{1} << kIndexBits) - 1)); }
    constexpr u64 generation() const { return value >> kIndexBits; }
};
inline constexpr CapId kNoCapability{0};  // generation 0 is never issued

struct RingHeader {
    // Written once by the kernel.
    u32 magic;
    u16 version;
    u16 reserved0;
    u32 region_bytes;
    u32 sq_offset, sq_entries;
    u32 cq_offset, cq_entries;
    u32 arena_offset, arena_bytes;
    u32 start_offset, start_length;  // the start-up message in the arena (runtime/README.md); 0, 0 = none
    u32 reserved1[5];
    // Written by the user.
    u32 sq_tail;
    u32 cq_head;
    u32 reserved2[14];
    // Written by the kernel.
    u32 sq_head;
    u32 cq_tail;
    u32 reserved3[14];
    // Written once by the kernel: the monotonic clock, whose ns since boot are (tsc - zero) * ns_per_tick / 2^32.
    u64 clock_zero;         // of the time stamp counter, which all CPUs share
    u64 clock_ns_per_tick;  // 32.32 fixed point
    u64 reserved4[6];
};
static_assert(sizeof(RingHeader) == 256);
static_assert(offsetof(RingHeader, sq_tail) == 64 && offsetof(RingHeader, sq_head) == 128 &&
              offsetof(RingHeader, clock_zero) == 192);

enum class Opcode : u8 {
    nop = 0,
    call = 1,     // invoke a method of a capability
    receive = 2,  // accept calls, signals or interrupts from a source, until cancelled
    return_ = 3,  // answer a received call
    cancel = 4,   // end an earlier entry of this ring, named by its user data
    finish = 5,   // forget an answer (promise) of this ring
    release = 6,  // drop a capability from the table
    wait = 7,     // wait while a word of memory has a value
    wake = 8,     // wake waiters on a word of memory
    timer = 9,    // complete at a time
    signal = 10,  // add bits to a notification
};

// Submission::flags.
enum SubmissionFlags : u8 {
    kLink = 1 << 0,       // the next entry starts only after this one succeeded; if it fails, the next ends `cancelled`
    kPipelined = 1 << 1,  // CALL: `capability` names (answer, result index) of this ring instead of a table slot
    kProvide = 1 << 2,    // RETURN: give the call's receive buffer back to its group. RECEIVE: only give back buffer `argument`
    kError = 1 << 3,      // RETURN: the result is an error: `method` is its code, the payload its text
    kSubmissionFlagsAll = kLink | kPipelined | kProvide | kError,
};

// One entry of the submission queue. Fields that an opcode does not use must be zero.
struct Submission {
    u8 opcode;
    u8 flags;
    u16 method;              // CALL: method ordinal. RETURN with kError: error code
    u8 capability_count;     // CALL, RETURN: entries in the capability list at capabilities_offset
    u8 result_slots;         // CALL: table slots reserved for result capabilities. RECEIVE: slots reserved per buffer
    u16 group;  // CALL: answer to fill, plus one (0 = none). RECEIVE: buffer group. RETURN with kError: Status kind
    u64 capability;          // CapId; CALL with kPipelined: answer + 1 (bits 32..63), result index (bits 0..31);
                             // WAIT, WAKE: user address of the 32-bit word
    u64 interface_id;        // CALL: Cap'n Proto id. RECEIVE: number of buffers. WAIT: expected value
    u32 params_offset;       // CALL, RETURN: payload in the arena. RECEIVE: first buffer
    u32 params_length;       // CALL, RETURN: payload bytes. RECEIVE: bytes of each buffer
    u32 reply_offset;        // CALL: buffer for the reply, MessageHeader included
    u32 reply_capacity;
    u32 capabilities_offset; // CALL, RETURN: u64[capability_count] in the arena, each a CapId, kMove possible
    u32 reserved;
    u64 argument;  // RETURN: reply token. TIMER: time in ns. SIGNAL: bits. CANCEL: user data. FINISH: answer. WAKE: count
    u64 user_data;           // comes back in the completion; the kernel does not look at it
};
static_assert(sizeof(Submission) == 64 && std::is_trivially_copyable_v<Submission>);
static_assert(offsetof(Submission, capability) == 8 && offsetof(Submission, params_offset) == 24);
static_assert(offsetof(Submission, argument) == 48 && offsetof(Submission, user_data) == 56);

// A reply or received message takes the header and the payload, rounded up to a multiple of 8; offered buffers and their
// offsets are such multiples too. WAIT and WAKE work on 32-bit words, aligned to 4; an untouched word is 0.

// In a capability list: the capability leaves the sender's table in the step that delivers the message.
inline constexpr u64 kMove = u64{1} << 63;

enum class CompletionKind : u8 {
    done = 0,       // the terminal completion of an entry
    call = 1,       // a received call: token, method, length and offset are set
    signal = 2,     // a notification or interrupt: `token` holds the collected bits
    notice = 3,     // a facet of ours has no holder and no call left: `token` is its badge
    cancelled = 4,  // the caller of `token` no longer waits; RETURN frees the record, its result goes nowhere
    lost = 5,       // memory that we had mapped is gone: `token` is the address of the mapping
};

// One entry of the completion queue.
struct Completion {
    u64 user_data;
    u64 token;             // see CompletionKind
    u32 length;            // payload bytes
    u32 offset;            // of the MessageHeader in the arena; the payload follows it
    u16 status;            // Status
    u16 method;            // received call: method ordinal. Reply with status `failed`: the server's error code
    u8 capability_count;   // ids in the MessageHeader
    u8 kind;               // CompletionKind
    u16 reserved;
};
static_assert(sizeof(Completion) == 32 && std::is_trivially_copyable_v<Completion>);
static_assert(offsetof(Completion, length) == 16 && offsetof(Completion, status) == 24);

// What the kernel writes in front of the payload of a received call or of a reply. Of a reply only the first capability_count
// capabilities are written.
struct MessageHeader {
    u64 badge;            // received call: which facet was called
    u64 interface_id;     // received call
    u32 incarnation;      // received call: the receiver's generation in which the facet was minted
    u32 reserved;
    u64 capabilities[kCapabilitiesMax];  // CapIds in the receiver's table; kBadgeEntry set: a facet of the receiver itself
    u64 reserved1;
};
static_assert(sizeof(MessageHeader) == 96);

// In MessageHeader::capabilities: the low 63 bits are the badge of a facet that the receiver itself serves; it took no slot.
inline constexpr u64 kBadgeEntry = u64{1} << 63;
inline constexpr u64 kBadgeMax = kBadgeEntry - 1;

// The two system calls: number in rax, result in rax. Any other number, or a bad argument, is a fault of the caller.
// rcx and r11 are overwritten (SYSCALL); all other registers are preserved, but for a completion in registers (below).
enum class SystemCall : u64 {
    enter = 0,  // rdi = entries to submit, rsi = completions to wait for, rdx = absolute deadline in ns (~0 = none)
    exit = 1,   // rdi = exit code; ends the thread, and with the last thread the process
};

// Registers instead of the submission queue: one CALL, or one RETURN that gives its buffer back, and then a wait for one
// completion (rsi = 1). rdi holds one of these instead of a count; the entry's fields are in
//      r8 = capability id, or reply token    r10 = params_offset | params_length << 32      r13 = user data
//      r9 = interface id                     r12 = reply_offset | reply_capacity << 32      r14 = method
// Neither may pass capabilities or take any as results, and params_length is at most kRegisterCallBytesMax. It means exactly
// what the entry would mean in the queue, which is left alone. A thread that waits like this may get its completion in
// registers: if EnterResult says so, it was not queued, and is in rdi, rsi, rdx and r8, as the four words of a Completion.
inline constexpr u64 kEnterCall = u64{1} << 32;
inline constexpr u64 kEnterReturn = u64{1} << 33;

// Result of enter: number of entries consumed (bits 0..31; an entry in registers counts), Status (bits 32..47: ok or
// timed_out), bit 63: the one completion is in registers.
struct EnterResult {
    static constexpr u64 kInRegisters = u64{1} << 63;
    u64 value{};
    static constexpr EnterResult make(u32 consumed, Status status) {
        return EnterResult{u64{consumed} | u64{static_cast<u16>(status)} << 32};
    }
    constexpr u32 consumed() const { return static_cast<u32>(value); }
    constexpr bool in_registers() const { return (value & kInRegisters) != 0; }
    constexpr Status status() const { return static_cast<Status>(static_cast<u16>(value >> 32)); }
};

}  // namespace capos::abi
