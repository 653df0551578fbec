// Capabilities on their way: copies and moves, badges that come home, notices, promises, links, and queues that are full.
#include "sim/pair.h"

using namespace capos;
using namespace capos::sim;
namespace entry = capos::runtime::entry;

namespace {

// A call that carries `ids` (kMove possible).
abi::Submission call_with(const User& user, abi::CapId facet, std::initializer_list<u64> ids, u64 user_data,
                          u8 result_slots = 0) {
    abi::Submission call = text_call(user, facet, "caps", user_data, result_slots);
    std::memcpy(user.arena(User::kCapabilities), ids.begin(), ids.size() * sizeof(u64));
    call.capability_count = static_cast<u8>(ids.size());
    return call;
}
// An answer that carries `ids`.
abi::Submission reply_with(const User& user, u64 token, std::initializer_list<u64> ids) {
    std::memcpy(user.arena(User::kCapabilities), ids.begin(), ids.size() * sizeof(u64));
    return entry::reply(token, {{User::kParams, 0}, User::kCapabilities, static_cast<u8>(ids.size())});
}

}  // namespace

TEST_CASE("a capability that is copied stays with the sender, one that is moved leaves it") {
    Pair p;
    p.serve();
    const abi::CapId memory = p.w.make_memory(1), copied = p.w.grant(p.client, memory), moved = p.w.grant(p.client, memory);
    submit(p.client.user, call_with(p.client.user, p.facet, {copied.value, moved.value | abi::kMove}, 1));
    const abi::Completion call = p.received();
    REQUIRE(call.capability_count == 2);
    for (int i = 0; i < 2; ++i) {
        const abi::CapId got{p.server.user.message_header(call).capabilities[i]};
        CHECK(p.w.inspect.object(*p.server.object, got) == p.w.object(memory));
    }
    CHECK(p.w.inspect.node(*p.client.object, copied) != nullptr);
    CHECK(p.w.inspect.node(*p.client.object, moved) == nullptr);
    p.w.check();
}

TEST_CASE("of capabilities in a message all are delivered or none") {
    Pair p;
    p.serve();
    const abi::CapId moved = p.w.grant(p.client, p.w.make_memory(1));
    submit(p.client.user, call_with(p.client.user, p.facet, {moved.value | abi::kMove, 0xbad}, 1));
    expect_done(p.client.user, 1, Status::bad_capability);
    expect_nothing(p.server.user);
    CHECK(p.w.inspect.node(*p.client.object, moved) != nullptr);
    p.w.check();
}

TEST_CASE("capabilities are resolved when the message is delivered, not when it was sent") {
    Pair p;
    const abi::CapId sent = p.w.grant(p.client, p.w.clock);
    submit(p.client.user, call_with(p.client.user, p.facet, {sent.value}, 1), entry::release(sent));
    p.serve();
    expect_done(p.client.user, 1, Status::bad_capability);
    expect_nothing(p.server.user);
    p.w.check();
}

TEST_CASE("a facet that comes home is named by its badge and takes no slot") {
    Pair p;
    p.serve({.slots_each = 1});
    const u32 slots = p.server.object->table.used();
    submit(p.client.user, call_with(p.client.user, p.facet, {p.facet.value}, 1));
    const abi::Completion call = p.received();
    REQUIRE(call.capability_count == 1);
    CHECK(p.server.user.message_header(call).capabilities[0] == (abi::kBadgeEntry | 42));
    CHECK(p.server.object->table.used() == slots);
    p.w.check();
}

