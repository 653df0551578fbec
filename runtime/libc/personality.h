// personality.h - what stands in for Linux under musl in native programs: memory, threads and futexes, time, random bytes, and
// text written to stdout or stderr, which goes to the kernel's log line by line. There are no files, no sockets and no signals:
// everything else answers ENOSYS. A program's authority is the capabilities in its start-up message, and nothing that this
// could add.
//
// Each thread has a ring, and uses its own for what it needs of the kernel.
#pragma once

#include <optional>

#include "runtime/ring/caller.h"
#include "runtime/ring/start_message.h"

namespace capos::runtime::libc {

// What one thread reaches the kernel with. Lives as long as the thread.
struct ThreadState {
    Ring* ring{};
    std::optional<Caller> caller;  // none: its ring's arena had no room
    int number{1};

    void attach(Ring& own);
};

// The calling thread's; before musl has given the main thread its thread pointer, the main thread's.
ThreadState& this_thread();
void set_this_thread(ThreadState& state);

// What the process was given for this, from its start-up message.
struct Authority {
    abi::CapId account, space, process, log, entropy;
};
const Authority& authority();

// Before anything of musl runs. The ring stays where it is. Without the capabilities `account` and `space` there is no heap.
void attach(Ring& ring, const StartMessage& start);

// Unpredictable if the process has `entropy`, else only varied.
void random_bytes(std::byte* out, usize bytes);

// threads.cc: Linux's futex, waiting and waking; `timeout_ns` 0 = none. Answers 0 or a negative error number.
long futex_wait(const u32* word, u32 expected, u64 timeout_ns);
long futex_wake(const u32* word, u64 count);
// Ends the calling thread as Linux does: clears the word that set_tid_address named and wakes who waits for it.
void set_end_word(u32* word);
[[noreturn]] void end_thread();
// Other threads than the main one, which have not ended.
bool threads_running();

}  // namespace capos::runtime::libc
