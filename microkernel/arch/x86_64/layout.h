// layout.h - addresses and offsets that assembly and C++ share. Checked against the structures in cpu_local.h.
#pragma once

#define KERNEL_STACK_BYTES 16384

// UserContext (core/context.h)
#define CONTEXT_RAX 0
#define CONTEXT_RBX 8
#define CONTEXT_RCX 16
#define CONTEXT_RDX 24
#define CONTEXT_RSI 32
#define CONTEXT_RDI 40
#define CONTEXT_RBP 48
#define CONTEXT_RSP 56
#define CONTEXT_R8 64
#define CONTEXT_R9 72
#define CONTEXT_R10 80
#define CONTEXT_R11 88
#define CONTEXT_R12 96
#define CONTEXT_R13 104
#define CONTEXT_R14 112
#define CONTEXT_R15 120
#define CONTEXT_RIP 128
#define CONTEXT_RFLAGS 136
#define CONTEXT_RETURN_PATH 160

// CpuLocal, addressed through GS
#define LOCAL_SELF 0
#define LOCAL_CURRENT 8
#define LOCAL_STACK 16
#define LOCAL_USER_RSP 24

// Segment selectors; SYSCALL and SYSRET fix their order (SDM vol. 2B, SYSRET).
#define KERNEL_CODE 0x08
#define KERNEL_DATA 0x10
#define USER_DATA 0x1b
#define USER_CODE 0x23
#define TSS_SELECTOR 0x28