TEST_CASE("a facet comes home while its server has no room for more calls, or has stopped to receive") {
    Pair p;
    const bool stopped = GENERATE(false, true);
    p.serve({.count = 1});
    p.call("fills", 1);
    const u64 token = p.received().token;
    p.call("waits", 2);  // for a buffer
    if (stopped) {
        submit(p.server.user, entry::tagged(entry::cancel(0x5e11), 3));
        expect_done(p.server.user, 0x5e11, Status::cancelled);
        expect_done(p.server.user, 3, Status::ok);
    }
    // By another way: as the result of a call that the server makes.
    const abi::CapId other = p.w.make_endpoint();
    submit(p.client.user, receive_entry(p.w.grant(p.client, p.w.make_receiver(other))));
    submit(p.server.user, text_call(p.server.user, p.w.grant(p.server, p.w.make_facet(other, 1)), "facet?", 4, 1));
    const auto call = p.client.user.pop();
    REQUIRE(call);
    const u32 before = p.server.object->table.used();
    std::memcpy(p.client.user.arena(User::kCapabilities), &p.facet.value, sizeof p.facet.value);
    submit(p.client.user, entry::reply(call->token, {{}, User::kCapabilities, 1}));
    const auto answer = p.server.user.pop();
    REQUIRE(answer);
    CHECK(p.server.user.message_header(*answer).capabilities[0] == (abi::kBadgeEntry | 42));
    CHECK(p.server.object->table.used() == before);
    p.answer(token, "");
    p.w.check();
}

TEST_CASE("a facet that comes to whoever received its calls before is a capability like any other") {
    Pair p;
    p.serve();
    p.w.make_receiver(p.endpoint);
    expect_done(p.server.user, 0x5e11, Status::disconnected);
    const abi::CapId other = p.w.make_endpoint();
    submit(p.server.user, receive_entry(p.w.grant(p.server, p.w.make_receiver(other)), {}, 5));
    const abi::CapId facet = p.w.grant(p.client, p.w.make_facet(other, 1));
    abi::Submission call = text_call(p.client.user, facet, "x", 1);
    call.capability_count = 1;
    std::memcpy(p.client.user.arena(User::kCapabilities), &p.facet.value, sizeof p.facet.value);
    submit(p.client.user, call);
    const u64 id = p.server.user.message_header(p.received()).capabilities[0];
    CHECK((id & abi::kBadgeEntry) == 0);
    CHECK(p.w.inspect.object(*p.server.object, abi::CapId{id}) == p.w.object(p.endpoint));
    p.w.check();
}

TEST_CASE("results beyond the caller's reservation are dropped and the caller sees truncated") {
    Pair p;
    p.serve();
    const abi::CapId a = p.w.grant(p.server, p.w.clock), b = p.w.grant(p.server, p.w.make_memory(1));
    p.call("x", 1, 1);
    submit(p.server.user, reply_with(p.server.user, p.received().token, {a.value, b.value | abi::kMove}));
    const auto last = p.client.user.pop();
    REQUIRE(last);
    CHECK(last->status == static_cast<u16>(Status::truncated));
    REQUIRE(last->capability_count == 1);
    CHECK(p.w.inspect.object(*p.client.object, abi::CapId{p.client.user.message_header(*last).capabilities[0]}) ==
          p.w.object(p.w.clock));
    CHECK(p.w.inspect.node(*p.server.object, b) == nullptr);  // moved away, all the same
    p.w.check();
}

TEST_CASE("a facet that nobody holds gives one notice, after the last completion") {
    Pair p;
    p.serve();
    REQUIRE(p.w.init.release(p.facet_of_init) == Status::ok);
    p.call("x", 1);
    submit(p.client.user, entry::release(p.facet));
    p.w.drain();
    const abi::Completion call = p.received();
    expect_nothing(p.server.user);  // a call is still out
    p.answer(call.token, "");
    p.w.drain();
    expect_event(p.server.user, abi::CompletionKind::notice, 42);
    expect_nothing(p.server.user);
    expect_done(p.client.user, 1, Status::ok);
    p.w.check();
}

TEST_CASE("a notice waits for a receiver") {
    Pair p;
    REQUIRE(p.w.init.release(p.facet_of_init) == Status::ok);
    submit(p.client.user, entry::release(p.facet));
    p.w.drain();
    p.serve();
    expect_event(p.server.user, abi::CompletionKind::notice, 42);
    p.w.check();
}

