/* A personality for tests on the host: passes musl's calls on to Linux, so that a program of the target's sysroot runs here. */

long capos_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ __volatile__("syscall"
                         : "=a"(result)
                         : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                         : "rcx", "r11", "memory");
    return result;
}

int capos_set_thread_pointer(void *pointer)
{
    enum { kArchPrctl = 158, kSetFs = 0x1002 };
    return (int)capos_syscall(kArchPrctl, kSetFs, (long)pointer, 0, 0, 0, 0);
}

/* clone(): the child returns on its new stack, where it finds its argument and runs `entry`, which arrives in rdi. */
__asm__(".text\n"
        ".global capos_create_thread\n"
        ".type capos_create_thread, @function\n"
        "capos_create_thread:\n"
        "    movq 8(%rsp), %r10\n"
        "    movq %rdi, %r11\n"
        "    movq %rdx, %rdi\n"
        "    movq %r8, %rdx\n"
        "    movq %r9, %r8\n"
        "    movq %r11, %r9\n"
        "    andq $-16, %rsi\n"
        "    subq $8, %rsi\n"
        "    movq %rcx, (%rsi)\n"
        "    movl $56, %eax\n"
        "    syscall\n"
        "    testl %eax, %eax\n"
        "    jnz 1f\n"
        "    xorl %ebp, %ebp\n"
        "    popq %rdi\n"
        "    callq *%r9\n"
        "    movl %eax, %edi\n"
        "    movl $60, %eax\n"
        "    syscall\n"
        "1:  ret\n"
        ".global capos_exit_and_unmap\n"
        ".type capos_exit_and_unmap, @function\n"
        "capos_exit_and_unmap:\n"
        "    movl $11, %eax\n"
        "    syscall\n"
        "    xorl %edi, %edi\n"
        "    movl $60, %eax\n"
        "    syscall\n"
        "    hlt\n");
