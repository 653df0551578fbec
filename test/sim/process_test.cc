// Processes and threads: how they end in every state, what is left of them, faults and who handles them, accounts that end.
#include "sim/pair.h"

using namespace capos;
using namespace capos::sim;
namespace entry = capos::runtime::entry;
using kernel::kPageBytes;
using kernel::ThreadState;

namespace {

auto state_of(World& w, const Spawned& s) { return w.init.call<idl::Process::State>(s.process).fields; }

// A fault that nothing resolves.
void fault(const User& user, u8 vector, u64 address = 0) {
    user.machine().fault(*user.where(), {.vector = vector, .error_code = 4, .address = address});
    user.machine().settle();
}

}  // namespace

TEST_CASE("[R10] every kind of fault ends its process alone and leaves a record", "[R10]") {
    for (const int vector : {0, 1, 3, 4, 5, 6, 7, 12, 13, 14, 16, 17, 19}) {
        World w;
        Spawned victim = w.spawn("victim"), other = w.spawn("other");
        victim.user.thread().context.r15 = 0x15;
        fault(victim.user, static_cast<u8>(vector), 0xdead000);
        w.drain();
        const auto state = state_of(w, victim);
        CHECK(state.ended);
        CHECK(state.crashed);
        const auto record = w.init.call<idl::Process::Crash>(victim.process).fields.record;
        REQUIRE(record.size() == sizeof(abi::CrashRecord));
        abi::CrashRecord crash;
        std::memcpy(&crash, record.data(), sizeof crash);
        CHECK(crash.cause == static_cast<u32>(vector));
        CHECK(crash.address == 0xdead000);
        CHECK(crash.r15 == 0x15);
        CHECK(other.user.running());
        w.check();
    }
}

TEST_CASE("[R10] bad system calls and impossible queue indices are faults of the caller", "[R10][R18]") {
    struct Case {
        void (*make)(const User&);
        abi::CrashCause cause;
    };
    const Case cases[] = {
        {[](const User& u) {
             u.thread().context.rax = 2;
             u.machine().system_call(*u.where());
             u.machine().settle();
         },
         abi::CrashCause::bad_system_call},
        {[](const User& u) { u.enter(17); }, abi::CrashCause::bad_enter},
        {[](const User& u) { u.enter(0, 33); }, abi::CrashCause::bad_enter},
        {[](const User& u) { u.enter_raw(u64{1} << 35, 1, ~u64{0}); }, abi::CrashCause::bad_enter},
        {[](const User& u) { u.header().sq_tail += 17, u.enter(1); }, abi::CrashCause::bad_ring},
        {[](const User& u) { u.header().sq_tail -= 1, u.enter(1); }, abi::CrashCause::bad_ring},
        {[](const User& u) { u.header().cq_head += 1, u.enter(0, 1); }, abi::CrashCause::bad_ring},
        {[](const User& u) { u.header().cq_head -= 1, u.enter(0, 1); }, abi::CrashCause::bad_ring},
    };
    for (const Case& c : cases) {
        World w;
        Spawned victim = w.spawn("victim");
        c.make(victim.user);
        w.drain();
        abi::CrashRecord crash;
        const auto record = w.init.call<idl::Process::Crash>(victim.process).fields.record;
        REQUIRE(record.size() == sizeof crash);
        std::memcpy(&crash, record.data(), sizeof crash);
        CHECK(crash.cause == static_cast<u32>(c.cause));
        w.check();
    }
}

TEST_CASE("what the kernel writes in a ring header is written only; lies there change nothing") {
    World w;
    Spawned s = w.spawn("liar");
    abi::RingHeader& h = s.user.header();
    h.sq_head = 77, h.cq_tail = 99, h.sq_entries = 1, h.cq_entries = 0, h.arena_offset = ~0u, h.arena_bytes = ~0u, h.magic = 0;
    s.user.push(entry::tagged(entry::nop(), 5));
    REQUIRE(s.user.enter(1)->consumed() == 1);
    CHECK(h.sq_head == 1);
    CHECK(h.cq_tail == 1);
    expect_done(s.user, 5, Status::ok);
    w.check();
}

