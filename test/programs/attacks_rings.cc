// Attacks on rings: impossible indices, memory that changes while the kernel reads it, queues that are never emptied.

#include "attacks.h"

namespace capos::test {

namespace {

using namespace runtime;

constexpr u64 kMillisecond = 1'000'000;

u64 impossible_tail(Hostile& h) {
    h.ring.header().sq_tail += 0x8000'0000;
    (void)runtime::enter(1, 0, kNoDeadline);
    return 1;
}

u64 impossible_head(Hostile& h) {
    h.ring.header().cq_head -= 1000;
    (void)runtime::enter(0, 1, kNoDeadline);
    return 1;
}

u64 wait_for_too_many(Hostile&) {
    (void)runtime::enter(0, ~u32{0}, kNoDeadline);
    return 1;
}

u64 unknown_register_entry(Hostile&) {
    u64 result = 0;
    asm volatile("syscall" : "+a"(result) : "D"(u64{3} << 32), "S"(u64{1}), "d"(u64{0}) : "rcx", "r11", "memory");
    return 1;
}

u64 register_entry_too_long(Hostile& h) {
    abi::Submission call = entry::call(h.facet, 1, 0, {}, h.caller.reply_buffer(0));
    call.params_length = abi::kRegisterCallBytesMax + 8;
    (void)h.ring.call_in_registers(call);
    return 1;
}

// The same mistakes in registers as in the queue.
u64 bad_register_entries(Hostile& h) {
    const auto status = [&](const abi::Submission& call) {
        const auto completion = h.ring.call_in_registers(call);
        return completion ? static_cast<Status>(completion->status) : Status::ok;
    };
    abi::Submission call = entry::call(h.facet, 1, 0, {}, h.caller.reply_buffer(0));
    call.capability = 0x1234'5678;
    if (status(call) != Status::bad_capability) return 1;
    call.capability = h.facet.value;
    call.reply_offset = 0xffff'fff8;
    if (status(call) != Status::bad_offset) return 2;
    call.reply_offset = 4;
    if (status(call) != Status::bad_offset) return 3;
    const auto reply = h.ring.reply_in_registers(entry::reply(0x55, {}), h.now() + kMillisecond);
    return reply && static_cast<Status>(reply->status) == Status::stale ? 0 : 4;
}

// What belongs to the kernel is written over; the kernel has its own copy.
u64 overwritten_header(Hostile& h) {
    abi::RingHeader& header = h.ring.header();
    const abi::RingHeader before = header;
    header.sq_offset = header.cq_offset = header.arena_offset = 0xffff'fff0;
    header.sq_entries = header.cq_entries = header.arena_bytes = 0;
    header.sq_head = 0x7777;
    header.region_bytes = ~u32{0};
    header.magic = 0;
    for (u64 i = 0; i < 100; ++i) {
        if (h.outcome(entry::nop()) != Status::ok) return i + 1;
    }
    if (h.outcome_of_call(h.clock, idl::Clock::kInterfaceId, 0, 0) != Status::ok) return 200;
    if (header.sq_head == 0x7777) return 201;
    header = before;
    return 0;
}

u64 offsets_outside(Hostile& h) {
    const u32 offsets[] = {h.ring.arena_bytes(), h.ring.arena_bytes() - 8, 0x8000'0000, 0xffff'fff8, 0xffff'ff00, 4, 12};
    u64 step = 0;
    for (const u32 offset : offsets) {
        abi::Submission call = entry::call(h.facet, 1, 0, {.payload = {offset, 256}}, h.caller.reply_buffer(0));
        ++step;
        if (h.outcome(call) != Status::bad_offset) return step;
        call = entry::call(h.facet, 1, 0, {}, {.buffer = {offset, 256}});
        if (h.outcome(call) != Status::bad_offset) return 100 + step;
        call = entry::call(h.facet, 1, 0, {.capabilities_offset = offset, .capability_count = 8}, h.caller.reply_buffer(0));
        if (h.outcome(call) != Status::bad_offset) return 200 + step;
    }
    return 0;
}

// Parameters, capability list and reply in the same bytes.
u64 overlapping_buffers(Hostile& h) {
    const u32 at = h.caller.reply_buffer(0).buffer.offset;
    for (u64 i = 0; i < 50; ++i) {
        idl::flat::store(h.ring.at(at), h.notification.value);
        const auto call =
            entry::call(h.facet, kPuppetInterface, 0, {.payload = {at, 64}, .capabilities_offset = at, .capability_count = 1},
                        {.buffer = {at, 512}});
        if (h.outcome(call) != Status::ok) return i + 1;
    }
    return 0;
}

u64 completion_flood(Hostile& h) {
    // Nothing is read: the kernel stops taking entries, and loses none.
    u32 taken = 0;
    for (u32 i = 0; i < 200; ++i) {
        if (!h.ring.push(entry::tagged(entry::nop(), i + 1))) break;
        (void)h.ring.enter();
        taken = i + 1 - h.ring.unsubmitted();
    }
    if (taken != abi::kCompletionEntriesDefault) return taken + 1;
    u64 expected = 1;
    while (expected <= 40) {
        const auto completion = h.ring.next();
        if (!completion) {
            if (h.ring.unsubmitted() == 0) break;
            (void)h.ring.enter();
            continue;
        }
        if (completion->user_data != expected++) return 300;
    }
    return 0;
}

// More unfinished entries than records.
u64 record_flood(Hostile& h) {
    for (u32 i = 0; i < 100; ++i) {
        if (!h.ring.push(entry::tagged(entry::timer(kNoDeadline - i), i + 1))) break;
        (void)h.ring.enter();
    }
    if (h.ring.unsubmitted() == 0) return 1;
    (void)h.ring.enter(1, h.now() + kMillisecond);
    return h.ring.unread() == 0 ? 0 : 2;
}

u64 bad_receive_groups(Hostile& h) {
    const auto endpoint = create_endpoint(h.caller, h.account);
    if (!endpoint) return 1;
    const auto receiver = make_receiver(h.caller, *endpoint);
    if (!receiver) return 2;
    const auto receive = [&](ReceiveBuffers buffers) { return h.outcome(entry::receive_calls(*receiver, buffers)); };
    if (receive({.group = 8, .count = 1, .bytes_each = 256}) != Status::bad_argument) return 3;
    if (receive({.group = 255, .count = 1, .bytes_each = 256}) != Status::bad_argument) return 4;
    if (receive({.count = 0, .bytes_each = 256}) != Status::bad_argument) return 5;
    if (receive({.count = 65, .bytes_each = 128}) != Status::bad_argument) return 6;
    if (receive({.count = 64, .first_offset = 4096, .bytes_each = 4096}) != Status::bad_offset) return 7;
    if (receive({.count = 1, .bytes_each = 0xffff'fff8}) != Status::bad_offset) return 8;
    if (receive({.count = 2, .bytes_each = 100}) != Status::bad_offset) return 9;
    if (receive({.count = 1, .bytes_each = 8}) != Status::bad_offset) return 10;
    if (receive({.count = 4, .bytes_each = 256, .slots_each = 9}) != Status::bad_argument) return 11;
    if (receive({.count = 60, .bytes_each = 96, .slots_each = 8}) != Status::quota) return 12;  // more slots than the table has
    return 0;
}

u64 bad_provides(Hostile& h) {
    for (u32 group = 0; group < 256; group += 5) {
        for (u32 buffer = 0; buffer < 256; buffer += 51) {
            if (h.ring.post(entry::provide(static_cast<u8>(group), static_cast<u8>(buffer)))) return group * 1000 + buffer + 1;
        }
    }
    return 0;
}

// Another thread of the process writes over the whole ring region of the first one, as long as that one works.
void scribble(u64 region, std::byte*) {
    volatile u64* words = reinterpret_cast<volatile u64*>(region);
    u64 state = 0x1234'5678'9abc'def1;
    while (true) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Entries and arena, not the header: an impossible index would end it all at once.
        const u64 word = sizeof(abi::RingHeader) / 8 + state % ((16384 - sizeof(abi::RingHeader)) / 8);
        words[word] = state * 0x9e37'79b9 >> state % 40;
    }
}

u64 scribbled_ring(Hostile& h) {
    if (!h.second_thread(scribble, reinterpret_cast<u64>(&h.ring.header()))) return 1;
    // Straight to the kernel: what the ring client believes does not matter.
    abi::RingHeader& header = h.ring.header();
    for (u32 i = 0; i < 3000; ++i) {
        header.cq_head = header.cq_tail;
        ++header.sq_tail;
        header.sq_tail -= 1 - runtime::enter(1, 0, 0).consumed();
    }
    __builtin_trap();
}

// Two threads in one ring: only its own thread can enter it, so the second one works on its own.
void enter_own_ring(u64, std::byte* region) {
    Result<Ring, Status> ring = Ring::attach(region);
    for (int i = 0; ring && i < 200; ++i) (void)ring->perform(entry::nop());
    runtime::exit(0);
}

u64 two_threads(Hostile& h) {
    const auto second = h.second_thread(enter_own_ring, 0);
    if (!second) return 1;
    for (u64 i = 0; i < 200; ++i) {
        if (h.outcome(entry::nop()) != Status::ok) return 2;
    }
    return h.caller.call<idl::Thread::Wait>(*second) ? 0 : 3;
}

// A message that another thread changes while it is sent again and again.
void change_message(u64 address, std::byte*) {
    volatile u64* word = reinterpret_cast<volatile u64*>(address);
    for (u64 i = 0;; ++i) *word = i;
}

u64 changing_message(Hostile& h) {
    if (!h.second_thread(change_message, reinterpret_cast<u64>(h.caller.params().data()))) return 1;
    for (u64 i = 0; i < 100; ++i) {  // each may cost a slice
        const Status status =
            h.outcome(entry::call(h.facet, kPuppetInterface, 0, h.caller.message(64, {}), h.caller.reply_buffer(0)));
        if (status != Status::ok) return i + 2;
        (void)h.outcome_of_call(h.space, idl::AddressSpace::kInterfaceId, 1, 32);
    }
    while (true) (void)kill(h.caller, h.process);  // until that message is whole
}

constexpr u32 cause(abi::CrashCause value) { return static_cast<u32>(value); }

constexpr Attack kAttacks[] = {
    {"a submission index far ahead", impossible_tail, cause(abi::CrashCause::bad_ring), nullptr},
    {"a completion index far behind", impossible_head, cause(abi::CrashCause::bad_ring), nullptr},
    {"waiting for more than there can be", wait_for_too_many, cause(abi::CrashCause::bad_enter), nullptr},
    {"an unknown entry in registers", unknown_register_entry, cause(abi::CrashCause::bad_enter), nullptr},
    {"a message in registers that is too long", register_entry_too_long, cause(abi::CrashCause::bad_enter), nullptr},
    {"bad entries in registers", bad_register_entries, kReturns, nullptr},
    {"the kernel's part of the header written over", overwritten_header, kReturns, nullptr},
    {"offsets outside the arena", offsets_outside, kReturns, nullptr},
    {"message, capabilities and reply in the same bytes", overlapping_buffers, kReturns, nullptr},
    {"a completion queue that is never read", completion_flood, kReturns, nullptr},
    {"more unfinished entries than records", record_flood, kReturns, nullptr},
    {"receive groups out of range", bad_receive_groups, kReturns, nullptr},
    {"buffers given back that were not received", bad_provides, kReturns, nullptr},
    {"entries and messages scribbled over by another thread", scribbled_ring, cause(abi::CrashCause::invalid_opcode), nullptr},
    {"two threads, two rings", two_threads, kReturns, nullptr},
    {"a message that changes while it is sent", changing_message, kKilled, nullptr},
};

}  // namespace

std::span<const Attack> attacks_on_rings() { return kAttacks; }

}  // namespace capos::test
