/* Replaces src/thread/x86_64/__set_thread_area.s. Answers 0 or a negative error number. */
#include "pthread_impl.h"

extern int capos_set_thread_pointer(void *pointer);

hidden int __set_thread_area(void *pointer) { return capos_set_thread_pointer(pointer); }
