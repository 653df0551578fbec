/* Replaces musl's arch/x86_64/syscall_arch.h: a "system call" is an ordinary call of the program's personality. It answers as
 * Linux would: a value, or a negative error number. There is no vDSO. */
#define __SYSCALL_LL_E(x) (x)
#define __SYSCALL_LL_O(x) (x)

extern long capos_syscall(long number, long a, long b, long c, long d, long e, long f);

static __inline long __syscall0(long n) { return capos_syscall(n, 0, 0, 0, 0, 0, 0); }
static __inline long __syscall1(long n, long a) { return capos_syscall(n, a, 0, 0, 0, 0, 0); }
static __inline long __syscall2(long n, long a, long b) { return capos_syscall(n, a, b, 0, 0, 0, 0); }
static __inline long __syscall3(long n, long a, long b, long c) { return capos_syscall(n, a, b, c, 0, 0, 0); }
static __inline long __syscall4(long n, long a, long b, long c, long d) { return capos_syscall(n, a, b, c, d, 0, 0); }
static __inline long __syscall5(long n, long a, long b, long c, long d, long e) { return capos_syscall(n, a, b, c, d, e, 0); }
static __inline long __syscall6(long n, long a, long b, long c, long d, long e, long f)
{
	return capos_syscall(n, a, b, c, d, e, f);
}

#define IPC_64 0
