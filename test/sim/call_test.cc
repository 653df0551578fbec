// The life of a call, from its entry to its one completion, whatever ends it.
#include "sim/pair.h"

using namespace capos;
using namespace capos::sim;
namespace entry = capos::runtime::entry;

TEST_CASE("a call reaches the server with its badge, and its answer the caller") {
    Pair p;
    p.serve();
    p.call("hello", 99);
    expect_nothing(p.client.user);

    const abi::Completion call = p.received();
    CHECK(call.method == 7);
    CHECK(p.server.user.message_header(call).badge == 42);
    CHECK(p.server.user.message_header(call).interface_id == 0x1234);
    CHECK(p.server.user.message_header(call).incarnation == 1);
    CHECK(text_of(p.server.user.payload(call)) == "hello");
    p.answer(call.token, "good day");
    expect_nothing(p.server.user);

    const auto answer = p.client.user.pop();
    REQUIRE(answer);
    CHECK(answer->user_data == 99);
    CHECK(answer->status == 0);
    CHECK(text_of(p.client.user.payload(*answer)) == "good day");
    expect_nothing(p.client.user);
    p.w.check();
}

TEST_CASE("calls wait in order until somebody receives") {
    Pair p;
    submit(p.client.user, entry::tagged(text_call(p.client.user, p.facet, "one", 1), 1));
    p.client.user.write(User::kFree, "two");
    abi::Submission second = text_call(p.client.user, p.facet, "", 2);
    second.params_offset = User::kFree;
    second.params_length = 3;
    p.client.user.write(User::kParams, "one");
    submit(p.client.user, second);
    p.serve();
    CHECK(text_of(p.server.user.payload(p.received())) == "one");
    CHECK(text_of(p.server.user.payload(p.received())) == "two");
    expect_nothing(p.server.user);
    p.w.check();
}

TEST_CASE("a call waits while the server has no buffer, and comes when one is provided") {
    Pair p;
    p.serve({.count = 1});
    p.call("one", 1);
    p.call("two", 2);
    const abi::Completion first = p.received();
    expect_nothing(p.server.user);
    p.answer(first.token, "");
    expect_done(p.client.user, 1, Status::ok);
    const abi::Completion second = p.received();
    CHECK(second.token != first.token);
    p.answer(second.token, "");
    expect_done(p.client.user, 2, Status::ok);
    p.w.check();
}

TEST_CASE("a message that does not fit the receiver's buffers fails in the caller") {
    Pair p;
    p.serve({.bytes = 104});
    p.call("12345678", 1);
    p.received();
    p.call("123456789", 2);
    expect_done(p.client.user, 2, Status::no_buffer);
    expect_nothing(p.server.user);
    p.w.check();
}

TEST_CASE("more capabilities than the receiver reserved fail in the caller as overloaded") {
    Pair p;
    p.serve({.slots_each = 1});
    const u64 ids[] = {p.facet.value, p.facet.value};
    std::memcpy(p.client.user.arena(User::kCapabilities), ids, sizeof ids);
    abi::Submission call = text_call(p.client.user, p.facet, "x", 1);
    call.capability_count = 2;
    submit(p.client.user, call);
    expect_done(p.client.user, 1, Status::overloaded);
    expect_nothing(p.server.user);
    p.w.check();
}

TEST_CASE("a reply beyond the caller's room is cut off and says so") {
    Pair p;
    p.serve();
    abi::Submission call = text_call(p.client.user, p.facet, "x", 1);
    call.reply_capacity = sizeof(abi::MessageHeader) + 8;
    std::memset(p.client.user.arena(User::kReply), 0x77, 256);
    submit(p.client.user, call);
    p.answer(p.received().token, "123456789");
    const auto last = p.client.user.pop();
    REQUIRE(last);
    CHECK(last->status == static_cast<u16>(Status::truncated));
    CHECK(last->length == 8);
    CHECK(text_of(p.client.user.payload(*last)) == "12345678");
    CHECK(*p.client.user.arena(User::kReply + call.reply_capacity) == std::byte{0x77});
    p.w.check();
}

TEST_CASE("an error carries the server's kind, code and text") {
    Pair p;
    p.serve();
    p.call("x", 1);
    p.server.user.write(User::kParams, "no such file");
    submit(p.server.user, entry::reply_error(p.received().token, Status::failed, 77, {User::kParams, 12}));
    const auto last = p.client.user.pop();
    REQUIRE(last);
    CHECK(last->status == static_cast<u16>(Status::failed));
    CHECK(last->method == 77);
    CHECK(text_of(p.client.user.payload(*last)) == "no such file");
    p.w.check();
}

