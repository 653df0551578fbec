/* Replaces src/thread/x86_64/syscall_cp.s. There is no asynchronous cancellation: the flag is tested before the call only, and
 * the range between __cp_begin and __cp_end, in which a signal would cancel, is empty. */
#include "pthread_impl.h"
#include "syscall.h"

hidden long __cancel(void);
hidden const char __cp_begin[1], __cp_end[1], __cp_cancel[1];

hidden long __syscall_cp_asm(volatile void *cancel, syscall_arg_t n, syscall_arg_t a, syscall_arg_t b, syscall_arg_t c,
                             syscall_arg_t d, syscall_arg_t e, syscall_arg_t f)
{
	if (*(volatile int *)cancel) return __cancel();
	return capos_syscall(n, a, b, c, d, e, f);
}
