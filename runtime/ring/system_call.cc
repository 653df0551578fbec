#include "runtime/ring/system_call.h"

namespace capos::runtime {

namespace {

// SYSCALL overwrites rcx and r11; the kernel preserves the other registers, and changes memory only in the ring region.
u64 system_call(abi::SystemCall number, u64 a, u64 b, u64 c) {
    u64 result = static_cast<u64>(number);
    asm volatile("syscall" : "+a"(result) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

}  // namespace

abi::EnterResult enter(u32 to_submit, u32 min_complete, u64 deadline_ns) {
    return abi::EnterResult{system_call(abi::SystemCall::enter, to_submit, min_complete, deadline_ns)};
}

[[noreturn]] void exit(u64 code) {
    while (true) system_call(abi::SystemCall::exit, code, 0, 0);
}

}  // namespace capos::runtime