TEST_CASE("cancelling a call that waits ends it before the cancellation answers") {
    Pair p;
    p.call("x", 1);
    submit(p.client.user, entry::tagged(entry::cancel(1), 2));
    expect_done(p.client.user, 1, Status::cancelled);
    expect_done(p.client.user, 2, Status::ok);
    submit(p.client.user, entry::tagged(entry::cancel(1), 3));
    expect_done(p.client.user, 3, Status::too_late);
    p.serve();
    expect_nothing(p.server.user);
    p.w.check();
}

TEST_CASE("cancelling a delivered call tells the server, whose late answer is stale and touches nothing") {
    Pair p;
    p.serve();
    p.call("x", 1);
    const abi::Completion call = p.received();
    submit(p.client.user, entry::tagged(entry::cancel(1), 2));
    expect_done(p.client.user, 1, Status::cancelled);
    expect_done(p.client.user, 2, Status::ok);
    expect_event(p.server.user, abi::CompletionKind::cancelled, call.token);
    std::memset(p.client.user.arena(User::kReply), 0x77, 256);
    p.answer(call.token, "late");
    expect_done(p.server.user, 0, Status::stale);
    for (u32 i = 0; i < 256; ++i) REQUIRE(*p.client.user.arena(User::kReply + i) == std::byte{0x77});
    expect_nothing(p.client.user);
    p.w.check();
}

TEST_CASE("a reply token works once, and on its own ring only") {
    Pair p;
    p.serve();
    p.call("x", 1);
    const u64 token = p.received().token;
    submit(p.client.user, entry::tagged(entry::reply(token, {}), 5));
    expect_done(p.client.user, 5, Status::stale);
    p.answer(token, "");
    expect_done(p.client.user, 1, Status::ok);
    p.answer(token, "");
    expect_done(p.server.user, 0, Status::stale);
    p.w.check();
}

TEST_CASE("a call through a revoked facet that waits ends with bad_capability") {
    Pair p;
    const auto derived = p.w.init.call<idl::Account::Derive>(p.w.account, {.capability = {0}}, {p.facet_of_init.value});
    REQUIRE(derived.ok());
    const abi::CapId lent = p.w.grant(p.client, derived.capabilities[0]);
    submit(p.client.user, text_call(p.client.user, lent, "x", 1));
    REQUIRE(p.w.init.call<idl::Account::Revoke>(p.w.account, {.capability = {0}}, {p.facet_of_init.value}).ok());
    expect_done(p.client.user, 1, Status::bad_capability);
    p.call("y", 2);  // the one above lives
    p.serve();
    CHECK(text_of(p.server.user.payload(p.received())) == "y");
    p.w.check();
}

TEST_CASE("a receiver that comes between revoke and its work gets no dead call") {
    Pair p;
    const auto derived = p.w.init.call<idl::Account::Derive>(p.w.account, {.capability = {0}}, {p.facet_of_init.value});
    const abi::CapId lent = p.w.grant(p.client, derived.capabilities[0]);
    submit(p.client.user, text_call(p.client.user, lent, "x", 1));
    // The revoke takes its steps; the server posts its receive in between.
    p.w.init.push(p.w.init.make_call<idl::Account::Revoke>(p.w.account, {.capability = {0}}, {p.facet_of_init.value}));
    p.w.init.begin_enter(1, 1);
    p.server.user.push(receive_entry(p.receiver));
    p.server.user.begin_enter(1);
    p.w.machine.settle();
    expect_done(p.client.user, 1, Status::bad_capability);
    p.w.check();
}

TEST_CASE("when the server ends, delivered calls end disconnected and the others wait for the next receiver") {
    Pair p;
    p.serve({.count = 1});
    p.call("one", 1);
    p.call("two", 2);
    p.received();
    REQUIRE(p.w.init.call<idl::Process::Kill>(p.server.process).ok());
    expect_done(p.client.user, 1, Status::disconnected);
    expect_nothing(p.client.user);

    Spawned next = p.w.spawn("next");
    const abi::CapId again = p.w.grant(next, p.w.make_receiver(p.endpoint));
    submit(next.user, receive_entry(again));
    const auto call = next.user.pop();
    REQUIRE(call);
    CHECK(text_of(next.user.payload(*call)) == "two");
    CHECK(next.user.message_header(*call).incarnation == 1);  // of the facet, not of the receiver
    p.w.check();
}

