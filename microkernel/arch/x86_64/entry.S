// entry.S - every way into the kernel and out of it. Stack and GS at entry:
//
//   from user, SYSCALL          user stack, user GS       -> x86_on_syscall()
//   from user, vector           CPU stack (TSS.RSP0)      -> x86_on_user_trap(vector, error)
//   from kernel, vector         where we were, kernel GS  -> x86_on_kernel_trap(frame), then back
//   NMI, #DF, #MC, #DB          IST stack, any GS         -> x86_on_ist_trap(frame), then back; never takes a lock
//
// A handler for user entries returns the UserContext to go on with. All of a user's registers are in its context before C++
// runs, and all are loaded from it on the way out, so nothing of the kernel leaks. Intel SDM vol. 3A chapter 6; SYSCALL: vol.
// 2B.

#include "arch/x86_64/layout.h"

// What a C++ function may change, and what it preserves (System V ABI). rax, rcx, r11 and rsp are handled where they are used.
.macro save_scratch context
    mov %rdx, CONTEXT_RDX(\context)
    mov %rsi, CONTEXT_RSI(\context)
    mov %rdi, CONTEXT_RDI(\context)
    mov %r8, CONTEXT_R8(\context)
    mov %r9, CONTEXT_R9(\context)
    mov %r10, CONTEXT_R10(\context)
.endm

.macro save_preserved context
    mov %rbx, CONTEXT_RBX(\context)
    mov %rbp, CONTEXT_RBP(\context)
    mov %r12, CONTEXT_R12(\context)
    mov %r13, CONTEXT_R13(\context)
    mov %r14, CONTEXT_R14(\context)
    mov %r15, CONTEXT_R15(\context)
.endm

.macro load_scratch context
    mov CONTEXT_RDX(\context), %rdx
    mov CONTEXT_RSI(\context), %rsi
    mov CONTEXT_RDI(\context), %rdi
    mov CONTEXT_R8(\context), %r8
    mov CONTEXT_R9(\context), %r9
    mov CONTEXT_R10(\context), %r10
.endm

.macro load_preserved context
    mov CONTEXT_RBX(\context), %rbx
    mov CONTEXT_RBP(\context), %rbp
    mov CONTEXT_R12(\context), %r12
    mov CONTEXT_R13(\context), %r13
    mov CONTEXT_R14(\context), %r14
    mov CONTEXT_R15(\context), %r15
.endm

// Back to a user that came by SYSCALL, below the last user page: its address is canonical, SYSRET cannot fault.
.macro return_by_sysret context
    mov CONTEXT_RAX(\context), %rax
    mov CONTEXT_RIP(\context), %rcx
    mov CONTEXT_RFLAGS(\context), %r11
    mov CONTEXT_RSP(\context), %rsp
    swapgs
    sysretq
.endm

.text
.globl x86_syscall_entry
.balign 64
x86_syscall_entry:                      // interrupts off, flags cleaned by SFMASK; rcx = rip, r11 = rflags
    swapgs
    mov %rsp, %gs:LOCAL_USER_RSP
    mov %gs:LOCAL_CURRENT, %rsp         // only IST vectors can arrive here, and they bring their own stack
    mov %rax, CONTEXT_RAX(%rsp)
    mov %rcx, CONTEXT_RIP(%rsp)
    mov %r11, CONTEXT_RFLAGS(%rsp)
    save_scratch %rsp
    movq $0, CONTEXT_RETURN_PATH(%rsp)
    mov %gs:LOCAL_USER_RSP, %rcx
    mov %rcx, CONTEXT_RSP(%rsp)
    test %rdi, %rdi
    jne 1f                              // it has something to submit
    mov %gs:LOCAL_STACK, %rsp
    call x86_on_quick_syscall           // all the work, when there is next to none
    test %al, %al
    je 1f
    mov %gs:LOCAL_CURRENT, %rsp         // the same thread goes on, and C++ has kept its preserved registers
    load_scratch %rsp
    return_by_sysret %rsp
1:  mov %gs:LOCAL_CURRENT, %rdi
    save_preserved %rdi
    mov %gs:LOCAL_STACK, %rsp
    xor %ebp, %ebp                      // the backtrace ends here
    call x86_on_syscall
    // fall through: rax = the context to go on with

.globl x86_resume_rax
x86_resume_rax:
    cmpq $0, CONTEXT_RETURN_PATH(%rax)
    jne 1f
    mov %rax, %rsp
    load_scratch %rsp
    load_preserved %rsp
    return_by_sysret %rsp
