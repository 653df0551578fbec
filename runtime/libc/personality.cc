#include "runtime/libc/personality.h"

#include <bits/syscall.h>
#include <errno.h>
#include <sys/uio.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "runtime/ring/caller.h"
#include "runtime/ring/log.h"

namespace capos::runtime::libc {

namespace {

constexpr u64 kPageBytes = 4096;
constexpr u8 kReadWrite = 3;  // AddressSpace.map
constexpr u32 kReplyBytes = 512;
constexpr u64 kNsPerSecond = 1'000'000'000;
constexpr u32 kEntropyBytesMax = 256;

// What musl's functions can't be handed, because they have no argument for it. Set once, before musl runs.
struct State {
    Ring* ring{};
    std::optional<Caller> caller;
    abi::CapId account, space, log, entropy;
    char line[Log::kLineBytes]{};  // written to stdout or stderr and not yet ended
    usize line_bytes{};
};
constinit State state;

u64 pages(u64 bytes) { return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes; }

// A mapping holds its memory, so the capability is not needed any longer.
long map(u64 address, u64 bytes) {
    if (!state.caller || bytes == 0) return -EINVAL;
    const auto memory = state.caller->call<idl::Account::CreateMemory>(state.account, {.bytes = pages(bytes)});
    if (!memory) return -ENOMEM;
    const abi::CapId id = memory->capability(memory->fields.memory);
    const auto mapped = state.caller->call<idl::AddressSpace::Map>(
        state.space, {.memory = {0}, .bytes = pages(bytes), .address = address, .protection = kReadWrite}, {id});
    (void)state.ring->post(entry::release(id));
    return mapped ? static_cast<long>(mapped->fields.address) : -ENOMEM;
}

long unmap(u64 address, u64 bytes) {
    if (!state.caller) return -EINVAL;
    const auto done = state.caller->call<idl::AddressSpace::Unmap>(state.space, {.address = address, .bytes = pages(bytes)});
    return done ? 0 : -EINVAL;
}

void flush_line() {
    if (state.caller && state.line_bytes != 0) Log{*state.caller, state.log}.info(std::string_view{state.line, state.line_bytes});
    state.line_bytes = 0;
}

void write_text(const char* text, usize bytes) {
    for (usize i = 0; i < bytes; ++i) {
        if (text[i] == '\n') {
            flush_line();
            continue;
        }
        if (state.line_bytes == sizeof state.line) flush_line();
        state.line[state.line_bytes++] = text[i];
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

long clock(timespec* out) {
    const u64 now = state.ring->now();
    *out = {.tv_sec = static_cast<time_t>(now / kNsPerSecond), .tv_nsec = static_cast<long>(now % kNsPerSecond)};
    return 0;
}

long sleep(const timespec* how_long) {
    const u64 ns = static_cast<u64>(how_long->tv_sec) * kNsPerSecond + static_cast<u64>(how_long->tv_nsec);
    (void)state.ring->perform(entry::timer(state.ring->now() + ns));
    return 0;
}

}  // namespace

void attach(Ring& ring, const StartMessage& start) {
    state.ring = &ring;
    Result<Caller, Status> caller = Caller::create(ring, kReplyBytes);
    if (caller) state.caller.emplace(*caller);
    state.account = start.find("account", idl::Account::kInterfaceId);
    state.space = start.find("space", idl::AddressSpace::kInterfaceId);
    state.log = start.find("log", idl::KernelLog::kInterfaceId);
    state.entropy = start.find("entropy", idl::Entropy::kInterfaceId);
}

void random_bytes(std::byte* out, usize bytes) {
    while (bytes != 0) {
        const u32 part = static_cast<u32>(std::min<usize>(bytes, kEntropyBytesMax));
        const auto filled = state.caller->call<idl::Entropy::Fill>(state.entropy, {.bytes = part});
        u64 weak = state.ring->now() * 0x9e37'79b9'7f4a'7c15;
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
            // Only anonymous memory: flags in d. A fixed address is honoured, protection always is read and write.
            (void)d;
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
        case SYS_nanosleep: return libc::sleep(reinterpret_cast<const timespec*>(a));
        case SYS_getrandom:
            libc::random_bytes(reinterpret_cast<std::byte*>(a), static_cast<capos::usize>(b));
            return b;
        case SYS_set_tid_address:
        case SYS_gettid:
        case SYS_getpid: return 1;
        case SYS_rt_sigprocmask:
        case SYS_rt_sigaction: return 0;
        case SYS_exit:
        case SYS_exit_group:
            libc::flush_line();
            exit(static_cast<capos::u64>(a));
        default: return -ENOSYS;
    }
}

extern "C" int capos_set_thread_pointer(void* pointer) {
    asm volatile("wrfsbase %0" ::"r"(pointer));
    return 0;
}

extern "C" int capos_create_thread(int (*)(void*), void*, int, void*, int*, void*, int*) { return -ENOSYS; }

extern "C" [[noreturn]] void capos_exit_and_unmap(void*, capos::usize) { exit(0); }
