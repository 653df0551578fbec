// echo.h - a server in another process that answers every call with its own message, and what belongs to it.
#pragma once

#include "support/child.h"

namespace capos::test {

inline constexpr u32 kEchoMessageBytes = 4096;
inline constexpr u8 kEchoBuffers = 32;

enum class EchoMode : u64 {
    ring,       // replies and waits through the queues
    registers,  // replies and waits in registers
};

struct Echo {
    // The server waits for calls when this returns. Errors: those of the methods it takes.
    static Expected<Echo> create(World& world, const Image& image, EchoMode mode, ChildOptions options = {});

    CapId endpoint, receiver, facet;
    Child child;

    void release(World& world);
};

// A call of `length` bytes at the front of `params`, whose reply goes to `reply`.
inline abi::Submission echo_call(CapId facet, runtime::ArenaRange params, runtime::ArenaRange reply) {
    return runtime::entry::call(facet, 0x1234, 5, {.payload = params}, {.buffer = reply});
}

}  // namespace capos::test
