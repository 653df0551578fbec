#include "runtime/ring/program.h"

namespace capos::runtime {

namespace {

Result<StartMessage, Status> read_start_message(const Ring& ring) {
    const abi::RingHeader& header = ring.header();
    if (header.start_length == 0) return StartMessage{};
    return StartMessage::parse(ring.bytes({header.start_offset, header.start_length}));
}

u64 start(u64 argument, std::byte* region) {
    Result<Ring, Status> ring = Ring::attach(region);
    if (!ring) return kExitNoRing;
    const Result<StartMessage, Status> message = read_start_message(*ring);
    if (!message) return kExitNoStartMessage;
    Result<Caller, Status> caller = Caller::create(*ring);
    if (!caller) return kExitNoArena;
    Environment environment{.ring = *ring, .caller = *caller, .start = *message, .argument = argument};
    return run(environment);
}

}  // namespace

extern "C" [[noreturn, gnu::used]] void capos_start(u64 argument, std::byte* region) { exit(start(argument, region)); }

// Entered with rdi = argument, rsi = ring region, and rsp a multiple of 16 (Thread.start): the call makes it what a function of
// the C ABI expects. rbp = 0 ends a backtrace. There is nothing to return to.
extern "C" [[gnu::naked, noreturn]] void _start() {
    asm volatile(
        "xorl %ebp, %ebp\n"
        "cld\n"
        "call capos_start\n"
        "ud2\n");
}

}  // namespace capos::runtime
