// objects.h - the kernel's methods as functions, for test programs: one call each, nothing kept.
#pragma once

#include "runtime/ring/caller.h"

namespace capos::test {

using abi::CapId;
using runtime::Caller;
using runtime::Ring;

template <typename T>
using Expected = Result<T, Status>;

inline constexpr u64 kPageBytes = 4096;

enum Protection : u8 { kRead = 1, kWrite = 2, kExecute = 4 };

struct ProcessCapabilities {
    CapId process;
    CapId space;
};
struct ThreadCapabilities {
    CapId thread;
    u64 region{};  // address of its ring region in its process
};
struct ThreadOptions {
    u8 priority{};
    u32 region_bytes{};
    u16 submission_entries{};
    u16 completion_entries{};
};

// Account
Expected<CapId> create_account(Caller& caller, CapId account, u64 frames, u32 objects, u32 nodes);
Expected<CapId> create_memory(Caller& caller, CapId account, u64 bytes);
Expected<CapId> create_endpoint(Caller& caller, CapId account);
Expected<CapId> create_notification(Caller& caller, CapId account);
Expected<ProcessCapabilities> create_process(Caller& caller, CapId account, std::string_view name, u32 slots = 64);
Expected<idl::Account::Usage::Results> usage(Caller& caller, CapId account);
Expected<CapId> derive(Caller& caller, CapId account, CapId capability);
Expected<void> revoke(Caller& caller, CapId account, CapId capability);

// Process and Thread
Expected<CapId> grant(Caller& caller, CapId process, CapId capability);
Expected<ThreadCapabilities> create_thread(Caller& caller, CapId process, std::string_view name, ThreadOptions options = {});
Expected<void> kill(Caller& caller, CapId process);
Expected<void> supervise(Caller& caller, CapId process, CapId notification, u8 bit);
Expected<void> write_arena(Caller& caller, CapId thread, std::span<const std::byte> message);
Expected<void> start_thread(Caller& caller, CapId thread, u64 entry, u64 stack, u64 argument, u32 start_length = 0);
Expected<void> set_cpu(Caller& caller, CapId thread, u32 cpu);

// AddressSpace and Memory
Expected<u64> map(Caller& caller, CapId space, CapId memory, u64 offset, u64 bytes, u64 address, u8 protection);
Expected<void> unmap(Caller& caller, CapId space, u64 address, u64 bytes);
Expected<void> protect(Caller& caller, CapId space, u64 address, u64 bytes, u8 protection);
Expected<void> seal(Caller& caller, CapId memory);
Expected<CapId> readable(Caller& caller, CapId memory);

// Endpoint
Expected<CapId> mint(Caller& caller, CapId endpoint, u64 badge);
Expected<CapId> make_receiver(Caller& caller, CapId endpoint);
Expected<void> set_down(Caller& caller, CapId endpoint, bool down);

// Machine
Expected<u64> now(Caller& caller, CapId clock);
Expected<u64> free_frames(Caller& caller, CapId platform);

// Drops a capability that is certainly held.
inline void release(Caller& caller, CapId id) { (void)caller.ring().post(runtime::entry::release(id)); }

}  // namespace capos::test