1:  pushq $USER_DATA
    pushq CONTEXT_RSP(%rax)
    pushq CONTEXT_RFLAGS(%rax)
    pushq $USER_CODE
    pushq CONTEXT_RIP(%rax)
    load_scratch %rax
    load_preserved %rax
    mov CONTEXT_RCX(%rax), %rcx
    mov CONTEXT_R11(%rax), %r11
    mov CONTEXT_RAX(%rax), %rax
    swapgs
    iretq

// [[noreturn]] void x86_start_cpu(): a CPU's life as a kernel CPU begins, on its own stack.
.globl x86_start_cpu
x86_start_cpu:
    mov %gs:LOCAL_STACK, %rsp
    xor %ebp, %ebp
    call x86_on_start
    jmp x86_resume_rax

// Stack at `trap`: vector, error code, rip, cs, rflags, rsp, ss.
trap:
    testb $3, 24(%rsp)
    jz trap_from_kernel
    swapgs
    push %rax
    mov %gs:LOCAL_CURRENT, %rax
    mov %rcx, CONTEXT_RCX(%rax)
    mov %r11, CONTEXT_R11(%rax)
    save_scratch %rax
    save_preserved %rax
    pop %rcx
    mov %rcx, CONTEXT_RAX(%rax)
    pop %rdi                            // vector
    pop %rsi                            // error code
    pop CONTEXT_RIP(%rax)
    add $8, %rsp                        // cs is always the user's
    pop CONTEXT_RFLAGS(%rax)
    pop CONTEXT_RSP(%rax)
    movq $1, CONTEXT_RETURN_PATH(%rax)
    mov %gs:LOCAL_STACK, %rsp
    pushq $2                            // the user's flags (AC, DF, NT) must not govern the kernel
    popfq
    xor %ebp, %ebp
    call x86_on_user_trap
    jmp x86_resume_rax

.macro push_all
    push %rax
    push %rbx
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %rbp
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
.endm
.macro pop_all
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rbp
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rbx
    pop %rax
.endm

trap_from_kernel:
    push_all
    cld
    mov %rsp, %rdi
    mov %rsp, %rbx
    and $-16, %rsp
    call x86_on_kernel_trap
    mov %rbx, %rsp
    pop_all
    add $16, %rsp
    iretq

// IST vectors can interrupt any instruction, also between SYSCALL and SWAPGS, and a user may have put anything into GS. So GS
// is saved, set from the word above this stack, and put back; neither base is trusted.
trap_ist:
    testb $3, 24(%rsp)
    jz 1f
    cmpq $1, (%rsp)                     // a user's own debug exception is an ordinary fault of that user
    je trap
1:  push_all
    cld
    mov $0xc0000101, %ecx               // IA32_GS_BASE
    rdmsr
    shl $32, %rdx
    or %rdx, %rax
    mov %rax, %r12
    mov %rsp, %rbx
    mov 22 * 8(%rsp), %rax              // 15 registers, vector, error, rip, cs, rflags, rsp, ss: then the CpuLocal
    mov %rax, %rdx
    shr $32, %rdx
    wrmsr
    mov %rsp, %rdi
    and $-16, %rsp
    call x86_on_ist_trap
    mov %rbx, %rsp
    mov $0xc0000101, %ecx
    mov %r12, %rax
    mov %r12, %rdx
    shr $32, %rdx
    wrmsr
    pop_all
    add $16, %rsp
    iretq

// One stub for each vector. The processor pushes an error code for 8, 10-14, 17, 21, 29 and 30.
.macro stub vector
    .balign 16
stub_\vector:
    .set pushes_error, (\vector == 8) || ((\vector >= 10) && (\vector <= 14)) || (\vector == 17) || (\vector == 21)
    .if !(pushes_error || (\vector == 29) || (\vector == 30))
    pushq $0
    .endif
    pushq $\vector
    .if (\vector == 1) || (\vector == 2) || (\vector == 8) || (\vector == 18)
    jmp trap_ist
    .else
    jmp trap
    .endif
.endm

.altmacro
.set vector_number, 0
.rept 256
    stub %vector_number
    .set vector_number, vector_number + 1
.endr

.section .rodata
.globl x86_vector_stubs
.balign 8
x86_vector_stubs:
.macro stub_address vector
    .quad stub_\vector
.endm
.set vector_number, 0
.rept 256
    stub_address %vector_number
    .set vector_number, vector_number + 1
.endr
