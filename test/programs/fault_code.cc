#include "fault_code.h"

// An instruction that faults stands alone on its line; what stands before it sets it up.
namespace capos::test {

extern "C" {

// Not a call: nothing but the planted values and `code` matters from here on.
[[gnu::naked, gnu::used]] void plant_and_jump(void (*)()) {
    asm volatile(
        "movabsq $0xb0b0b0b000000001, %rbx\n"
        "movabsq $0x1212121200000002, %r12\n"
        "movabsq $0x1313131300000003, %r13\n"
        "movabsq $0x1414141400000004, %r14\n"
        "movabsq $0x1515151500000005, %r15\n"
        "jmpq *%rdi\n");
}

[[gnu::naked, gnu::used]] void test_survived() {
    asm volatile(
        "movl $1, %eax\n"
        "movl $77, %edi\n"
        "syscall\n"
        "ud2\n");
}

[[gnu::naked, gnu::used]] void code_divide_by_zero() {
    asm volatile(
        "xorl %edx, %edx\n"
        "movl $1, %eax\n"
        "xorl %ecx, %ecx\n"
        "divl %ecx\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_divide_overflow() {
    asm volatile(
        "movl $0x80000000, %eax\n"
        "cltd\n"
        "movl $-1, %ecx\n"
        "idivl %ecx\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_single_step() {
    asm volatile(
        "pushfq\n"
        "orq $0x100, (%rsp)\n"
        "popfq\n"
        "nop\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_icebp() {
    asm volatile(
        ".byte 0xf1\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_int3() {
    asm volatile(
        "int3\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_int_3() {
    asm volatile(
        ".byte 0xcd, 3\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_int_4() {
    asm volatile(
        "int $4\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_ud2() {
    asm volatile(
        "ud2\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_lock_nop() {
    asm volatile(
        ".byte 0xf0, 0x90\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_mov_ss_int3() {
    asm volatile(
        "movl %ss, %eax\n"
        "pushfq\n"
        "orq $0x100, (%rsp)\n"
        "popfq\n"
        "movl %eax, %ss\n"
        "int3\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_stack_non_canonical() {
    asm volatile(
        "movabsq $0x8000000000000000, %rbp\n"
        "movq (%rbp), %rax\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_push_non_canonical() {
    asm volatile(
        "movabsq $0x8000000000000000, %rsp\n"
        "pushq %rax\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_read_non_canonical() {
    asm volatile(
        "movabsq $0x8000000000000000, %rax\n"
        "movq (%rax), %rax\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_hlt() {
    asm volatile(
        "hlt\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_cli() {
    asm volatile(
        "cli\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_in() {
    asm volatile(
        "inb $0x80, %al\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_out() {
    asm volatile(
        "outb %al, $0x80\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_mov_cr0() {
    asm volatile(
        "movq %cr0, %rax\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_mov_cr3() {
    asm volatile(
        "movq %rax, %cr3\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_mov_dr7() {
    asm volatile(
        "movq %rax, %dr7\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_rdmsr() {
    asm volatile(
        "movl $0x1b, %ecx\n"
        "rdmsr\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_wrmsr() {
    asm volatile(
        "movl $0xc0000082, %ecx\n"
        "xorl %eax, %eax\n"
        "xorl %edx, %edx\n"
        "wrmsr\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_lgdt() {
    asm volatile(
        "lgdt (%rsp)\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_sgdt() {
    asm volatile(
        "sgdt -64(%rsp)\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_invlpg() {
    asm volatile(
        "invlpg (%rsp)\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_swapgs() {
    asm volatile(
        "swapgs\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_sysret() {
    asm volatile(
        "xorl %ecx, %ecx\n"
        "sysretq\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_xsetbv() {
    asm volatile(
        "xorl %ecx, %ecx\n"
        "movl $1, %eax\n"
        "xorl %edx, %edx\n"
        "xsetbv\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_int_0x80() {
    asm volatile(
        "int $0x80\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_int_timer() {
    asm volatile(
        "int $0x20\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_int_double_fault() {
    asm volatile(
        "int $8\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_load_ds() {
    asm volatile(
        "movl $0x08, %eax\n"
        "movl %eax, %ds\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_far_jump() {
    asm volatile(
        "pushq $0x08\n"
        "leaq test_survived(%rip), %rax\n"
        "pushq %rax\n"
        "lretq\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_iret_to_kernel() {
    asm volatile(
        "movq %rsp, %rax\n"
        "pushq $0x10\n"
        "pushq %rax\n"
        "pushq $2\n"
        "pushq $0x08\n"
        "leaq test_survived(%rip), %rax\n"
        "pushq %rax\n"
        "iretq\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_iret_nested_task() {
    asm volatile(
        "pushfq\n"
        "orq $0x4000, (%rsp)\n"
        "popfq\n"
        "iretq\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_iopl_cli() {
    asm volatile(
        "pushfq\n"
        "orq $0x3000, (%rsp)\n"
        "popfq\n"
        "cli\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_read_null() {
    asm volatile(
        "xorl %eax, %eax\n"
        "movq (%rax), %rax\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_read_unmapped() {
    asm volatile(
        "movl $0x12345000, %eax\n"
        "movq (%rax), %rax\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_read_kernel() {
    asm volatile(
        "movabsq $0xffff800000000000, %rax\n"
        "movq (%rax), %rax\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_write_kernel() {
    asm volatile(
        "movabsq $0xffff800000000000, %rax\n"
        "movq %rax, (%rax)\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_jump_kernel() {
    asm volatile(
        "movabsq $0xffff800000000000, %rax\n"
        "jmpq *%rax\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_jump_null() {
    asm volatile(
        "xorl %eax, %eax\n"
        "jmpq *%rax\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_jump_non_canonical() {
    asm volatile(
        "movabsq $0x8000000000000000, %rax\n"
        "jmpq *%rax\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_return_non_canonical() {
    asm volatile(
        "movabsq $0x8000000000000000, %rax\n"
        "pushq %rax\n"
        "retq\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_jump_stack() {
    asm volatile(
        "movb $0xc3, -64(%rsp)\n"
        "leaq -64(%rsp), %rax\n"
        "jmpq *%rax\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_write_code() {
    asm volatile(
        "leaq code_write_code(%rip), %rax\n"
        "movb $0x90, (%rax)\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_read_user_top() {
    asm volatile(
        "movabsq $0x7ffffffff000, %rax\n"
        "movq (%rax), %rax\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_overflow_stack() {
    asm volatile(
        "pushq %rax\n"
        "jmp code_overflow_stack\n");
}

[[gnu::naked, gnu::used]] void code_ud2_without_stack() {
    asm volatile(
        "movabsq $0x8000000000000000, %rsp\n"
        "ud2\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_x87_error() {
    asm volatile(
        "fninit\n"
        "movw $0x037b, -8(%rsp)\n"
        "fldcw -8(%rsp)\n"
        "fldz\n"
        "fld1\n"
        "fdivp\n"
        "fwait\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_simd_error() {
    asm volatile(
        "movl $0x1d80, -8(%rsp)\n"
        "ldmxcsr -8(%rsp)\n"
        "xorps %xmm1, %xmm1\n"
        "movl $0x3f800000, %eax\n"
        "movd %eax, %xmm0\n"
        "divss %xmm1, %xmm0\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_misaligned() {
    asm volatile(
        "pushfq\n"
        "orq $0x40000, (%rsp)\n"
        "popfq\n"
        "movl -63(%rsp), %eax\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_system_call_2() {
    asm volatile(
        "movl $2, %eax\n"
        "syscall\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_system_call_max() {
    asm volatile(
        "movq $-1, %rax\n"
        "syscall\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_enter_too_many() {
    asm volatile(
        "xorl %eax, %eax\n"
        "movl $17, %edi\n"
        "xorl %esi, %esi\n"
        "movq $-1, %rdx\n"
        "syscall\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_enter_wait_too_many() {
    asm volatile(
        "xorl %eax, %eax\n"
        "xorl %edi, %edi\n"
        "movl $33, %esi\n"
        "movq $-1, %rdx\n"
        "syscall\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_enter_huge() {
    asm volatile(
        "xorl %eax, %eax\n"
        "movabsq $0x100000000, %rdi\n"
        "xorl %esi, %esi\n"
        "movq $-1, %rdx\n"
        "syscall\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_system_call_single_step() {
    asm volatile(
        "xorl %eax, %eax\n"
        "xorl %edi, %edi\n"
        "xorl %esi, %esi\n"
        "movq $-1, %rdx\n"
        "pushfq\n"
        "orq $0x100, (%rsp)\n"
        "popfq\n"
        "syscall\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_mov_ss_system_call() {
    asm volatile(
        "xorl %eax, %eax\n"
        "xorl %edi, %edi\n"
        "xorl %esi, %esi\n"
        "movq $-1, %rdx\n"
        "movl %ss, %r8d\n"
        "pushfq\n"
        "orq $0x100, (%rsp)\n"
        "popfq\n"
        "movl %r8d, %ss\n"
        "syscall\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_system_call_nested_task() {
    asm volatile(
        "pushfq\n"
        "orq $0x4000, (%rsp)\n"
        "popfq\n"
        "xorl %eax, %eax\n"
        "xorl %edi, %edi\n"
        "xorl %esi, %esi\n"
        "movq $-1, %rdx\n"
        "syscall\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_system_call_backwards() {
    asm volatile(
        "std\n"
        "xorl %eax, %eax\n"
        "xorl %edi, %edi\n"
        "xorl %esi, %esi\n"
        "movq $-1, %rdx\n"
        "syscall\n"
        "cld\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_system_call_alignment_flag() {
    asm volatile(
        "pushfq\n"
        "orq $0x40000, (%rsp)\n"
        "popfq\n"
        "xorl %eax, %eax\n"
        "xorl %edi, %edi\n"
        "xorl %esi, %esi\n"
        "movq $-1, %rdx\n"
        "syscall\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_system_call_gs_base() {
    asm volatile(
        "movabsq $0xffff800000000000, %rax\n"
        "wrgsbase %rax\n"
        "xorl %eax, %eax\n"
        "xorl %edi, %edi\n"
        "xorl %esi, %esi\n"
        "movq $-1, %rdx\n"
        "syscall\n"
        "movb $1, -8192(%rsp)\n"
        "xorl %eax, %eax\n"
        "xorl %edi, %edi\n"
        "xorl %esi, %esi\n"
        "movq $-1, %rdx\n"
        "syscall\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_system_call_without_stack() {
    asm volatile(
        "movabsq $0xffff800000000000, %rsp\n"
        "xorl %eax, %eax\n"
        "xorl %edi, %edi\n"
        "xorl %esi, %esi\n"
        "movq $-1, %rdx\n"
        "syscall\n"
        "movl $1, %eax\n"
        "movl $77, %edi\n"
        "syscall\n"
        "jmp test_survived\n");
}

[[gnu::naked, gnu::used]] void code_interrupt_without_stack() {
    asm volatile(
        "movabsq $0xffff800000000000, %rsp\n"
        "movl $20000000, %ecx\n"
        "1: decl %ecx\n"
        "jnz 1b\n"
        "movl $1, %eax\n"
        "movl $77, %edi\n"
        "syscall\n"
        "jmp test_survived\n");
}

}  // extern "C"

}  // namespace capos::test
