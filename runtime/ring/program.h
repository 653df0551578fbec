// program.h - what a program without a libc starts from. program_start.cc defines _start, which attaches to the ring, reads the
// start-up message and calls `run`; the program ends with what that returns.
#pragma once

#include "runtime/ring/caller.h"
#include "runtime/ring/start_message.h"

namespace capos::runtime {

struct Environment {
    Ring& ring;
    Caller& caller;
    const StartMessage& start;
    u64 argument;  // of Thread.start
};

// Exit codes of a program that could not start.
inline constexpr u64 kExitNoRing = 250;       // rsi pointed at no ring region
inline constexpr u64 kExitNoArena = 251;      // no room in the arena for a call
inline constexpr u64 kExitNoStartMessage = 252;  // a start-up message that is none

// Defined by the program.
u64 run(Environment& environment);

}  // namespace capos::runtime
