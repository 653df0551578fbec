// user.h - a thread as its own program sees it: its ring, its registers, its memory. Tests drive it by hand: it stands in user
// mode on some CPU until the test makes it enter. The kernel's objects are reached only through what a program could use;
// `thread` is there for checks.
#pragma once

#include <cstring>
#include <initializer_list>
#include <optional>
#include <span>

#include "idl/kernel_messages.h"
#include "runtime/ring/entries.h"
#include "sim/machine.h"

namespace capos::sim {

template <typename Results>
struct Reply {
    Status status{};
    Results fields{};
    u16 code{};
    u8 count{};
    abi::CapId capabilities[abi::kCapabilitiesMax]{};

    bool ok() const { return status == Status::ok; }
};

class User {
public:
    // Arena plan of the typed calls; what lies above kFree is the test's.
    static constexpr u32 kParams = 0, kCapabilities = 512, kReply = 640, kReplyBytes = 4736, kFree = kReply + kReplyBytes;

    User() = default;
    User(Machine& machine, kernel::Thread& thread) : machine_{&machine}, thread_{&thread} {}

    kernel::Thread& thread() const { return *thread_; }
    Machine& machine() const { return *machine_; }

    // --- the ring ---
    abi::RingHeader& header() const { return *reinterpret_cast<abi::RingHeader*>(region()); }
    std::byte* region() const { return machine_->memory(region_start()); }
    std::byte* arena(u32 offset) const { return region() + thread_->ring.geometry().arena_offset() + offset; }
    abi::Submission& submission(u32 index) const;
    // Puts an entry into the queue; its place has to be free.
    void push(const abi::Submission& entry) const;
    // The next completion that was not read.
    std::optional<abi::Completion> pop() const;
    u32 unread() const { return header().cq_tail - header().cq_head; }
    // Of a received message or reply.
    const abi::MessageHeader& message_header(const abi::Completion& c) const {
        return *reinterpret_cast<const abi::MessageHeader*>(arena(c.offset));
    }
    std::span<std::byte> payload(const abi::Completion& c) const {
        return {arena(c.offset) + sizeof(abi::MessageHeader), c.length};
    }
    void write(u32 offset, std::string_view text) const { std::memcpy(arena(offset), text.data(), text.size()); }

    // --- running ---
    // The CPU that runs this thread's user code now.
    std::optional<u32> where() const;
    bool running() const { return where().has_value(); }
    // One system call, and everything until all CPUs rest. Nothing: the thread waits, or has ended.
    std::optional<abi::EnterResult> enter(u32 to_submit, u32 min_complete = 0, u64 deadline = ~u64{0}) const;
    std::optional<abi::EnterResult> enter_raw(u64 rdi, u64 rsi, u64 rdx) const;
    // The same, only until this step of the core is over: the rest is up to the test.
    void begin_enter(u32 to_submit, u32 min_complete = 0, u64 deadline = ~u64{0}) const;
    void exit(u64 code) const;
    abi::EnterResult result() const { return abi::EnterResult{thread_->context.rax}; }

    // One entry and its completion. Nothing when it waits.
    std::optional<abi::Completion> perform(abi::Submission entry) const;

    // --- memory, through the CPU's translations; faults go to the kernel, and the access is tried again ---
    // False when the thread did not get over it.
    bool load(u64 address, u64& value) const;
    bool store(u64 address, u64 value) const;
    bool execute(u64 address) const;

    // --- typed calls of kernel objects ---
    template <typename Method>
    abi::Submission make_call(abi::CapId target, const typename Method::Params& params,
                              std::initializer_list<u64> capabilities = {}) const {
        const usize length = params.encode({arena(kParams), kCapabilities - kParams});
        usize n = 0;
        for (const u64 id : capabilities) std::memcpy(arena(kCapabilities) + 8 * n++, &id, sizeof id);
        return runtime::entry::call(target, Method::kInterfaceId, Method::kOrdinal,
                                    {{kParams, static_cast<u32>(length)}, kCapabilities, static_cast<u8>(n)},
                                    {{kReply, kReplyBytes}, Method::Results::kCapabilities});
    }
    template <typename Method>
    Reply<typename Method::Results> reply_of(const abi::Completion& c) const {
        Reply<typename Method::Results> reply{.status = static_cast<Status>(c.status),
                                              .code = c.method,
                                              .count = c.capability_count};
        for (u8 i = 0; i < c.capability_count; ++i) reply.capabilities[i] = abi::CapId{message_header(c).capabilities[i]};
        if (reply.ok()) {
            if (const auto results = Method::Results::decode(payload(c), c.capability_count)) reply.fields = *results;
            else reply.status = Status::bad_message;
        }
        return reply;
    }
    // Calls and waits. A call that does not end by itself answers timed_out.
    template <typename Method>
    Reply<typename Method::Results> call(abi::CapId target, const typename Method::Params& params = {},
                                         std::initializer_list<u64> capabilities = {}) const {
        const auto last = perform(make_call<Method>(target, params, capabilities));
        if (!last) return {.status = Status::timed_out};
        return reply_of<Method>(*last);
    }
    Status release(abi::CapId id) const;

private:
    u64 region_start() const { return thread_->region->block.value; }
    bool access(u64 address, AccessKind kind, u64& value) const;

    Machine* machine_{};
    kernel::Thread* thread_{};
};

}  // namespace capos::sim
