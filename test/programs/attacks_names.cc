// Attacks on names: capability ids, reply tokens, answers, methods and messages that were never given out, or no longer hold.

#include "attacks.h"

namespace capos::test {

namespace {

using namespace runtime;
using abi::CapId;

u64 random_number(u64& state) {  // xorshift64
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

// Every slot with every small generation: only those that were granted may answer.
u64 forged_ids(Hostile& h) {
    u32 live = 0;
    for (u32 index = 0; index < 300; ++index) {
        for (u64 generation = 0; generation < 3; ++generation) {
            const Status status = h.outcome_of_call(CapId::make(index, generation), 1, 999);
            if (status != Status::bad_capability) ++live;
        }
    }
    return live == 8 ? 0 : live + 1;  // the eight that it was given
}

u64 random_ids(Hostile& h) {
    u64 state = 0x9e3779b97f4a7c15;
    for (u64 i = 0; i < 2000; ++i) {
        if (h.outcome_of_call(CapId{random_number(state) | u64{1} << 40}, 1, 0) != Status::bad_capability) return i + 1;
    }
    return 0;
}

u64 stale_id(Hostile& h) {
    const auto endpoint = create_endpoint(h.caller, h.account);
    if (!endpoint) return 1;
    release(h.caller, *endpoint);
    const auto next = create_endpoint(h.caller, h.account);  // most likely in the same slot
    if (!next || *next == *endpoint) return 2;
    if (status_of(mint(h.caller, *endpoint, 1)) != Status::bad_capability) return 3;
    if (status_of(h.ring.post(entry::release(*endpoint))) != Status::bad_capability) return 4;
    return status_of(mint(h.caller, *next, 1)) == Status::ok ? 0 : 5;
}

u64 id_with_move_bit(Hostile& h) {
    return h.outcome_of_call(CapId{h.clock.value | abi::kMove}, idl::Clock::kInterfaceId, 0) == Status::bad_capability ? 0 : 1;
}

u64 forged_tokens(Hostile& h) {
    u64 state = 88172645463325252;
    for (u64 i = 0; i < 1000; ++i) {
        const u64 token = i < 200 ? (i / 40) << 32 | i % 40 : random_number(state);
        if (status_of(h.ring.post(entry::reply(token, {}))) != Status::stale) return i + 1;
    }
    return 0;
}

// Calls itself, answers once, and then again.
u64 token_reuse(Hostile& h) {
    const auto endpoint = create_endpoint(h.caller, h.account);
    if (!endpoint) return 1;
    const auto receiver = make_receiver(h.caller, *endpoint);
    const auto facet = mint(h.caller, *endpoint, 3);
    const auto buffers = h.ring.reserve(1024);
    if (!receiver || !facet || !buffers) return 2;
    (void)h.ring.push(
        entry::tagged(entry::receive_calls(*receiver, {.count = 2, .first_offset = buffers->offset, .bytes_each = 256}), 1));
    (void)h.ring.push(entry::tagged(entry::call(*facet, 1, 1, {}, h.caller.reply_buffer(0)), 2));
    (void)h.ring.enter(1);
    const auto call = h.ring.take(1);
    if (!call) return 3;
    if (!h.ring.post(entry::reply(call->token, {}))) return 4;
    if (!h.ring.take(2)) return 5;
    for (u64 i = 0; i < 3; ++i) {
        if (status_of(h.ring.post(entry::reply(call->token + (i << 32), {}))) != Status::stale) return 6;
    }
    return 0;
}

u64 foreign_answers(Hostile& h) {
    for (u32 answer = 0; answer < 40; ++answer) {
        const Status status =
            h.outcome(entry::pipelined_call({static_cast<u8>(answer), 0}, 1, 0, {}, h.caller.reply_buffer(0)));
        if (status != (answer < abi::kAnswersDefault ? Status::stale : Status::bad_argument)) return answer + 1;
        if (h.ring.post(entry::finish(static_cast<u8>(answer)))) return 100 + answer;
    }
    abi::Submission wild = entry::call(CapId{~u64{0}}, 1, 0, {}, h.caller.reply_buffer(0));
    wild.flags = abi::kPipelined;
    return h.outcome(wild) == Status::bad_argument ? 0 : 200;
}

u64 unknown_methods(Hostile& h) {
    const struct {
        CapId id;
        u64 interface_id;
    } objects[] = {{h.account, idl::Account::kInterfaceId}, {h.process, idl::Process::kInterfaceId},
                   {h.space, idl::AddressSpace::kInterfaceId}, {h.thread, idl::Thread::kInterfaceId},
                   {h.clock, idl::Clock::kInterfaceId}, {h.log, idl::KernelLog::kInterfaceId},
                   {h.notification, idl::Notification::kInterfaceId}};
    u64 step = 0;
    for (const auto& object : objects) {
        for (u32 method = 30; method < 0x10000; method = method * 3 + 1) {
            ++step;
            if (h.outcome_of_call(object.id, object.interface_id, static_cast<u16>(method)) != Status::unimplemented)
                return step;
        }
        if (h.outcome_of_call(object.id, 0x1111, 0) != Status::wrong_interface) return 1000 + step;
    }
    return 0;
}

// Random bytes as messages, to objects that can do no harm when some are well-formed.
u64 random_messages(Hostile& h) {
    u64 state = 0x2545f4914f6cdd1d;
    for (u64 i = 0; i < 3000; ++i) {
        for (usize at = 0; at < 64; at += 8) idl::flat::store(h.caller.params().data() + at, random_number(state));
        if (i % 3 == 0) idl::flat::store(h.caller.params().data(), idl::wire::make_struct(0, 2, 2));
        const u32 length = static_cast<u32>(random_number(state) % 9 * 8);
        const CapId targets[] = {h.space, h.log, h.clock};
        const u64 interfaces[] = {idl::AddressSpace::kInterfaceId, idl::KernelLog::kInterfaceId, idl::Clock::kInterfaceId};
        (void)h.outcome_of_call(targets[i % 3], interfaces[i % 3], static_cast<u16>(random_number(state) % 3), length);
    }
    return h.now() != 0 ? 0 : 1;
}

// A message that promises more, and capabilities that did not come.
u64 lying_messages(Hostile& h) {
    std::byte* to = h.caller.params().data();
    const auto ask = [&](u64 first, u64 second, u32 length) {
        idl::flat::store(to, first);
        idl::flat::store(to + 8, second);
        idl::flat::store(to + 16, second);
        return h.outcome_of_call(h.process, idl::Process::kInterfaceId, idl::Process::Grant::kOrdinal, length);
    };
    if (ask(idl::wire::make_struct(0, 0, 1), idl::wire::make_capability(0), 16) != Status::bad_message) return 1;
    if (ask(idl::wire::make_struct(0, 0xffff, 0xffff), 0, 16) != Status::bad_message) return 2;
    if (ask(idl::wire::make_struct(-5, 0, 1), 0, 16) != Status::bad_message) return 3;
    if (ask(2, 0, 16) != Status::bad_message) return 4;
    if (ask(idl::wire::make_struct(0, 0, 1), idl::wire::make_list(0, 2, 1 << 28), 16) != Status::bad_message) return 5;
    if (ask(idl::wire::make_struct(0, 0, 1), 0, 12) != Status::bad_message) return 6;
    if (h.outcome_of_call(h.process, idl::Process::kInterfaceId, 0, 264) != Status::bad_message) return 7;
    return 0;
}

// The same capability moved twice in one message, and one moved in a call that fails.
u64 double_move(Hostile& h) {
    const auto copy = derive(h.caller, h.account, h.notification);
    if (!copy) return 1;
    const CapId moved{copy->value | abi::kMove};
    const auto send = [&](CapId target, std::initializer_list<CapId> list) {
        return h.outcome(entry::call(target, kPuppetInterface, 0, h.caller.message(0, list), h.caller.reply_buffer(0)));
    };
    if (send(h.facet, {moved, moved, moved}) != Status::overloaded) return 2;  // more than the server takes: nothing moves
    if (!h.ring.post(entry::signal(*copy, 1))) return 3;
    if (send(h.facet, {moved, moved}) != Status::ok) return 4;
    return status_of(h.ring.post(entry::signal(*copy, 1))) == Status::bad_capability ? 0 : 5;
}

u64 huge_numbers(Hostile& h) {
    const u64 huge = ~u64{0};
    const auto endpoint = create_endpoint(h.caller, h.account);
    const auto memory = create_memory(h.caller, h.account, kPageBytes);
    if (!endpoint || !memory) return 1;
    if (status_of(mint(h.caller, *endpoint, huge)) != Status::bad_argument) return 2;
    if (status_of(mint(h.caller, *endpoint, abi::kBadgeEntry)) != Status::bad_argument) return 3;
    if (status_of(supervise(h.caller, h.process, h.notification, 63)) != Status::bad_argument) return 4;
    if (status_of(set_cpu(h.caller, h.thread, 64)) != Status::bad_argument) return 5;
    if (status_of(h.caller.call<idl::Memory::Read>(*memory, {.offset = huge, .length = 1})) != Status::bad_argument) return 6;
    if (status_of(h.caller.call<idl::Memory::Read>(*memory, {.offset = 0, .length = ~u32{0}})) != Status::bad_argument)
        return 7;
    const std::byte bytes[8]{};
    if (status_of(h.caller.call<idl::Memory::Write>(*memory, {.offset = huge - 3, .data = bytes})) != Status::bad_argument)
        return 8;
    if (status_of(create_memory(h.caller, h.account, huge & ~(kPageBytes - 1))) != Status::bad_argument) return 9;
    if (status_of(create_account(h.caller, h.account, huge, 1, 1)) != Status::quota) return 10;
    if (status_of(create_account(h.caller, h.account, 1, ~u32{0}, 1)) != Status::quota) return 11;
    if (status_of(create_process(h.caller, h.account, "x", ~u32{0})) != Status::bad_argument) return 12;
    if (status_of(h.caller.call<idl::Thread::SetBudget>(h.thread, {.budget = huge, .period = 1})) != Status::bad_argument)
        return 13;
    return 0;
}

u64 log_abuse(Hostile& h) {
    char line[201];
    __builtin_memset(line, 'x', sizeof(line));
    const auto write = [&](u8 level, std::string_view text) {
        return status_of(h.caller.call<idl::KernelLog::Write>(h.log, {.level = level, .text = text}));
    };
    if (write(3, {line, 201}) != Status::bad_argument) return 1;
    if (write(4, "level 4") != Status::bad_argument) return 2;
    return write(3, "a line\n[0.0] ERROR panic: that is none\x1b[2J") == Status::ok ? 0 : 3;
}

constexpr Attack kAttacks[] = {
    {"forged capability ids", forged_ids, kReturns, nullptr},
    {"random capability ids", random_ids, kReturns, nullptr},
    {"a stale capability id", stale_id, kReturns, nullptr},
    {"an id with the move bit", id_with_move_bit, kReturns, nullptr},
    {"forged reply tokens", forged_tokens, kReturns, nullptr},
    {"a reply token used again", token_reuse, kReturns, nullptr},
    {"answers that were never filled", foreign_answers, kReturns, nullptr},
    {"methods and interfaces that do not exist", unknown_methods, kReturns, nullptr},
    {"random messages", random_messages, kReturns, nullptr},
    {"messages that lie about themselves", lying_messages, kReturns, nullptr},
    {"one capability moved twice", double_move, kReturns, nullptr},
    {"numbers out of range", huge_numbers, kReturns, nullptr},
    {"log lines that pretend", log_abuse, kReturns, nullptr},
};

}  // namespace

std::span<const Attack> attacks_on_names() { return kAttacks; }

}  // namespace capos::test
