// Attacks on others: servers that do not answer, callers that do not listen, priorities, storms, and faults that nobody
// handles.

#include "attacks.h"

namespace capos::test {

namespace {

using namespace runtime;

constexpr u64 kMillisecond = 1'000'000;

abi::Submission to_server(Hostile& h, Puppet method) {
    return entry::call(h.facet, kPuppetInterface, static_cast<u16>(method), {}, h.caller.reply_buffer(0));
}

// An endpoint of its own, with a facet.
struct Own {
    CapId endpoint, receiver, facet;
};
Expected<Own> make_own(Hostile& h) {
    const CapId endpoint = TRY(create_endpoint(h.caller, h.account));
    const CapId receiver = TRY(make_receiver(h.caller, endpoint));
    return Own{endpoint, receiver, TRY(mint(h.caller, endpoint, 9))};
}

u64 call_nobody(Hostile& h) {
    const auto own = make_own(h);
    if (!own) return 1;
    const auto call = h.ring.perform(entry::call(own->facet, 1, 1, {}, h.caller.reply_buffer(0)), h.now() + 5 * kMillisecond);
    return !call && call.error() == Status::timed_out && h.ring.unread() == 0 ? 0 : 2;
}

// Receives its own call and never answers.
u64 never_answer(Hostile& h) {
    const auto own = make_own(h);
    const auto buffers = h.ring.reserve(512);
    if (!own || !buffers) return 1;
    (void)h.ring.push(entry::receive_calls(own->receiver, {.count = 2, .first_offset = buffers->offset, .bytes_each = 256}));
    const auto call = h.ring.perform(entry::call(own->facet, 1, 1, {}, h.caller.reply_buffer(0)), h.now() + 5 * kMillisecond);
    return !call && call.error() == Status::timed_out ? 0 : 2;
}

// Ends with calls under way on both sides.
u64 end_in_the_middle(Hostile& h) {
    const auto own = make_own(h);
    const auto buffers = h.ring.reserve(1024);
    if (!own || !buffers) return 1;
    (void)h.ring.push(
        entry::receive_calls(own->receiver, {.count = 2, .first_offset = buffers->offset, .bytes_each = 256, .slots_each = 2}));
    for (int i = 0; i < 4; ++i)
        (void)h.ring.push(entry::call(own->facet, 1, 1, h.caller.message(0, {own->facet}), h.caller.reply_buffer(2)));
    (void)h.ring.push(to_server(h, Puppet::hold));
    (void)h.ring.push(entry::timer(kNoDeadline - 1));
    (void)h.ring.push(entry::receive_signals(h.notification));
    (void)h.ring.enter();
    return 0;
}

// A table so full that no result fits: its own calls fail, the server does not notice.
u64 no_slots_for_results(Hostile& h) {
    while (grant(h.caller, h.process, h.notification)) {
    }
    auto call = to_server(h, Puppet::mint);
    call.result_slots = 1;
    if (h.outcome(call) != Status::quota) return 1;
    call.result_slots = 0;
    return h.outcome(call) == Status::truncated ? 0 : 2;
}

u64 many_calls_and_no_reading(Hostile& h) {
    for (int i = 0; i < 200; ++i) {
        (void)h.ring.push(to_server(h, Puppet::echo));
        (void)h.ring.enter();
    }
    return 0;
}

u64 call_and_cancel(Hostile& h) {
    for (u64 i = 1; i <= 500; ++i) {
        (void)h.ring.push(entry::tagged(to_server(h, i % 2 == 0 ? Puppet::echo : Puppet::mint_late), i));
        (void)h.ring.push(entry::tagged(entry::cancel(i), i + 1'000'000));
        (void)h.ring.enter(2);
        if (!h.ring.take(i) || !h.ring.take(i + 1'000'000)) return i;
        while (h.ring.next()) {
        }
        if (i % 2 != 0 && i > 20) ++i;  // few of the slow kind
    }
    return 0;
}

u64 higher_priority(Hostile& h) {
    if (status_of(create_thread(h.caller, h.process, "x", {.priority = 31})) != Status::not_permitted) return 1;
    if (status_of(h.caller.call<idl::Thread::SetPriority>(h.thread, {.priority = 31})) != Status::not_permitted) return 2;
    if (status_of(h.caller.call<idl::Thread::SetPriority>(h.thread, {.priority = 32})) != Status::bad_argument) return 3;
    return status_of(h.caller.call<idl::Thread::SetPriority>(h.thread, {.priority = 3})) == Status::ok ? 0 : 4;
}

u64 spin(Hostile&) {
    while (true) {
    }
}

// While it spins, a server of higher priority answers in time.
void call_meanwhile(World& world, Child& child, CapId, Puppeteer& puppeteer, CapId facet) {
    const u64 begin = world.now();
    for (int i = 0; i < 100; ++i) (void)puppeteer.call(facet, Puppet::echo, 0, {}, 0, world.now() + 100 * kMillisecond);
    const u64 spent = world.now() - begin;
    world.check("calls beside a process that spins", spent < 500 * kMillisecond, spent, " ns");
    (void)kill(world.caller, child.process);
}

u64 signal_storm(Hostile& h) {
    for (u64 i = 0; i < 20'000; ++i) (void)h.ring.post(entry::signal(h.notification, 1 + i % 0xffff));
    return 0;
}

u64 timer_storm(Hostile& h) {
    for (u64 i = 0; i < 3000; ++i) {
        (void)h.ring.push(entry::timer(h.now() + 1000));
        (void)h.ring.enter(1);
        (void)h.ring.next();
    }
    return 0;
}

u64 wake_storm(Hostile& h) {
    const auto memory = create_memory(h.caller, h.account, kPageBytes);
    if (!memory || !map(h.caller, h.space, *memory, 0, kPageBytes, 0x2000'0000, kRead | kWrite)) return 1;
    for (u64 i = 0; i < 12; ++i) (void)h.ring.push(entry::wait(0x2000'0000, 0));
    (void)h.ring.enter();
    for (u64 i = 0; i < 5000; ++i) (void)h.ring.post(entry::wake(0x2000'0000 + i % 1024 * 4, i % 3));
    (void)h.ring.post(entry::wake(0x2000'0000, ~u64{0}));
    return h.ring.unread() == 12 ? 0 : h.ring.unread() + 1;
}

// WAIT on memory that goes away.
u64 wait_on_lost_memory(Hostile& h) {
    const auto memory = create_memory(h.caller, h.account, kPageBytes);
    if (!memory || !map(h.caller, h.space, *memory, 0, kPageBytes, 0x2000'0000, kRead | kWrite)) return 1;
    (void)h.ring.push(entry::tagged(entry::wait(0x2000'0000, 0), 7));
    (void)h.ring.enter();
    (void)unmap(h.caller, h.space, 0x2000'0000, kPageBytes);
    release(h.caller, *memory);
    const Status status = h.ring.enter(1, h.now() + 100 * kMillisecond);
    const auto wait = h.ring.take(7);
    return status == Status::ok && wait && static_cast<Status>(wait->status) == Status::disconnected ? 0 : 2;
}

// A thread whose faults go to an endpoint that its own process serves.
u64 own_pager(Hostile& h) {
    const auto own = make_own(h);
    const auto buffers = h.ring.reserve(1024);
    if (!own || !buffers) return 1;
    (void)h.ring.push(entry::receive_calls(own->receiver, {.count = 2, .first_offset = buffers->offset, .bytes_each = 512}));
    (void)h.ring.enter();
    if (!h.caller.call<idl::Thread::HandleFaults>(h.thread, {.handler = {0}, .timeout = 1000 * kMillisecond}, {own->facet}))
        return 2;
    __builtin_trap();
}

// A pager that is somebody else's, and answers nonsense; and one that never answers.
u64 foreign_pager(Hostile& h) {
    if (!h.caller.call<idl::Thread::HandleFaults>(h.thread, {.handler = {0}, .timeout = 1000 * kMillisecond}, {h.facet}))
        return 2;
    __builtin_trap();
}

u64 pager_that_is_none(Hostile& h) {
    const auto handle = [&](CapId handler, u64 timeout) {
        return status_of(h.caller.call<idl::Thread::HandleFaults>(h.thread, {.handler = {0}, .timeout = timeout}, {handler}));
    };
    if (handle(h.clock, kMillisecond) != Status::bad_argument) return 1;
    if (handle(h.facet, 0) != Status::bad_argument) return 2;
    if (handle(h.facet, ~u64{0}) != Status::bad_argument) return 3;
    const auto endpoint = create_endpoint(h.caller, h.account);  // nobody ever receives there
    const auto facet = endpoint ? mint(h.caller, *endpoint, 1) : endpoint;
    if (!facet || handle(*facet, 5 * kMillisecond) != Status::ok) return 4;
    __builtin_trap();
}

u64 start_nonsense(Hostile& h) {
    const auto made = create_thread(h.caller, h.process, "x");
    if (!made) return 1;
    const auto start = [&](u64 entry, u64 stack, u32 length) {
        return status_of(start_thread(h.caller, made->thread, entry, stack, 0, length));
    };
    if (start(0xffff'8000'0000'0000, kChildStackTop, 0) != Status::bad_argument) return 2;
    if (start(u64{1} << 47, kChildStackTop, 0) != Status::bad_argument) return 3;
    if (start(0, kChildStackTop, 0) != Status::bad_argument) return 4;
    if (start(Image::start(), ~u64{0}, 0) != Status::bad_argument) return 5;
    if (start(Image::start(), kChildStackTop, ~u32{0}) != Status::bad_argument) return 6;
    if (status_of(start_thread(h.caller, h.thread, Image::start(), kChildStackTop, 0, 0)) != Status::not_permitted) return 7;
    const std::byte bytes[8]{};
    if (status_of(h.caller.call<idl::Thread::WriteArena>(h.thread, {.offset = 0, .data = bytes})) != Status::not_permitted)
        return 8;
    if (status_of(h.caller.call<idl::Thread::WriteArena>(made->thread, {.offset = ~u32{0} - 3, .data = bytes})) !=
        Status::bad_argument)
        return 9;
    if (status_of(h.caller.call<idl::Thread::SetCpu>(made->thread, {.cpu = 1000})) != Status::bad_argument) return 10;
    // A thread that was never started keeps its process alive.
    return status_of(h.caller.call<idl::Thread::Kill>(made->thread)) == Status::ok ? 0 : 11;
}

// Its calls are under way when it is killed.
u64 call_for_ever(Hostile& h) {
    while (true) {
        for (int i = 0; i < 8; ++i) (void)h.ring.push(to_server(h, Puppet::echo));
        (void)h.ring.enter(8);
        while (h.ring.next()) {
        }
    }
}

u64 hold_for_ever(Hostile& h) {
    (void)h.outcome(to_server(h, Puppet::hold));
    return 1;
}

void kill_caller(World& world, Child& child, CapId, Puppeteer& puppeteer, CapId facet) {
    world.sleep(5 * kMillisecond);
    (void)kill(world.caller, child.process);
    (void)puppeteer.call(facet, Puppet::let_go, 0, {}, 0, world.now() + 100 * kMillisecond);
}

constexpr u32 kTrap = static_cast<u32>(abi::CrashCause::invalid_opcode);

constexpr Attack kAttacks[] = {
    {"a call that nobody receives", call_nobody, kReturns, nullptr},
    {"a server that never returns", never_answer, kReturns, nullptr},
    {"an end with everything under way", end_in_the_middle, kReturns, nullptr},
    {"reply slots withheld", no_slots_for_results, kReturns, nullptr},
    {"calls whose replies are not read", many_calls_and_no_reading, kReturns, nullptr},
    {"calls cancelled at once", call_and_cancel, kReturns, nullptr},
    {"a higher priority", higher_priority, kReturns, nullptr},
    {"a process that spins beside others", spin, kKilled, call_meanwhile},
    {"a storm of signals", signal_storm, kReturns, nullptr},
    {"a storm of timers", timer_storm, kReturns, nullptr},
    {"a storm of wakes", wake_storm, kReturns, nullptr},
    {"waiting on memory that goes away", wait_on_lost_memory, kReturns, nullptr},
    {"a pager that faults on itself", own_pager, kTrap, nullptr},
    {"a pager that answers nonsense", foreign_pager, kTrap, nullptr},
    {"a pager that is none, and one that never answers", pager_that_is_none, kTrap, nullptr},
    {"threads started anywhere", start_nonsense, kReturns, nullptr},
    {"a caller killed in the middle of its calls", call_for_ever, kKilled, kill_caller},
    {"a caller killed while the server holds its call", hold_for_ever, kKilled, kill_caller},
};

}  // namespace

std::span<const Attack> attacks_on_peers() { return kAttacks; }

}  // namespace capos::test
