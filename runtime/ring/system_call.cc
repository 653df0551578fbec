#include "runtime/ring/system_call.h"

namespace capos::runtime {

namespace {

// SYSCALL overwrites rcx and r11; the kernel preserves the other registers, and changes memory only in the ring region.
u64 system_call(abi::SystemCall number, u64 a, u64 b, u64 c) {
    u64 result = static_cast<u64>(number);
    asm volatile("syscall" : "+a"(result) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

// Two adjacent words of an entry, as one register holds them.
u64 pair(u32 low, u32 high) { return low | u64{high} << 32; }

RegisterResult enter_in_registers(u64 kind, u64 target, const abi::Submission& entry, u64 deadline_ns) {
    u64 result = static_cast<u64>(abi::SystemCall::enter);
    u64 word0 = kind, word1 = 1, word2 = deadline_ns;
    register u64 word3 asm("r8") = target;
    register u64 interface_id asm("r9") = entry.interface_id;
    register u64 params asm("r10") = pair(entry.params_offset, entry.params_length);
    register u64 reply asm("r12") = pair(entry.reply_offset, entry.reply_capacity);
    register u64 user_data asm("r13") = entry.user_data;
    register u64 method asm("r14") = entry.method;
    asm volatile("syscall"
                 : "+a"(result), "+D"(word0), "+S"(word1), "+d"(word2), "+r"(word3)
                 : "r"(interface_id), "r"(params), "r"(reply), "r"(user_data), "r"(method)
                 : "rcx", "r11", "memory");
    const u64 words[] = {word0, word1, word2, word3};
    return {abi::EnterResult{result}, __builtin_bit_cast(abi::Completion, words)};
}

}  // namespace

abi::EnterResult enter(u32 to_submit, u32 min_complete, u64 deadline_ns) {
    return abi::EnterResult{system_call(abi::SystemCall::enter, to_submit, min_complete, deadline_ns)};
}

RegisterResult enter_with_call(const abi::Submission& call, u64 deadline_ns) {
    return enter_in_registers(abi::kEnterCall, call.capability, call, deadline_ns);
}

RegisterResult enter_with_reply(const abi::Submission& reply, u64 deadline_ns) {
    return enter_in_registers(abi::kEnterReturn, reply.argument, reply, deadline_ns);
}

u64 now_ns(const abi::RingHeader& header) {
    using u128 = unsigned __int128;
    return static_cast<u64>(u128{__builtin_ia32_rdtsc() - header.clock_zero} * header.clock_ns_per_tick >> 32);
}

[[noreturn]] void exit(u64 code) {
    while (true) system_call(abi::SystemCall::exit, code, 0, 0);
}

}  // namespace capos::runtime
