// context.h - a thread's user registers while it is not running. The entry code (arch/x86_64/entry.S) knows these offsets.
#pragma once

#include <cstddef>

#include "abi/types.h"

namespace capos::kernel {

// How a context gets back to user mode. A thread that entered by SYSCALL has rcx and r11 to spare, any other needs IRET.
enum class ReturnPath : u64 { sysret = 0, iret = 1 };

struct alignas(16) UserContext {
    u64 rax{}, rbx{}, rcx{}, rdx{}, rsi{}, rdi{}, rbp{}, rsp{};
    u64 r8{}, r9{}, r10{}, r11{}, r12{}, r13{}, r14{}, r15{};
    u64 rip{}, rflags{};
    u64 fs_base{}, gs_base{};
    ReturnPath return_path{ReturnPath::iret};
    u64 cr3{};             // physical address of the PML4 this thread runs on
    std::byte* fpu{};      // XSAVE area, 64-byte aligned, of the size the machine reports; never null for a user thread
};

static_assert(offsetof(UserContext, rbx) == 8 && offsetof(UserContext, rsp) == 56 && offsetof(UserContext, r8) == 64);
static_assert(offsetof(UserContext, r15) == 120 && offsetof(UserContext, rip) == 128 && offsetof(UserContext, rflags) == 136);
static_assert(offsetof(UserContext, fs_base) == 144 && offsetof(UserContext, return_path) == 160);
static_assert(offsetof(UserContext, cr3) == 168 && offsetof(UserContext, fpu) == 176);

// Why a user thread stopped: a CPU exception as the processor reported it (Intel SDM vol. 3A, chapter 6).
struct Fault {
    u8 vector{};
    u64 error_code{};
    u64 address{};  // CR2 for #PF, else 0
};

}  // namespace capos::kernel
