// registers.h - calls in registers (abi/ring.h, kEnterCall and kEnterReturn): one CALL or one RETURN together with the wait for the
// next completion, without touching the queues where both sides do so.
//
// The completion comes back in registers or in the queue; `wait` says where. Messages lie in the arena as always.
#pragma once

#include "runtime/ring/ring.h"

namespace capos::runtime {

struct RegisterCall {
    abi::CapId target;
    u64 interface_id{};
    u16 method{};
    ArenaRange params;  // at most abi::kRegisterCallBytesMax
    ArenaRange reply;   // MessageHeader included
    u64 user_data{};
};

namespace registers {

constexpr u64 pack(ArenaRange range) { return range.offset | u64{range.length} << 32; }

struct Raw {
    u64 result, first, second, third, fourth;
};

inline Raw enter(u64 operation, u64 subject, u64 interface_id, u64 params, u64 reply, u64 user_data, u64 method, u64 deadline_ns) {
    register u64 r8 asm("r8") = subject;
    register u64 r9 asm("r9") = interface_id;
    register u64 r10 asm("r10") = params;
    register u64 r12 asm("r12") = reply;
    register u64 r13 asm("r13") = user_data;
    register u64 r14 asm("r14") = method;
    u64 rax = static_cast<u64>(abi::SystemCall::enter), rdi = operation, rsi = 1, rdx = deadline_ns;
    asm volatile("syscall"
                 : "+a"(rax), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r8)
                 : "r"(r9), "r"(r10), "r"(r12), "r"(r13), "r"(r14)
                 : "rcx", "r11", "memory");
    return {rax, rdi, rsi, rdx, r8};
}

// The completion of a register operation, wherever it came. Nothing when the deadline passed first.
inline std::optional<abi::Completion> completion_of(Ring& ring, const Raw& raw) {
    if (!abi::EnterResult{raw.result}.in_registers()) return ring.next();
    return abi::Completion{.user_data = raw.first,
                           .token = raw.second,
                           .length = static_cast<u32>(raw.third),
                           .offset = static_cast<u32>(raw.third >> 32),
                           .status = static_cast<u16>(raw.fourth),
                           .method = static_cast<u16>(raw.fourth >> 16),
                           .capability_count = static_cast<u8>(raw.fourth >> 32),
                           .kind = static_cast<u8>(raw.fourth >> 40)};
}

}  // namespace registers

// Calls, and waits for a completion of this ring: the call's own when nothing else is outstanding.
inline std::optional<abi::Completion> call_in_registers(Ring& ring, const RegisterCall& call, u64 deadline_ns = kNoDeadline) {
    return registers::completion_of(ring, registers::enter(abi::kEnterCall, call.target.value, call.interface_id,
                                                           registers::pack(call.params), registers::pack(call.reply),
                                                           call.user_data, call.method, deadline_ns));
}

// Answers a received call, gives its buffer back, and waits for the next completion.
inline std::optional<abi::Completion> reply_in_registers(Ring& ring, u64 token, ArenaRange payload, u64 user_data = 0,
                                                         u64 deadline_ns = kNoDeadline) {
    return registers::completion_of(ring, registers::enter(abi::kEnterReturn, token, 0, registers::pack(payload), 0, user_data, 0,
                                                           deadline_ns));
}

}  // namespace capos::runtime
