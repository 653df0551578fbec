#include "runtime/libc/personality.h"

#include <bits/syscall.h>
#include <errno.h>
#include <sys/uio.h>
#include <time.h>

#include <algorithm>
#include <cstring>

#include "runtime/base/memory.h"
#include "runtime/ring/log.h"

namespace capos::runtime::libc {

namespace {

constexpr u32 kReplyBytes = 512;
constexpr u64 kNsPerSecond = 1'000'000'000;
constexpr u32 kEntropyBytesMax = 256;

// What musl's functions can't be handed, because they have no argument for it. Set once, before musl runs.
constinit Authority given;
constinit ThreadState main_thread;
constinit bool has_thread_pointer = false;
constinit thread_local ThreadState* current = nullptr;

// What a thread has written to stdout or stderr and not yet ended.
struct Line {
    char text[Log::kLineBytes]{};
    usize bytes{};
};
constinit thread_local Line line;

// A mapping holds its memory, so the capability is not needed any longer.
long map(u64 address, u64 bytes) {
    ThreadState& self = this_thread();
    if (!self.caller || bytes == 0) return -EINVAL;
    const auto memory = self.caller->call<idl::Account::CreateMemory>(given.account, {.bytes = whole_pages(bytes)});
    if (!memory) return -ENOMEM;
    const abi::CapId id = memory->capability(memory->fields.memory);
    const auto mapped = self.caller->call<idl::AddressSpace::Map>(
        given.space, {.memory = {0}, .bytes = whole_pages(bytes), .address = address, .protection = kRead | kWrite}, {id});
    (void)self.ring->post(entry::release(id));
    return mapped ? static_cast<long>(mapped->fields.address) : -ENOMEM;
}

long unmap(u64 address, u64 bytes) {
    ThreadState& self = this_thread();
    if (!self.caller) return -EINVAL;
    const idl::AddressSpace::Unmap::Params range{.address = address, .bytes = whole_pages(bytes)};
    const auto done = self.caller->call<idl::AddressSpace::Unmap>(given.space, range);
    return done ? 0 : -EINVAL;
}

// With other threads still running the process is killed; then there is no exit code.
[[noreturn]] void end_process(u64 code) {
    ThreadState& self = this_thread();
    if (threads_running() && self.caller) (void)self.caller->call<idl::Process::Kill>(given.process);
    exit(code);
}

void flush_line() {
    ThreadState& self = this_thread();
    if (self.caller && line.bytes != 0) Log{*self.caller, given.log}.info(std::string_view{line.text, line.bytes});
    line.bytes = 0;
}

void write_text(const char* text, usize bytes) {
    for (usize i = 0; i < bytes; ++i) {
        if (text[i] == '\n') {
            flush_line();
            continue;
        }
        if (line.bytes == sizeof line.text) flush_line();
        line.text[line.bytes++] = text[i];
    }
}

long write_vector(int file, const iovec* parts, long count) {
    if (file != 1 && file != 2) return -EBADF;
    long total = 0;
    for (long i = 0; i < count; ++i) {
        write_text(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
        total += static_cast<long>(parts[i].iov_len);
    }
    return total;
}

u64 ns_of(const timespec& time) { return static_cast<u64>(time.tv_sec) * kNsPerSecond + static_cast<u64>(time.tv_nsec); }

long clock(timespec* out) {
    const u64 now = this_thread().ring->now();
    *out = {.tv_sec = static_cast<time_t>(now / kNsPerSecond), .tv_nsec = static_cast<long>(now % kNsPerSecond)};
    return 0;
}

long sleep(const timespec& how_long) {
    Ring& ring = *this_thread().ring;
    (void)ring.perform(entry::timer(ring.now() + ns_of(how_long)));
    return 0;
}

// Waiting with a relative timeout, and waking: what musl's locks use. Its condition variables move a waiter to another word
// (`fourth` of them); here it is woken instead, and waits for that word itself, as it must be ready to do anyway.
long futex(const u32* word, long operation, u32 value, long fourth) {
    constexpr long kWait = 0, kWake = 1, kRequeue = 3, kPrivate = 128;
    const auto* timeout = reinterpret_cast<const timespec*>(fourth);
    switch (operation & ~kPrivate) {
        case kWait: return futex_wait(word, value, timeout == nullptr ? 0 : ns_of(*timeout));
        case kWake: return futex_wake(word, value);
        case kRequeue: return futex_wake(word, u64{value} + static_cast<u64>(fourth));
        default: return -ENOSYS;
    }
}

}  // namespace

void ThreadState::attach(Ring& own) {
    ring = &own;
    Result<Caller, Status> made = Caller::create(own, kReplyBytes);
    if (made) caller.emplace(*made);
}

// Not inlined: the compiler may read a thread-local variable early, which faults before there is a thread pointer.
[[gnu::noinline]] ThreadState* thread_local_state() { return current; }

ThreadState& this_thread() {
    ThreadState* own = has_thread_pointer ? thread_local_state() : nullptr;
    return own != nullptr ? *own : main_thread;
}
void set_this_thread(ThreadState& state) { current = &state; }
const Authority& authority() { return given; }

void attach(Ring& ring, const StartMessage& start) {
    main_thread.attach(ring);
    given = {.account = start.find("account", idl::Account::kInterfaceId),
             .space = start.find("space", idl::AddressSpace::kInterfaceId),
             .process = start.find("process", idl::Process::kInterfaceId),
             .log = start.find("log", idl::KernelLog::kInterfaceId),
             .entropy = start.find("entropy", idl::Entropy::kInterfaceId)};
}

void random_bytes(std::byte* out, usize bytes) {
    ThreadState& self = this_thread();
    while (bytes != 0) {
        const u32 part = static_cast<u32>(std::min<usize>(bytes, kEntropyBytesMax));
        const auto filled = self.caller->call<idl::Entropy::Fill>(given.entropy, {.bytes = part});
        u64 weak = self.ring->now() * 0x9e37'79b9'7f4a'7c15;
        for (u32 i = 0; i < part; ++i, weak = weak * 6364136223846793005 + 1442695040888963407) {
            out[i] = filled && i < filled->fields.data.size() ? filled->fields.data[i] : static_cast<std::byte>(weak >> 56);
        }
        out += part;
        bytes -= part;
    }
}

}  // namespace capos::runtime::libc

using namespace capos::runtime;

// What musl calls instead of Linux. Answers a value, or a negative error number.
extern "C" long capos_syscall(long number, long a, long b, long c, long d, long, long) {
    switch (number) {
        case SYS_mmap:
            // Only anonymous memory. A fixed address is honoured; the protection always is read and write.
            return libc::map(static_cast<capos::u64>(a), static_cast<capos::u64>(b));
        case SYS_munmap: return libc::unmap(static_cast<capos::u64>(a), static_cast<capos::u64>(b));
        case SYS_madvise: return 0;
        case SYS_writev: return libc::write_vector(static_cast<int>(a), reinterpret_cast<const iovec*>(b), c);
        case SYS_write: {
            const iovec part{reinterpret_cast<void*>(b), static_cast<capos::usize>(c)};
            return libc::write_vector(static_cast<int>(a), &part, 1);
        }
        case SYS_ioctl: return -ENOTTY;
        case SYS_clock_gettime: return libc::clock(reinterpret_cast<timespec*>(b));
        case SYS_nanosleep: return libc::sleep(*reinterpret_cast<const timespec*>(a));
        case SYS_futex:
            return libc::futex(reinterpret_cast<const capos::u32*>(a), b, static_cast<capos::u32>(c), d);
        case SYS_getrandom:
            libc::random_bytes(reinterpret_cast<std::byte*>(a), static_cast<capos::usize>(b));
            return b;
        case SYS_set_tid_address:
            libc::set_end_word(reinterpret_cast<capos::u32*>(a));
            return libc::this_thread().number;
        case SYS_gettid: return libc::this_thread().number;
        case SYS_getpid: return 1;
        case SYS_rt_sigprocmask:
        case SYS_rt_sigaction: return 0;
        case SYS_exit: libc::end_thread();
        case SYS_exit_group:
            libc::flush_line();
            libc::end_process(static_cast<capos::u64>(a));
        default: return -ENOSYS;
    }
}

extern "C" int capos_set_thread_pointer(void* pointer) {
    asm volatile("wrfsbase %0" ::"r"(pointer));
    libc::has_thread_pointer = true;
    return 0;
}