TEST_CASE("when the caller ends, the server is told") {
    Pair p;
    p.serve();
    p.call("x", 1);
    const u64 token = p.received().token;
    REQUIRE(p.w.init.call<idl::Process::Kill>(p.client.process).ok());
    expect_event(p.server.user, abi::CompletionKind::cancelled, token);
    p.answer(token, "late");
    expect_done(p.server.user, 0, Status::stale);
    p.w.check();
}

TEST_CASE("a new receiver ends what the old one had received, and takes what waits") {
    Pair p;
    p.serve({.count = 1});
    p.call("one", 1);
    p.call("two", 2);
    const u64 token = p.received().token;
    const abi::CapId second = p.w.make_receiver(p.endpoint);
    expect_done(p.client.user, 1, Status::disconnected);
    expect_event(p.server.user, abi::CompletionKind::cancelled, token);
    expect_done(p.server.user, 0x5e11, Status::disconnected);
    Spawned next = p.w.spawn("next");
    submit(next.user, receive_entry(p.w.grant(next, second)));
    const auto call = next.user.pop();
    REQUIRE(call);
    CHECK(text_of(next.user.payload(*call)) == "two");
    p.w.check();
}

TEST_CASE("a call under a receive that was cancelled since ends with the receiver, too") {
    Pair p;
    const auto end_it = GENERATE(0, 1, 2);
    p.serve({.count = 2});
    p.call("one", 1);
    const u64 token = p.received().token;
    submit(p.server.user, entry::tagged(entry::cancel(0x5e11), 7));
    expect_done(p.server.user, 0x5e11, Status::cancelled);
    expect_done(p.server.user, 7, Status::ok);
    switch (end_it) {
        case 0: p.w.make_receiver(p.endpoint); break;
        case 1: REQUIRE(p.w.init.call<idl::Account::Revoke>(p.w.account, {.capability = {0}}, {p.endpoint.value}).ok()); break;
        case 2:  // nothing but the call holds the receiver any more
            REQUIRE(p.w.init.release(p.receiver_of_init) == Status::ok);
            submit(p.server.user, entry::release(p.receiver));
            p.w.check();
            expect_nothing(p.client.user);
            p.w.make_receiver(p.endpoint);
            break;
    }
    expect_done(p.client.user, 1, Status::disconnected);
    expect_event(p.server.user, abi::CompletionKind::cancelled, token);
    p.answer(token, "late");
    expect_done(p.server.user, 0, Status::stale);
    p.w.check();
}

TEST_CASE("a call under a receive that was cancelled since can be answered, and cancelled, as ever") {
    Pair p;
    p.serve({.count = 2});
    p.call("one", 1);
    p.call("two", 2);
    const u64 first = p.received().token, second = p.received().token;
    submit(p.server.user, entry::cancel(0x5e11));
    p.w.check();
    p.answer(first, "");
    expect_done(p.client.user, 1, Status::ok);
    submit(p.client.user, entry::tagged(entry::cancel(2), 3));
    expect_done(p.client.user, 2, Status::cancelled);
    expect_done(p.client.user, 3, Status::ok);
    p.w.check();
    p.w.make_receiver(p.endpoint);
    expect_nothing(p.client.user);
    p.answer(second, "late");
    p.w.check();
}

TEST_CASE("a receiver's end leaves calls of other endpoints alone") {
    Pair p;
    const abi::CapId other = p.w.make_endpoint();
    const abi::CapId other_receiver = p.w.grant(p.server, p.w.make_receiver(other));
    const abi::CapId other_facet = p.w.grant(p.client, p.w.make_facet(other, 1));
    p.serve({.count = 1});
    submit(p.server.user, receive_entry(other_receiver, {.group = 1, .count = 1, .first = User::kFree + 1024}, 0x5e12));
    p.call("one", 1);
    submit(p.client.user, text_call(p.client.user, other_facet, "other", 2));
    p.received();
    const u64 token = p.received().token;
    p.w.make_receiver(p.endpoint);
    expect_done(p.client.user, 1, Status::disconnected);
    expect_nothing(p.client.user);
    p.answer(token, "");
    expect_done(p.client.user, 2, Status::ok);
    p.w.check();
}

TEST_CASE("an endpoint that is down answers disconnected at once, else calls wait") {
    Pair p;
    p.call("waits", 1);
    expect_nothing(p.client.user);
    REQUIRE(p.w.init.release(p.receiver_of_init) == Status::ok);
    submit(p.server.user, entry::release(p.receiver));
    REQUIRE(p.w.init.call<idl::Endpoint::SetDown>(p.endpoint, {.down = true}).ok());
    p.w.drain();
    expect_done(p.client.user, 1, Status::disconnected);
    p.call("fails", 2);
    expect_done(p.client.user, 2, Status::disconnected);
    REQUIRE(p.w.init.call<idl::Endpoint::SetDown>(p.endpoint, {.down = false}).ok());
    p.call("waits", 3);
    expect_nothing(p.client.user);
    p.w.check();
}