TEST_CASE("what was derived from a facet gives no notice of its own") {
    Pair p;
    p.serve();
    const auto derived = p.w.init.call<idl::Account::Derive>(p.w.account, {.capability = {0}}, {p.facet_of_init.value});
    REQUIRE(derived.ok());
    REQUIRE(p.w.init.release(p.facet_of_init) == Status::ok);
    submit(p.client.user, entry::release(p.facet));
    p.w.drain();
    expect_nothing(p.server.user);
    REQUIRE(p.w.init.release(derived.capabilities[0]) == Status::ok);
    p.w.drain();
    expect_event(p.server.user, abi::CompletionKind::notice, 42);
    expect_nothing(p.server.user);
    p.w.check();
}

TEST_CASE("a capability below one whose holder is gone, ended by its account, takes that one along") {
    World w;
    const auto before = w.inspect.totals();
    const abi::CapId account = w.make_account(0, 0, 8), memory = w.make_memory(1);
    const auto derived = w.init.call<idl::Account::Derive>(account, {.capability = {0}}, {memory.value});
    REQUIRE(derived.ok());
    REQUIRE(w.init.release(memory) == Status::ok);
    w.drain();
    CHECK(w.object(derived.capabilities[0]) != nullptr);
    REQUIRE(w.init.release(account) == Status::ok);
    w.check();
    CHECK(w.object(derived.capabilities[0]) == nullptr);
    REQUIRE(w.init.release(derived.capabilities[0]) == Status::ok);
    w.check();
    CHECK(w.inspect.totals() == before);
}

TEST_CASE("revoke ends what descends, in all tables, and leaves the capability itself") {
    Pair p;
    const abi::CapId memory = p.w.make_memory(1);
    const auto child = p.w.init.call<idl::Account::Derive>(p.w.account, {.capability = {0}}, {memory.value});
    const auto grandchild =
        p.w.init.call<idl::Account::Derive>(p.w.account, {.capability = {0}}, {child.capabilities[0].value});
    const abi::CapId copy = p.w.grant(p.client, grandchild.capabilities[0]), same = p.w.grant(p.client, memory);
    REQUIRE(p.w.init.call<idl::Account::Revoke>(p.w.account, {.capability = {0}}, {memory.value}).ok());
    CHECK(p.w.inspect.node(*p.client.object, copy) == nullptr);
    CHECK(p.w.object(child.capabilities[0]) == nullptr);
    CHECK(p.w.inspect.node(*p.client.object, same) != nullptr);
    CHECK(p.w.object(memory) != nullptr);
    submit(p.client.user, entry::tagged(entry::release(copy), 1));
    expect_nothing(p.client.user);  // a dead capability can be released
    p.w.check();
}

TEST_CASE("a revoke whose thread ends in the middle is finished all the same") {
    constexpr u64 kChildren = 60, kAt = 0x5000'0000;
    World w;
    const bool killed = GENERATE(false, true);
    Spawned revoker = w.spawn("revoker"), holder = w.spawn("holder");
    const abi::CapId memory = w.make_memory(1);
    std::vector<abi::CapId> children;
    for (u64 i = 0; i < kChildren; ++i) {
        children.push_back(
            w.init.call<idl::Account::Derive>(w.account, {.capability = {0}}, {memory.value}).capabilities[0]);
    }
    // Younger nodes go first: this one is a part of the rest.
    REQUIRE(w.init
                .call<idl::AddressSpace::Map>(
                    holder.space, {.memory = {0}, .offset = 0, .bytes = 4096, .address = kAt, .protection = 3},
                    {children[0].value})
                .ok());
    REQUIRE(holder.user.store(kAt, 41));
    const abi::CapId own = w.grant(revoker, memory), account = w.grant(revoker, w.account);
    revoker.user.push(
        revoker.user.make_call<idl::Account::Revoke>(account, {.capability = {0}}, {own.value}));
    revoker.user.begin_enter(1, 1);
    REQUIRE(w.object(children[0]) != nullptr);
    if (killed) {
        REQUIRE(w.init.call<idl::Process::Kill>(revoker.process).ok());
    } else {
        // The capability goes from its own table: the entry cannot go on either.
        (void)revoker.object->table.release(own, w.inspect.nodes()).has_value();
    }
    w.drain();
    for (const abi::CapId child : children) CHECK(w.object(child) == nullptr);
    u64 value = 1;
    CHECK(holder.user.load(kAt, value));
    CHECK(value == 0);
    CHECK(w.object(memory) != nullptr);
    w.check();
}

