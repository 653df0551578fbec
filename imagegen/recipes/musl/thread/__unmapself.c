/* Replaces src/thread/x86_64/__unmapself.s: ends the calling thread and gives back its stack, on which it must not run then. */
#include "pthread_impl.h"

extern _Noreturn void capos_exit_and_unmap(void *base, size_t size);

hidden _Noreturn void __unmapself(void *base, size_t size) { capos_exit_and_unmap(base, size); }
