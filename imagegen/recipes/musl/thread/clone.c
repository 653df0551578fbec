/* Replaces src/thread/x86_64/clone.s: pthread_create's clone. Answers the new thread's id or a negative error number. */
#include <stdarg.h>

#include "pthread_impl.h"
#include "syscall.h"

extern int capos_create_thread(int (*entry)(void *), void *stack, int flags, void *argument, int *parent_id,
                               void *thread_pointer, int *child_id);

hidden int __clone(int (*entry)(void *), void *stack, int flags, void *argument, ...)
{
	va_list rest;
	va_start(rest, argument);
	int *parent_id = va_arg(rest, int *);
	void *thread_pointer = va_arg(rest, void *);
	int *child_id = va_arg(rest, int *);
	va_end(rest);
	return capos_create_thread(entry, stack, flags, argument, parent_id, thread_pointer, child_id);
}