TEST_CASE("derivations go sixteen deep") {
    World w;
    abi::CapId last = w.make_memory(1);
    for (int i = 0; i < 16; ++i) {
        const auto next = w.init.call<idl::Account::Derive>(w.account, {.capability = {0}}, {last.value});
        REQUIRE(next.ok());
        last = next.capabilities[0];
    }
    CHECK(w.init.call<idl::Account::Derive>(w.account, {.capability = {0}}, {last.value}).status == Status::bad_argument);
    w.check();
}

TEST_CASE("an account that was derived many times over ends like any other") {
    World w;
    const auto before = w.inspect.totals();
    const abi::CapId account = w.make_account(8, 4, 32);
    std::vector<abi::CapId> held{account};
    for (int i = 0; i < 16; ++i) {
        const auto next = w.init.call<idl::Account::Derive>(w.account, {.capability = {0}}, {held.back().value});
        REQUIRE(next.ok());
        held.push_back(next.capabilities[0]);
    }
    // Its own account takes it along, from the top of the chain.
    const abi::CapId outer = w.make_account(64, 8, 64);
    const auto inner = w.init.call<idl::Account::CreateAccount>(outer, {.frames = 1, .objects = 1, .nodes = 1});
    abi::CapId last = inner.capabilities[0];
    for (int i = 0; i < 16; ++i) {
        last = w.init.call<idl::Account::Derive>(w.account, {.capability = {0}}, {last.value}).capabilities[0];
        held.push_back(last);
    }
    held.push_back(inner.capabilities[0]);
    REQUIRE(w.init.release(outer) == Status::ok);
    w.check();
    CHECK(w.object(last) == nullptr);
    for (const abi::CapId id : held) REQUIRE(w.init.release(id) == Status::ok);
    w.check();
    CHECK(w.inspect.totals() == before);
}

// --- promises ---

TEST_CASE("a call on a promise is sent when the promise is kept, and before the first call completes") {
    Pair p;
    p.serve();
    const abi::CapId facet7 = p.w.grant(p.server, p.w.make_facet(p.endpoint, 7));
    abi::Submission first = entry::fills(text_call(p.client.user, p.facet, "open", 1, 1), 3);
    abi::Submission second = entry::pipelined_call({3, 0}, 5, 6, {{User::kParams, 4}, 0, 0}, {{User::kFree, 512}, 0});
    second.user_data = 2;
    submit(p.client.user, first, second);
    const abi::Completion open = p.received();
    expect_nothing(p.server.user);
    submit(p.server.user, reply_with(p.server.user, open.token, {facet7.value}));
    const abi::Completion pipelined = p.received();
    CHECK(pipelined.method == 6);
    CHECK(p.server.user.message_header(pipelined).badge == 7);
    expect_done(p.client.user, 1, Status::ok);
    // The promise is remembered: the same call again goes straight there.
    second.user_data = 3;
    submit(p.client.user, second);
    p.answer(pipelined.token, "");
    p.answer(p.received().token, "");
    expect_done(p.client.user, 2, Status::ok);
    expect_done(p.client.user, 3, Status::ok);
    submit(p.client.user, entry::finish(3));
    second.user_data = 4;
    submit(p.client.user, second);
    expect_done(p.client.user, 4, Status::stale);
    p.w.check();
}

