// entries.h - makes submissions: one function per opcode, so that which field means what (abi/ring.h) is written down once.
// Pure values; a ring takes them with push. Arena offsets are multiples of 8.
#pragma once

#include "abi/ring.h"

namespace capos::runtime {

// Offsets and buffers in the arena are multiples of 8.
constexpr u32 align8(u32 bytes) { return (bytes + 7) & ~u32{7}; }

// A piece of the arena.
struct ArenaRange {
    u32 offset{};
    u32 length{};
};

// What a message carries: its payload, and the list of capability ids (u64 each, abi::kMove possible) in the arena.
struct Message {
    ArenaRange payload;
    u32 capabilities_offset{};
    u8 capability_count{};
};

// Where the reply of a call goes: a buffer, MessageHeader included, and the number of capabilities it may bring.
struct ReplyBuffer {
    ArenaRange buffer;
    u8 slots{};
};

// A promised capability: the n-th that the call filling `answer` will return.
struct Promise {
    u8 answer{};
    u8 result{};
};

// Receive buffers of equal size, one behind the other in the arena. `slots_each` table slots are set aside for each.
struct ReceiveBuffers {
    u8 group{};
    u8 count{};
    u32 first_offset{};
    u32 bytes_each{};
    u8 slots_each{};
};

namespace entry {

constexpr u8 code(abi::Opcode opcode) { return static_cast<u8>(opcode); }

constexpr abi::Submission nop() { return {.opcode = code(abi::Opcode::nop)}; }

constexpr abi::Submission call(abi::CapId target, u64 interface_id, u16 method, Message message, ReplyBuffer reply) {
    return {.opcode = code(abi::Opcode::call),
            .method = method,
            .capability_count = message.capability_count,
            .result_slots = reply.slots,
            .capability = target.value,
            .interface_id = interface_id,
            .params_offset = message.payload.offset,
            .params_length = message.payload.length,
            .reply_offset = reply.buffer.offset,
            .reply_capacity = reply.buffer.length,
            .capabilities_offset = message.capabilities_offset};
}

// A call on a capability that an earlier call has still to return.
constexpr abi::Submission pipelined_call(Promise target, u64 interface_id, u16 method, Message message, ReplyBuffer reply) {
    abi::Submission made =
        call(abi::CapId{(u64{target.answer} + 1) << 32 | target.result}, interface_id, method, message, reply);
    made.flags = abi::kPipelined;
    return made;
}

// The same call, remembering what it returns as `answer` until finish.
constexpr abi::Submission fills(abi::Submission made, u8 answer) {
    made.group = static_cast<u16>(answer + 1);
    return made;
}

// The next entry starts only after this one succeeded.
constexpr abi::Submission linked(abi::Submission made) {
    made.flags |= abi::kLink;
    return made;
}

constexpr abi::Submission tagged(abi::Submission made, u64 user_data) {
    made.user_data = user_data;
    return made;
}

// Takes calls from an endpoint until it is cancelled.
constexpr abi::Submission receive_calls(abi::CapId receiver, ReceiveBuffers buffers) {
    return {.opcode = code(abi::Opcode::receive),
            .result_slots = buffers.slots_each,
            .group = buffers.group,
            .capability = receiver.value,
            .interface_id = buffers.count,
            .params_offset = buffers.first_offset,
            .params_length = buffers.bytes_each};
}

// Collects the bits of a notification until it is cancelled.
constexpr abi::Submission receive_signals(abi::CapId notification) {
    return {.opcode = code(abi::Opcode::receive), .capability = notification.value};
}

// Gives a receive buffer back without answering a call.
constexpr abi::Submission provide(u8 group, u8 buffer) {
    return {.opcode = code(abi::Opcode::receive), .flags = abi::kProvide, .group = group, .argument = buffer};
}

// Answers a call; its receive buffer goes back to the group.
constexpr abi::Submission reply(u64 token, Message message) {
    return {.opcode = code(abi::Opcode::return_),
            .flags = abi::kProvide,
            .capability_count = message.capability_count,
            .params_offset = message.payload.offset,
            .params_length = message.payload.length,
            .capabilities_offset = message.capabilities_offset,
            .argument = token};
}

// Answers a call with an error: one of Cap'n Proto's four kinds, a code of the interface, and an optional text.
constexpr abi::Submission reply_error(u64 token, Status kind, u16 error_code, ArenaRange text = {}) {
    return {.opcode = code(abi::Opcode::return_),
            .flags = abi::kProvide | abi::kError,
            .method = error_code,
            .group = static_cast<u16>(kind),
            .params_offset = text.offset,
            .params_length = text.length,
            .argument = token};
}

constexpr abi::Submission cancel(u64 user_data) { return {.opcode = code(abi::Opcode::cancel), .argument = user_data}; }

constexpr abi::Submission finish(u8 answer) { return {.opcode = code(abi::Opcode::finish), .argument = answer}; }

constexpr abi::Submission release(abi::CapId id) { return {.opcode = code(abi::Opcode::release), .capability = id.value}; }

// Completes when the word at `address` is woken; at once, with `ok`, when it does not hold `expected`.
constexpr abi::Submission wait(u64 address, u32 expected) {
    return {.opcode = code(abi::Opcode::wait), .capability = address, .interface_id = expected};
}

constexpr abi::Submission wake(u64 address, u64 count) {
    return {.opcode = code(abi::Opcode::wake), .capability = address, .argument = count};
}

constexpr abi::Submission timer(u64 at_ns) { return {.opcode = code(abi::Opcode::timer), .argument = at_ns}; }

constexpr abi::Submission signal(abi::CapId notification, u64 bits) {
    return {.opcode = code(abi::Opcode::signal), .capability = notification.value, .argument = bits};
}

}  // namespace entry

}  // namespace capos::runtime