TEST_CASE("a process ends with its last thread, whose exit code it keeps, and its supervisor is told") {
    World w;
    Spawned s = w.spawn("process");
    abi::CapId second_id;
    const User second = w.add_thread(s, second_id, {.cpu = 2});
    const abi::CapId notification = w.make_notification();
    REQUIRE(w.init.call<idl::Process::Supervise>(s.process, {.notification = {0}, .bit = 3}, {notification.value}).ok());
    submit(w.init, entry::tagged(entry::receive_signals(notification), 9));
    s.user.exit(5);
    w.drain();
    CHECK_FALSE(state_of(w, s).ended);
    CHECK(state_of(w, s).threads == 1);
    expect_nothing(w.init);
    second.exit(6);
    w.drain();
    expect_event(w.init, abi::CompletionKind::signal, 8);
    const auto state = state_of(w, s);
    CHECK(state.ended);
    CHECK_FALSE(state.crashed);
    CHECK(state.exit_code == 6);
    CHECK(state.threads == 0);
    w.check();
}

TEST_CASE("a thread is waited for, before and after its end") {
    World w;
    Spawned s = w.spawn("process");
    abi::CapId second_id;
    const User second = w.add_thread(s, second_id, {.cpu = 2});
    w.init.push(w.init.make_call<idl::Thread::Wait>(second_id, {}));
    REQUIRE(w.init.enter(1)->consumed() == 1);
    expect_nothing(w.init);
    second.exit(0);
    w.drain();
    expect_done(w.init, 0, Status::ok);
    CHECK(w.init.call<idl::Thread::Wait>(second_id).ok());
    CHECK(w.init.call<idl::Thread::Kill>(second_id).ok());
    CHECK(w.init.call<idl::Process::Kill>(s.process).ok());
    CHECK(w.init.call<idl::Process::Kill>(s.process).ok());
    w.check();
}

TEST_CASE("a process that nobody can name any more ends") {
    World w;
    const auto before = w.inspect.totals();
    Spawned s = w.spawn("process");
    REQUIRE(w.init.release(s.thread) == Status::ok);
    REQUIRE(w.init.release(s.space) == Status::ok);
    w.drain();
    CHECK(s.user.running());
    REQUIRE(w.init.release(s.process) == Status::ok);
    w.check();
    CHECK(w.inspect.totals() == before);
}

TEST_CASE("a process without the capability to its space is taken down like any other") {
    World w;
    const auto before = w.inspect.totals();
    Spawned s = w.spawn("process");
    REQUIRE(w.init.release(s.space) == Status::ok);
    w.drain();
    REQUIRE(w.init.call<idl::Process::Kill>(s.process).ok());
    REQUIRE(w.init.release(s.process) == Status::ok);
    REQUIRE(w.init.release(s.thread) == Status::ok);
    w.check();
    CHECK(w.inspect.totals() == before);
}

TEST_CASE("a process is killed in every state that its thread can be in") {
    // Waiting for a call's answer; with a call received; in a deferred call; asleep; in a wait; throttled; not started.
    for (int how = 0; how < 8; ++how) {
        Pair p;
        const auto before_kill = how;
        User& u = p.client.user;
        switch (before_kill) {
            case 0: u.push(text_call(u, p.facet, "x", 1)), u.enter(1, 1); break;
            case 1: p.serve(), p.call("x", 1), p.received(), p.server.user.enter(0, 1); break;
            case 2: {
                const abi::CapId thread = p.w.grant(p.client, p.server.thread);
                u.push(u.make_call<idl::Thread::Wait>(thread, {})), u.enter(1, 1);
                break;
            }
            case 3: u.enter(0, 1, p.w.machine.time.ns + 1'000'000); break;
            case 4: u.push(entry::timer(p.w.machine.time.ns + 1'000'000)), u.enter(1, 1); break;
            case 5: {
                abi::Submission held = entry::pipelined_call({0, 0}, 5, 6, {{User::kParams, 4}, 0, 0}, {{User::kFree, 512}, 0});
                submit(u, entry::fills(text_call(u, p.facet, "x", 1, 2), 0), held, entry::fills(held, 1));
                break;
            }
            case 6: {
                const abi::CapId notification = p.w.grant(p.client, p.w.make_notification());
                submit(u, entry::receive_signals(notification), entry::receive_signals(notification));
                break;
            }
            default: break;  // in user mode
        }
        REQUIRE(p.w.init.call<idl::Process::Kill>(p.client.process).ok());
        REQUIRE(p.w.init.call<idl::Process::Kill>(p.server.process).ok());
        p.w.check();
        CHECK(state_of(p.w, p.client).ended);
    }
}