TEST_CASE("a call to nothing, to a stale id and to the wrong interface say which") {
    Pair p;
    submit(p.client.user, text_call(p.client.user, abi::CapId{0}, "x", 1));
    expect_done(p.client.user, 1, Status::bad_capability);
    submit(p.client.user, entry::release(p.facet));
    submit(p.client.user, text_call(p.client.user, p.facet, "x", 2));
    expect_done(p.client.user, 2, Status::bad_capability);
    const abi::CapId clock = p.w.grant(p.client, p.w.clock);
    submit(p.client.user, text_call(p.client.user, clock, "x", 3));
    expect_done(p.client.user, 3, Status::wrong_interface);
    p.w.check();
}

TEST_CASE("every field of a call that can be wrong is refused with its code") {
    Pair p;
    const abi::Submission good = text_call(p.client.user, p.facet, "x", 1);
    const u32 arena = p.client.user.header().arena_bytes;
    struct Case {
        void (*change)(abi::Submission&, u32 arena);
        Status status;
    };
    const Case cases[] = {
        {[](abi::Submission& e, u32) { e.flags = 0x80; }, Status::bad_entry},
        {[](abi::Submission& e, u32) { e.reserved = 1; }, Status::bad_entry},
        {[](abi::Submission& e, u32) { e.opcode = 11; }, Status::bad_entry},
        {[](abi::Submission& e, u32) { e.capability_count = 9; }, Status::bad_entry},
        {[](abi::Submission& e, u32) { e.result_slots = 9; }, Status::bad_entry},
        {[](abi::Submission& e, u32) { e.group = 17; }, Status::bad_entry},
        {[](abi::Submission& e, u32) { e.params_length = 8193; }, Status::bad_message},
        {[](abi::Submission& e, u32 a) { e.params_offset = a; }, Status::bad_offset},
        {[](abi::Submission& e, u32) { e.params_offset = 4; }, Status::bad_offset},
        {[](abi::Submission& e, u32) { e.params_offset = ~u32{7}; }, Status::bad_offset},
        {[](abi::Submission& e, u32) { e.reply_capacity = 95; }, Status::bad_offset},
        {[](abi::Submission& e, u32 a) { e.reply_offset = a - 96 + 8; e.reply_capacity = 96; }, Status::bad_offset},
        {[](abi::Submission& e, u32) { e.reply_capacity = ~u32{0}; }, Status::bad_offset},
        {[](abi::Submission& e, u32 a) { e.capability_count = 1; e.capabilities_offset = a; }, Status::bad_offset},
    };
    for (const Case& c : cases) {
        abi::Submission bad = good;
        c.change(bad, arena);
        submit(p.client.user, bad);
        expect_done(p.client.user, 1, c.status);
    }
    submit(p.client.user, good);
    expect_nothing(p.client.user);
    p.w.check();
}

namespace {

// A call without parameters to the clock, in registers.
abi::EnterResult clock_in_registers(const World& w, u64 user_data) {
    const User& u = w.init;
    kernel::UserContext& c = u.thread().context;
    c.r8 = w.clock.value;
    c.r9 = idl::Clock::kInterfaceId;
    c.r10 = 0;
    c.r12 = 4096 | u64{256} << 32;
    c.r13 = user_data;
    c.r14 = idl::Clock::Now::kOrdinal;
    const auto result = u.enter_raw(abi::kEnterCall, 1, ~u64{0});
    REQUIRE(result);
    return *result;
}

}  // namespace

TEST_CASE("a call in registers is carried out although its queue was full when the kernel last looked") {
    World w;
    w.machine.shortcuts = false;
    const User& u = w.init;
    const u32 slots = u.thread().ring.geometry().cq_entries;
    for (u32 i = 0; i < slots; ++i) {
        u.push(entry::nop());
        REQUIRE(u.enter(1));
    }
    CHECK(u.thread().ring.free_slots() == 0);
    while (u.pop()) {
    }
    u.push(entry::tagged(entry::nop(), 5));  // nobody asked for it
    CHECK(clock_in_registers(w, 79).consumed() == 1);
    const auto completion = u.pop();
    REQUIRE(completion);
    CHECK(completion->user_data == 79);
    CHECK(u.unread() == 0);
    w.check();
}
