// Threads under musl: pthread_create's clone, futexes, and the end of a thread, which may be the end of the stack it runs on.
#include <errno.h>

#include <atomic>

#include "runtime/libc/personality.h"

namespace capos::runtime::libc {

namespace {

constexpr u8 kOwnPriority = 0xff;  // Process.createThread
constexpr u64 kStackAlignment = 16;

// Handed to a new thread at the top of its stack.
struct Birth {
    int (*entry)(void*);
    void* argument;
    void* thread_pointer;
    u32* end_word;
    int number;
};

constinit std::atomic<int> last_number{1};
constinit std::atomic<int> running{0};  // besides the main thread
constinit thread_local u32* end_word = nullptr;

// Submits what the ring holds and ends the thread, after the word is cleared: from then on its stack may be unmapped, so the
// stack is not touched. rdi, rsi, rdx: enter(count, 0, no deadline); then exit(0).
[[noreturn]] void leave(u32 count, u32* word) {
    u32 nobody = 0;
    if (word == nullptr) word = &nobody;
    asm volatile(
        "movl $0, (%[word])\n"
        "xorl %%eax, %%eax\n"
        "xorl %%esi, %%esi\n"
        "movq $-1, %%rdx\n"
        "syscall\n"
        "movl $1, %%eax\n"
        "xorl %%edi, %%edi\n"
        "syscall\n"
        "ud2\n"
        :
        : [word] "r"(word), "D"(u64{count})
        : "rax", "rsi", "rdx", "rcx", "r11", "memory");
    __builtin_unreachable();
}

// Wakes who waits for the end word once it is clear, as the last thing that this thread does.
[[noreturn]] void leave_waking() {
    ThreadState& self = this_thread();
    running.fetch_sub(1, std::memory_order_relaxed);  // a count for end_process, which orders nothing by it
    if (end_word != nullptr) (void)self.ring->push(entry::wake(reinterpret_cast<u64>(end_word), 1));
    self.ring->publish();
    leave(self.ring->unsubmitted(), end_word);
}

}  // namespace

long futex_wait(const u32* word, u32 expected, u64 timeout_ns) {
    Ring& ring = *this_thread().ring;
    const u64 deadline = timeout_ns == 0 ? kNoDeadline : ring.now() + timeout_ns;
    const auto ended = ring.perform(entry::wait(reinterpret_cast<u64>(word), expected), deadline);
    if (!ended) return ended.error() == Status::timed_out ? -ETIMEDOUT : -EAGAIN;
    return 0;
}

long futex_wake(const u32* word, u64 count) {
    (void)this_thread().ring->post(entry::wake(reinterpret_cast<u64>(word), count));
    return 0;
}

void set_end_word(u32* word) { end_word = word; }
void end_thread() { leave_waking(); }
bool threads_running() { return running.load(std::memory_order_relaxed) != 0; }

// The first function of a thread, on its own stack: `birth` stands at the top of it.
extern "C" [[noreturn, gnu::used]] void capos_thread_start(Birth* birth, std::byte* region) {
    asm volatile("wrfsbase %0" ::"r"(birth->thread_pointer));
    Result<Ring, Status> ring = Ring::attach(region);
    if (!ring) exit(0);
    ThreadState state;
    state.number = birth->number;
    state.attach(*ring);
    set_this_thread(state);
    end_word = birth->end_word;
    (void)birth->entry(birth->argument);
    end_thread();
}

// Entered by the kernel with rdi = birth, rsi = ring region (abi/start.h).
extern "C" [[gnu::naked, noreturn]] void capos_thread_entry() {
    asm volatile(
        "xorl %ebp, %ebp\n"
        "cld\n"
        "call capos_thread_start\n"
        "ud2\n");
}

}  // namespace capos::runtime::libc

using namespace capos::runtime;

extern "C" int capos_create_thread(int (*entry)(void*), void* stack, int, void* argument, int* parent_id, void* thread_pointer,
                                   int* child_id) {
    using namespace libc;
    ThreadState& self = this_thread();
    if (!self.caller) return -EAGAIN;
    const auto made = self.caller->call<capos::idl::Process::CreateThread>(authority().process,
                                                                          {.name = "thread", .priority = kOwnPriority});
    if (!made) return -EAGAIN;

    const auto top = (reinterpret_cast<capos::u64>(stack) - sizeof(Birth)) / kStackAlignment * kStackAlignment;
    const int number = last_number.fetch_add(1, std::memory_order_relaxed) + 1;  // a name, nothing more
    Birth* birth = new (reinterpret_cast<void*>(top)) Birth{
        entry, argument, thread_pointer, reinterpret_cast<capos::u32*>(child_id), number};
    *parent_id = number;
    running.fetch_add(1, std::memory_order_relaxed);
    const capos::abi::CapId thread = made->capability(made->fields.thread);
    const auto started = self.caller->call<capos::idl::Thread::Start>(
        thread, {.entry = reinterpret_cast<capos::u64>(&capos_thread_entry),
                 .stack = top,
                 .argument = reinterpret_cast<capos::u64>(birth)});
    (void)self.ring->post(entry::release(thread));
    if (!started) running.fetch_sub(1, std::memory_order_relaxed);
    return started ? number : -EAGAIN;
}

// A detached thread gives back the stack on which it runs: the kernel does that after the thread is gone.
extern "C" [[noreturn]] void capos_exit_and_unmap(void* base, capos::usize size) {
    using namespace libc;
    ThreadState& self = this_thread();
    const capos::idl::AddressSpace::Unmap::Params params{.address = reinterpret_cast<capos::u64>(base), .bytes = size};
    const capos::usize length = params.encode(self.caller->params());
    (void)self.ring->push(entry::call(authority().space, capos::idl::AddressSpace::Unmap::kInterfaceId,
                                      capos::idl::AddressSpace::Unmap::kOrdinal,
                                      self.caller->message(static_cast<capos::u32>(length), {}), self.caller->reply_buffer(0)));
    leave_waking();
}
