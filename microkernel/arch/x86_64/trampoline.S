// trampoline.S - where an application processor starts: real mode, at the page that its start-up IPI named (SDM vol. 3A §8.4).
//
// The code between the two labels is copied to that page, which is also identity-mapped in the tables that it loads. The last
// words of the page are parameters, written by smp.cc before each start. One processor starts at a time.

#include "arch/x86_64/layout.h"

#define PAGE_PARAMETER(offset) (trampoline_parameters - trampoline_start + offset)

.section .rodata
.globl trampoline_start, trampoline_end, trampoline_parameters
.balign 4096
trampoline_start:
.code16
    cli
    cld
    mov %cs, %ax
    mov %ax, %ds
    movzwl %ax, %ebx
    shl $4, %ebx                        // linear address of this page
    lea (gdt - trampoline_start)(%ebx), %eax
    mov %eax, (gdtr - trampoline_start + 2)
    lea (protected - trampoline_start)(%ebx), %eax
    mov %eax, (far_protected - trampoline_start)
    lea (long_start - trampoline_start)(%ebx), %eax
    mov %eax, (far_long - trampoline_start)
    lgdtl (gdtr - trampoline_start)
    mov %cr0, %eax
    or $1, %eax
    mov %eax, %cr0
    ljmpl *(far_protected - trampoline_start)
.code32
protected:
    mov $0x18, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $0x20, %eax                     // CR4: PAE
    mov %eax, %cr4
    mov PAGE_PARAMETER(0)(%ebx), %eax   // tables: below 4 GiB
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    rdmsr
    or $0x901, %eax
    wrmsr
    mov $0x80010033, %eax
    mov %eax, %cr0
    lea (far_long - trampoline_start)(%ebx), %eax
    ljmpl *(%eax)
.code64
long_start:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov PAGE_PARAMETER(8)(%rbx), %rsp
    mov PAGE_PARAMETER(16)(%rbx), %rdi
    mov PAGE_PARAMETER(24)(%rbx), %rax
    xor %ebp, %ebp
    call *%rax
1:  hlt
    jmp 1b

.balign 8
gdt:
    .quad 0, 0x00af9b000000ffff, 0x00af93000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff
gdtr:
    .short gdtr - gdt - 1
    .long 0
.balign 4
far_protected:
    .long 0
    .short 0x20
.balign 4
far_long:
    .long 0
    .short 0x08
.balign 8
trampoline_parameters:
    .quad 0, 0, 0, 0                    // page tables, stack, argument, entry
trampoline_end:
