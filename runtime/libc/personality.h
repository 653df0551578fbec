// personality.h - what stands in for Linux under musl in native programs: memory, time, random bytes, and text written to
// stdout or stderr, which goes to the kernel's log line by line. There are no files, no sockets and no signals: everything else
// answers ENOSYS. A program's authority is the capabilities in its start-up message, and nothing that this could add.
//
// Only the main thread's ring is used, so only the main thread may call into musl what needs the kernel.
#pragma once

#include "runtime/ring/start_message.h"
#include "runtime/ring/ring.h"

namespace capos::runtime::libc {

// Before anything of musl runs. The ring stays where it is. Without the capabilities `account` and `space` there is no heap.
void attach(Ring& ring, const StartMessage& start);

// Unpredictable if the process has `entropy`, else only varied.
void random_bytes(std::byte* out, usize bytes);

}  // namespace capos::runtime::libc