TEST_CASE("a promise that is broken breaks what is held on it") {
    Pair p;
    p.serve();
    abi::Submission held = entry::pipelined_call({0, 0}, 5, 6, {{User::kParams, 4}, 0, 0}, {{User::kFree, 512}, 0});
    held.user_data = 2;
    abi::Submission behind = entry::fills(held, 1);  // promises on promises
    behind.user_data = 3;
    abi::Submission last = entry::pipelined_call({1, 0}, 5, 6, {{User::kParams, 4}, 0, 0}, {{User::kFree, 512}, 0});
    last.user_data = 4;
    submit(p.client.user, entry::fills(text_call(p.client.user, p.facet, "open", 1, 1), 0), held, behind, last);
    submit(p.server.user, entry::reply_error(p.received().token, Status::overloaded, 9));
    expect_done(p.client.user, 2, Status::overloaded);
    expect_done(p.client.user, 4, Status::overloaded);
    expect_done(p.client.user, 3, Status::overloaded);
    expect_done(p.client.user, 1, Status::overloaded);
    held.user_data = 5;
    submit(p.client.user, held);
    expect_done(p.client.user, 5, Status::overloaded);
    p.w.check();
}

TEST_CASE("a promise kept without the capability ends what waits for it") {
    Pair p;
    p.serve();
    abi::Submission held = entry::pipelined_call({0, 1}, 5, 6, {{User::kParams, 4}, 0, 0}, {{User::kFree, 512}, 0});
    held.user_data = 2;
    submit(p.client.user, entry::fills(text_call(p.client.user, p.facet, "open", 1, 1), 0), held);
    p.answer(p.received().token, "");
    expect_done(p.client.user, 2, Status::bad_capability);
    expect_done(p.client.user, 1, Status::ok);
    p.w.check();
}

TEST_CASE("finishing a pending promise cancels its call and what it holds") {
    Pair p;
    p.serve();
    abi::Submission held = entry::pipelined_call({0, 0}, 5, 6, {{User::kParams, 4}, 0, 0}, {{User::kFree, 512}, 0});
    held.user_data = 2;
    submit(p.client.user, entry::fills(text_call(p.client.user, p.facet, "open", 1, 1), 0), held, entry::finish(0));
    expect_done(p.client.user, 2, Status::cancelled);
    expect_done(p.client.user, 1, Status::cancelled);
    const u64 token = p.received().token;
    expect_event(p.server.user, abi::CompletionKind::cancelled, token);
    submit(p.client.user, entry::tagged(entry::finish(0), 7));
    expect_done(p.client.user, 7, Status::stale);
    p.w.check();
}

TEST_CASE("a promise holds eight calls") {
    Pair p;
    abi::Submission held = entry::pipelined_call({0, 0}, 5, 6, {{User::kParams, 4}, 0, 0}, {{User::kFree, 512}, 0});
    submit(p.client.user, entry::fills(text_call(p.client.user, p.facet, "open", 1, 1), 0));
    for (u64 i = 0; i < 9; ++i) submit(p.client.user, entry::tagged(held, 10 + i));
    expect_done(p.client.user, 18, Status::overloaded);
    expect_nothing(p.client.user);
    p.w.check();
}

TEST_CASE("a call on a promise of a kernel object is carried out by its caller") {
    Pair p;
    p.serve();
    const abi::CapId clock = p.w.grant(p.server, p.w.clock);
    abi::Submission now =
        entry::pipelined_call({0, 0}, idl::Clock::kInterfaceId, idl::Clock::Now::kOrdinal, {}, {{User::kFree, 512}, 0});
    now.user_data = 2;
    submit(p.client.user, entry::fills(text_call(p.client.user, p.facet, "open", 1, 1), 0), now);
    submit(p.server.user, reply_with(p.server.user, p.received().token, {clock.value}));
    expect_done(p.client.user, 1, Status::ok);
    expect_nothing(p.client.user);
    REQUIRE(p.client.user.enter(0));  // it has to come by itself
    const auto last = p.client.user.pop();
    REQUIRE(last);
    CHECK(last->user_data == 2);
    const auto reply = p.client.user.reply_of<idl::Clock::Now>(*last);
    CHECK(reply.ok());
    CHECK(reply.fields.ns != 0);
    p.w.check();
}

