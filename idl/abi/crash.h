// crash.h - the record that a process leaves when a fault ends it. Read with Process.crash, and printed on the kernel log.
#pragma once

#include <cstddef>
#include <type_traits>

#include "abi/types.h"

namespace capos::abi {

// Why a process was ended. Values below 32 are the processor's exception vectors (Intel SDM vol. 3A, table 6-1).
enum class CrashCause : u32 {
    divide_error = 0,
    debug = 1,
    breakpoint = 3,
    overflow = 4,
    bound_range = 5,
    invalid_opcode = 6,
    device_not_available = 7,
    stack_fault = 12,
    general_protection = 13,
    page_fault = 14,
    x87_error = 16,
    alignment_check = 17,
    simd_error = 19,
    // The kernel's own.
    bad_system_call = 64,  // an unknown number; rax has it
    bad_ring = 65,         // a queue index that no correct thread could have written
    bad_enter = 66,        // arguments of enter that make no sense
};

struct CrashRecord {
    u32 cause;          // CrashCause
    u32 error_code;     // as the processor pushed it
    u64 address;        // page fault: the address that was accessed
    u64 rip, rsp, rflags;
    u64 rax, rbx, rcx, rdx, rsi, rdi, rbp;
    u64 r8, r9, r10, r11, r12, r13, r14, r15;
    u64 fs_base;
    u32 sq_head;        // ring position: entries taken,
    u32 cq_tail;        // and completions posted
};
static_assert(sizeof(CrashRecord) == 176 && std::is_trivially_copyable_v<CrashRecord>);

}  // namespace capos::abi