TEST_CASE("[R10] a thousand processes that hold every kind of object give everything back", "[R10]") {
    World w;
    const abi::CapId shared = w.make_endpoint(), facet = w.make_facet(shared, 9);
    auto cycle = [&](int how) {
        Spawned s = w.spawn("cycle", {.cpu = 1});
        const abi::CapId account = w.grant(s, w.account), space = w.grant(s, s.space), self = w.grant(s, s.process),
                         theirs = w.grant(s, facet);
        const auto memory = s.user.call<idl::Account::CreateMemory>(account, {.bytes = 4 * kPageBytes});
        const auto map = s.user.call<idl::AddressSpace::Map>(
            space, {.memory = {0}, .bytes = 4 * kPageBytes, .protection = 3}, {memory.capabilities[0].value});
        REQUIRE(s.user.store(map.fields.address + kPageBytes, 7));
        const auto endpoint = s.user.call<idl::Account::CreateEndpoint>(account, {.name = "e"});
        const auto receiver = s.user.call<idl::Endpoint::Receiver>(endpoint.capabilities[0]);
        const auto own = s.user.call<idl::Receiver::Mint>(receiver.capabilities[0], {.badge = 1});
        const auto notification = s.user.call<idl::Account::CreateNotification>(account);
        REQUIRE(s.user.call<idl::Account::CreateAccount>(account, {.frames = 8, .objects = 2, .nodes = 2}).ok());
        REQUIRE(s.user.call<idl::Account::Derive>(account, {.capability = {0}}, {own.capabilities[0].value}).ok());
        // A thread that was never started counts: the process would outlive its other one.
        if (how % 3 != 1) REQUIRE(s.user.call<idl::Process::CreateThread>(self, {.name = "t", .priority = 1}).ok());
        submit(s.user, receive_entry(receiver.capabilities[0]), entry::receive_signals(notification.capabilities[0]),
               text_call(s.user, theirs, "x", 1), text_call(s.user, own.capabilities[0], "y", 2),
               entry::timer(w.machine.time.ns + 1'000'000'000), entry::wait(map.fields.address, 0));
        if (how % 3 == 0) REQUIRE(w.init.call<idl::Process::Kill>(s.process).ok());
        if (how % 3 == 1) s.user.exit(1);
        if (how % 3 == 2) fault(s.user, 13);
        REQUIRE(w.init.release(s.process) == Status::ok);
        REQUIRE(w.init.release(s.thread) == Status::ok);
        REQUIRE(w.init.release(s.space) == Status::ok);
        w.drain();
    };
    for (int i = 0; i < 3; ++i) cycle(i);
    w.check();
    const auto before = w.inspect.totals();
    for (int i = 0; i < 1000; ++i) {
        cycle(i);
        if (i % 100 == 0) w.check();
        INFO("cycle " << i << ", alive:\n" << w.inspect.objects());
        REQUIRE(w.inspect.totals() == before);
    }
    w.check();
}

TEST_CASE("kill returns when everything the process held is back") {
    World w;
    const auto before = w.inspect.totals();
    Spawned s = w.spawn("process");
    const abi::CapId account = w.grant(s, w.account);
    REQUIRE(s.user.call<idl::Account::CreateMemory>(account, {.bytes = 16 * kPageBytes}).ok());
    REQUIRE(s.user.call<idl::Account::CreateEndpoint>(account, {}).ok());
    REQUIRE(w.init.call<idl::Process::Kill>(s.process).ok());
    CHECK(w.inspect.totals().cells == before.cells);
    CHECK(w.inspect.totals().charged.frames == before.charged.frames + 1 + (u64{1} << s.user.thread().block_order));
    w.check();
}

TEST_CASE("an account that ends takes everything along that it pays for") {
    World w;
    const auto before = w.inspect.totals();
    const abi::CapId account = w.make_account(400, 64, 64);
    Spawned s = w.spawn("inside", {.cpu = 1, .account = account}), client = w.spawn("outside", {.cpu = 2});
    const auto endpoint = w.init.call<idl::Account::CreateEndpoint>(account, {.name = "e"});
    const abi::CapId facet = w.grant(client, w.make_facet(endpoint.capabilities[0], 1));
    const auto inner = w.init.call<idl::Account::CreateAccount>(account, {.frames = 50, .objects = 5, .nodes = 5});
    const auto memory = w.init.call<idl::Account::CreateMemory>(inner.capabilities[0], {.bytes = 8 * kPageBytes});
    REQUIRE(memory.ok());
    client.user.push(text_call(client.user, facet, "x", 1));
    REQUIRE_FALSE(client.user.enter(1, 1));
    REQUIRE(w.init.release(account) == Status::ok);
    w.drain();
    expect_done(client.user, 1, Status::bad_capability);
    CHECK_FALSE(s.user.running());
    CHECK(w.object(memory.capabilities[0]) == nullptr);
    CHECK(w.object(s.process) == nullptr);
    w.check();
    REQUIRE(w.init.call<idl::Process::Kill>(client.process).ok());
    for (const abi::CapId id : {s.process, s.space, s.thread, client.process, client.space, client.thread,
                                endpoint.capabilities[0], inner.capabilities[0], memory.capabilities[0]}) {
        (void)w.init.release(id);  // some have ended with the account
    }
    w.check();
    CHECK(w.inspect.totals().free_frames == before.free_frames);
    CHECK(w.inspect.totals().charged.frames == before.charged.frames);
}

TEST_CASE("supervising what has ended and handling faults of what has ended keeps nothing alive") {
    World w;
    Spawned s = w.spawn("process");
    s.user.exit(0);
    w.drain();
    const auto before = w.inspect.totals();
    const abi::CapId notification = w.make_notification(), endpoint = w.make_endpoint(), facet = w.make_facet(endpoint, 1);
    REQUIRE(w.init.call<idl::Process::Supervise>(s.process, {.notification = {0}, .bit = 1}, {notification.value}).ok());
    REQUIRE(w.init.call<idl::Thread::HandleFaults>(s.thread, {.handler = {0}, .timeout = 1000}, {facet.value}).ok());
    for (const abi::CapId id : {notification, facet, endpoint}) REQUIRE(w.init.release(id) == Status::ok);
    w.drain();
    const auto after = w.inspect.totals();
    CHECK(after.cells == before.cells);
    CHECK(after.nodes == before.nodes);
    w.check();
}

// --- faults that are handled ---

namespace {

// A process whose faults `handler` is called for.
struct Handled {
    World w;
    abi::CapId endpoint = w.make_endpoint(), receiver_of_init = w.make_receiver(endpoint), facet = w.make_facet(endpoint, 77);
    Spawned handler = w.spawn("handler"), victim = w.spawn("victim");
    abi::CapId receiver = w.grant(handler, receiver_of_init);
    static constexpr u64 kTimeout = 1'000'000;

    Handled() {
        submit(handler.user, receive_entry(receiver));
        REQUIRE(
            w.init.call<idl::Thread::HandleFaults>(victim.thread, {.handler = {0}, .timeout = kTimeout}, {facet.value}).ok());
    }
    void answer(u64 token, bool resume) {
        const usize length = idl::FaultHandler::Fault::Results{.resume = resume}.encode({handler.user.arena(0), 256});
        submit(handler.user, entry::reply(token, {{0, static_cast<u32>(length)}, 0, 0}));
    }
};

}  // namespace

TEST_CASE("a fault handler gets the record, and lets the thread go on") {
    Handled h;
    h.victim.user.thread().context.rip = 0x1234;
    fault(h.victim.user, 6);
    CHECK_FALSE(h.victim.user.running());
    const auto call = h.handler.user.pop();
    REQUIRE(call);
    CHECK(h.handler.user.message_header(*call).badge == 77);
    CHECK(h.handler.user.message_header(*call).interface_id == idl::FaultHandler::kInterfaceId);
    const auto params = idl::FaultHandler::Fault::Params::decode(h.handler.user.payload(*call), 0);
    REQUIRE(params);
    abi::CrashRecord record;
    REQUIRE(params->record.size() == sizeof record);
    std::memcpy(&record, params->record.data(), sizeof record);
    CHECK(record.cause == 6);
    CHECK(record.rip == 0x1234);
    h.answer(call->token, true);
    CHECK(h.victim.user.running());
    h.w.check();
    // Once more: the record is used again.
    fault(h.victim.user, 3);
    const auto again = h.handler.user.pop();
    REQUIRE(again);
    h.answer(again->token, false);
    h.w.drain();
    CHECK(state_of(h.w, h.victim).crashed);
    h.w.check();
}

TEST_CASE("a fault that is not answered in time, or by an error, ends the process") {
    for (const bool in_time : {false, true}) {
        Handled h;
        fault(h.victim.user, 6);
        const auto call = h.handler.user.pop();
        REQUIRE(call);
        if (in_time) {
            submit(h.handler.user, entry::reply_error(call->token, Status::failed, 1));
        } else {
            h.w.machine.pass(kernel::Duration{2 * Handled::kTimeout});
            h.w.machine.settle();
            expect_event(h.handler.user, abi::CompletionKind::cancelled, call->token);
        }
        h.w.drain();
        CHECK(state_of(h.w, h.victim).crashed);
        h.w.check();
    }
}

TEST_CASE("a handler that dies, is down, or is the process itself cannot keep a faulted thread") {
    for (int how = 0; how < 4; ++how) {
        Handled h;
        if (how == 0) {
            fault(h.victim.user, 6);
            REQUIRE(h.handler.user.pop());
            REQUIRE(h.w.init.call<idl::Process::Kill>(h.handler.process).ok());
        } else if (how == 1) {
            REQUIRE(h.w.init.release(h.receiver_of_init) == Status::ok);
            REQUIRE(h.w.init.call<idl::Process::Kill>(h.handler.process).ok());
            REQUIRE(h.w.init.call<idl::Endpoint::SetDown>(h.endpoint, {.down = true}).ok());
            h.w.drain();
            fault(h.victim.user, 6);
        } else if (how == 2) {
            fault(h.handler.user, 6);
            CHECK(state_of(h.w, h.victim).threads == 1);
            REQUIRE(h.w.init.call<idl::Thread::HandleFaults>(h.victim.thread, {}).ok());
            fault(h.victim.user, 6);
        } else {
            REQUIRE(
                h.w.init.call<idl::Thread::HandleFaults>(h.handler.thread, {.handler = {0}, .timeout = 1000}, {h.facet.value})
                    .ok());
            fault(h.handler.user, 6);
            h.w.drain();
            CHECK(state_of(h.w, h.handler).crashed);
            h.w.check();
            continue;
        }
        h.w.drain();
        CHECK(state_of(h.w, h.victim).crashed);
        h.w.check();
    }
}

TEST_CASE("a process whose own receiver has no room cannot keep its faulted thread either") {
    Handled h;
    submit(h.handler.user, entry::tagged(entry::cancel(0x5e11), 1));
    submit(h.handler.user, receive_entry(h.receiver, {.count = 1}));
    fault(h.victim.user, 6);  // takes the one buffer
    submit(h.w.init, text_call(h.w.init, h.facet, "starves it", 1));
    abi::CapId id{};
    const User other = h.w.add_thread(h.handler, id, {.cpu = 3});
    REQUIRE(h.w.init.call<idl::Thread::HandleFaults>(id, {.handler = {0}, .timeout = Handled::kTimeout}, {h.facet.value}).ok());
    fault(other, 6);
    h.w.drain();
    CHECK(state_of(h.w, h.handler).crashed);
    h.w.check();
}

TEST_CASE("a thread that waits for its fault handler is killed like any other") {
    for (const bool received : {false, true}) {
        Handled h;
        fault(h.victim.user, 6);
        const auto call = received ? h.handler.user.pop() : std::nullopt;
        REQUIRE(h.w.init.call<idl::Thread::Kill>(h.victim.thread).ok());
        if (call) {
            expect_event(h.handler.user, abi::CompletionKind::cancelled, call->token);
            h.answer(call->token, true);
            expect_done(h.handler.user, 0, Status::stale);
        }
        h.w.drain();
        CHECK(state_of(h.w, h.victim).ended);
        h.w.check();
    }
}