TEST_CASE("a thread that waits is woken to carry out a call on a promise") {
    Pair p;
    p.serve();
    const abi::CapId clock = p.w.grant(p.server, p.w.clock);
    abi::Submission now =
        entry::pipelined_call({0, 0}, idl::Clock::kInterfaceId, idl::Clock::Now::kOrdinal, {}, {{User::kFree, 512}, 0});
    now.user_data = 2;
    p.client.user.push(entry::fills(text_call(p.client.user, p.facet, "open", 1, 1), 0));
    p.client.user.push(now);
    REQUIRE_FALSE(p.client.user.enter(2, 2));
    submit(p.server.user, reply_with(p.server.user, p.received().token, {clock.value}));
    REQUIRE(p.client.user.running());
    expect_done(p.client.user, 1, Status::ok);
    expect_done(p.client.user, 2, Status::ok);
    p.w.check();
}

// --- links ---

TEST_CASE("an entry linked to one that fails is cancelled, and so on") {
    World w;
    submit(w.init, entry::linked(entry::tagged(entry::release(abi::CapId{0xbad}), 1)),
           entry::linked(entry::tagged(entry::nop(), 2)), entry::tagged(entry::nop(), 3), entry::tagged(entry::nop(), 4));
    expect_done(w.init, 1, Status::bad_capability);
    expect_done(w.init, 2, Status::cancelled);
    expect_done(w.init, 3, Status::cancelled);
    expect_done(w.init, 4, Status::ok);
    w.check();
}

TEST_CASE("an entry linked to a call starts when the call has succeeded") {
    Pair p;
    p.serve();
    p.client.user.push(entry::linked(text_call(p.client.user, p.facet, "x", 1)));
    p.client.user.push(entry::tagged(entry::nop(), 2));
    REQUIRE(p.client.user.enter(2)->consumed() == 1);
    p.answer(p.received().token, "");
    expect_done(p.client.user, 1, Status::ok);
    expect_nothing(p.client.user);
    REQUIRE(p.client.user.enter(1)->consumed() == 1);
    expect_done(p.client.user, 2, Status::ok);
    // Waiting in enter it goes on by itself.
    p.client.user.push(entry::linked(text_call(p.client.user, p.facet, "x", 3)));
    p.client.user.push(entry::tagged(entry::nop(), 4));
    REQUIRE_FALSE(p.client.user.enter(2, 2));
    p.answer(p.received().token, "");
    REQUIRE(p.client.user.running());
    CHECK(p.client.user.result().consumed() == 2);
    expect_done(p.client.user, 3, Status::ok);
    expect_done(p.client.user, 4, Status::ok);
    p.w.check();
}

// --- full queues ---

TEST_CASE("an entry without a place for its completion is not consumed") {
    World w;
    Spawned s = w.spawn("small", {.cpu = 1, .submissions = 8, .completions = 4});
    for (u64 i = 0; i < 6; ++i) s.user.push(entry::tagged(entry::nop(), i));
    CHECK(s.user.enter(6)->consumed() == 4);
    expect_done(s.user, 0, Status::ok);
    CHECK(s.user.enter(2)->consumed() == 1);
    for (u64 i = 1; i < 5; ++i) expect_done(s.user, i, Status::ok);
    CHECK(s.user.enter(1)->consumed() == 1);
    expect_done(s.user, 5, Status::ok);
    // Silent ones need none.
    for (u64 i = 0; i < 4; ++i) s.user.push(entry::tagged(entry::nop(), i));
    s.user.enter(4);
    const abi::CapId extra = w.grant(s, w.clock);
    s.user.push(entry::release(extra));
    CHECK(s.user.enter(1)->consumed() == 1);
    w.check();
}

TEST_CASE("signals and calls wait at their source while the queue is full") {
    Pair p;
    Spawned s = p.w.spawn("small", {.cpu = 3, .completions = 4});
    const abi::CapId notification = p.w.make_notification(), theirs = p.w.grant(s, notification);
    submit(s.user, entry::tagged(entry::receive_signals(theirs), 50));
    for (u64 i = 0; i < 3; ++i) submit(s.user, entry::tagged(entry::nop(), i));
    submit(p.w.init, entry::signal(notification, 5));
    submit(p.w.init, entry::signal(notification, 8));
    for (u64 i = 0; i < 3; ++i) expect_done(s.user, i, Status::ok);
    expect_nothing(s.user);
    REQUIRE(s.user.enter(0));
    expect_event(s.user, abi::CompletionKind::signal, 13);
    submit(p.w.init, entry::signal(notification, 1));
    expect_event(s.user, abi::CompletionKind::signal, 1);
    p.w.check();
}

TEST_CASE("supervising a process that has ended does not need two places for one") {
    World w;
    Spawned dead = w.spawn("dead"), s = w.spawn("small", {.cpu = 2, .completions = 2});
    dead.user.exit(3);
    w.drain();
    const abi::CapId notification = w.grant(s, w.make_notification()), process = w.grant(s, dead.process);
    submit(s.user, entry::tagged(entry::receive_signals(notification), 50));
    s.user.push(s.user.make_call<idl::Process::Supervise>(process, {.notification = {0}, .bit = 4}, {notification.value}));
    CHECK(s.user.enter(1)->consumed() == 1);
    expect_done(s.user, 0, Status::ok);
    REQUIRE(s.user.enter(0));
    expect_event(s.user, abi::CompletionKind::signal, 16);
    w.check();
}

TEST_CASE("cancelling a call to oneself in a full queue answers once") {
    World w;
    Spawned s = w.spawn("self", {.cpu = 1, .completions = 4});
    const abi::CapId endpoint = w.make_endpoint(), receiver = w.grant(s, w.make_receiver(endpoint)),
                     facet = w.grant(s, w.make_facet(endpoint, 1));
    submit(s.user, receive_entry(receiver), text_call(s.user, facet, "x", 1));
    const auto call = s.user.pop();
    REQUIRE(call);
    submit(s.user, entry::tagged(entry::nop(), 2));
    s.user.push(entry::tagged(entry::cancel(1), 3));
    REQUIRE(s.user.enter(1)->consumed() == 1);
    expect_done(s.user, 2, Status::ok);
    expect_done(s.user, 1, Status::cancelled);
    expect_done(s.user, 3, Status::ok);
    REQUIRE(s.user.enter(0));
    expect_event(s.user, abi::CompletionKind::cancelled, call->token);
    w.check();
}

TEST_CASE("an answer that cannot give its buffer back says so, even in a full queue") {
    World w;
    Spawned s = w.spawn("self", {.cpu = 1, .completions = 4});
    const abi::CapId endpoint = w.make_endpoint(), receiver = w.grant(s, w.make_receiver(endpoint)),
                     facet = w.grant(s, w.make_facet(endpoint, 1));
    submit(s.user, receive_entry(receiver), text_call(s.user, facet, "x", 1));
    const auto call = s.user.pop();
    REQUIRE(call);
    submit(s.user, entry::provide(0, 0));  // the call's own buffer, early
    submit(s.user, entry::tagged(entry::nop(), 2), entry::tagged(entry::nop(), 4));
    s.user.push(entry::tagged(entry::reply(call->token, {}), 3));
    CHECK(s.user.enter(1)->consumed() == 0);
    expect_done(s.user, 2, Status::ok);
    CHECK(s.user.enter(1)->consumed() == 1);
    expect_done(s.user, 4, Status::ok);
    expect_done(s.user, 3, Status::bad_argument);
    expect_done(s.user, 1, Status::ok);
    w.check();
}
