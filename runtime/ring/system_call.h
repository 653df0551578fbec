// system_call.h - the two system calls (abi/ring.h). A port: defined by system_call.cc on the machine, and on the host by
// whatever plays the kernel, so that the ring client is the same code everywhere.
#pragma once

#include "abi/ring.h"

namespace capos::runtime {

inline constexpr u64 kNoDeadline = ~u64{0};

// Submits entries of the calling thread's ring and waits until `min_complete` completions are unread or the deadline passes.
abi::EnterResult enter(u32 to_submit, u32 min_complete, u64 deadline_ns);

// One entry in registers instead of the queue, and the wait for one completion (abi/ring.h): a CALL, or a RETURN with kProvide.
struct RegisterResult {
    abi::EnterResult result;
    abi::Completion completion;  // when result.in_registers()
};
RegisterResult enter_with_call(const abi::Submission& call, u64 deadline_ns);
RegisterResult enter_with_reply(const abi::Submission& reply, u64 deadline_ns);

// The monotonic clock, in ns since boot, by the scale in the ring's header (abi/ring.h).
u64 now_ns(const abi::RingHeader& header);

// Ends the calling thread; the last one ends the process.
[[noreturn]] void exit(u64 code);

}  // namespace capos::runtime
