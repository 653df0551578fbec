// boot.S - from the boot loader to C++: multiboot2 header, 32-bit entry, early page tables, long mode, higher half.
//
// Multiboot2 2.0 §3.1 (header), §3.3 (machine state): eax = magic, ebx = information, protected mode without paging, interrupts
// off. Nothing else is assumed; firmware leaves CR4 and the segments in different states on BIOS and UEFI.
// The early tables map the first 4 GiB, writable and executable, at 0, in the direct map and (1 GiB of it) at the kernel's
// own addresses; kernel_memory.cc replaces them.

#include "arch/x86_64/layout.h"

.section .multiboot2, "a"
.balign 8
header:
    .long 0xe85250d6, 0, header_end - header, -(0xe85250d6 + 0 + (header_end - header))
    .balign 8
    .short 1, 0                         // information request: memory map, ELF sections
    .long 16, 6, 9
    .balign 8
    .short 6, 0                         // modules start at page boundaries
    .long 8
    .balign 8
    .short 0, 0
    .long 8
header_end:

.section .boot.text, "ax"
.code32
.globl boot_entry
boot_entry:
    cli
    cld
    mov %eax, %esi                      // both survive until kernel_main
    mov %ebx, %ebp
    mov $boot_stack_end, %esp

    mov $0x80000001, %eax               // CPUID.80000001H:EDX[29] long mode, [20] NX
    cpuid
    and $0x20100000, %edx
    cmp $0x20100000, %edx
    jne no_long_mode

    // 2 MiB pages: 4 page directories cover 4 GiB.
    mov $early_directories, %edi
    mov $0x83, %eax                     // present, writable, large
    xor %edx, %edx
1:  mov %eax, (%edi)
    movl $0, 4(%edi)
    add $8, %edi
    add $0x200000, %eax
    jnc 1b                              // wraps after 4 GiB
    mov $early_pdpt, %edi
    mov $early_directories + 3, %eax
    mov $4, %ecx
2:  mov %eax, (%edi)
    add $8, %edi
    add $0x1000, %eax
    loop 2b
    movl $early_directories + 3, early_kernel_pdpt + 510 * 8    // 0xffffffff80000000
    movl $early_pdpt + 3, early_root
    movl $early_pdpt + 3, early_root + 256 * 8                  // direct map
    movl $early_kernel_pdpt + 3, early_root + 511 * 8

    mov $0x20, %eax                     // CR4: PAE only
    mov %eax, %cr4
    mov $early_root, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx               // EFER: LME, NXE, SCE
    rdmsr
    or $0x901, %eax
    wrmsr
    mov $0x80010033, %eax               // CR0: PG, WP, NE, ET, MP, PE
    mov %eax, %cr0
    lgdt early_gdtr
    ljmp $0x08, $long_mode

no_long_mode:                           // one line on the serial port, as the console code cannot run yet
    mov $no_long_mode_text, %esi
1:  lodsb
    test %al, %al
    jz 3f
    mov %al, %bl
    mov $0x3fd, %dx
2:  in %dx, %al
    test $0x20, %al
    jz 2b
    mov $0x3f8, %dx
    mov %bl, %al
    out %al, %dx
    jmp 1b
3:  hlt
    jmp 3b

.code64
long_mode:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %esi, %edi                      // magic
    mov %ebp, %esi                      // information
    rdtsc                               // "kernel entry" of the boot figures
    shl $32, %rdx
    or %rax, %rdx                       // third argument
    movabs $boot_cpu_stack_end, %rsp
    xor %ebp, %ebp
    movabs $kernel_main, %rax
    call *%rax
1:  hlt
    jmp 1b

.section .boot.data, "aw"
.balign 8
early_gdt:
    .quad 0, 0x00af9b000000ffff, 0x00af93000000ffff
early_gdtr:
    .short early_gdtr - early_gdt - 1
    .long early_gdt
no_long_mode_text:
    .asciz "[   0.000000] ERROR boot: this CPU has no 64-bit mode with no-execute pages\r\n"

.section .boot.bss, "aw", @nobits
.balign 4096
early_root:         .skip 4096
early_pdpt:         .skip 4096
early_kernel_pdpt:  .skip 4096
early_directories:  .skip 4 * 4096
boot_stack:         .skip 1024
boot_stack_end:

.section .bss, "aw", @nobits
.balign 4096
.globl boot_cpu_stack
boot_cpu_stack:     .skip KERNEL_STACK_BYTES
boot_cpu_stack_end:
