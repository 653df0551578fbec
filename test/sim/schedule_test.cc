// Who runs when: direct hand-over, lent time, budgets, priorities, deadlines and timers, and that what is left to do gets done.
#include "sim/pair.h"

using namespace capos;
using namespace capos::sim;
namespace entry = capos::runtime::entry;
using kernel::Duration;
using kernel::ThreadState;

namespace {

// Server and client on one CPU, the server already waiting for a call.
struct Together {
    World w;
    abi::CapId endpoint = w.make_endpoint(), receiver_of_init = w.make_receiver(endpoint),
               facet_of_init = w.make_facet(endpoint, 1);
    Spawned server, client;
    abi::CapId facet;

    explicit Together(u8 server_priority = 10, u8 client_priority = 10) {
        server = w.spawn("server", {.cpu = 1, .priority = server_priority});
        server.user.push(receive_entry(w.grant(server, receiver_of_init)));
        REQUIRE_FALSE(server.user.enter(1, 1));
        client = w.spawn("client", {.cpu = 1, .priority = client_priority});
        facet = w.grant(client, facet_of_init);
    }
    void set_budget(const Spawned& s, u64 budget, u64 period) {
        REQUIRE(w.init.call<idl::Thread::SetBudget>(s.thread, {.budget = budget, .period = period}).ok());
    }
    void call(u64 user_data) {
        client.user.push(text_call(client.user, facet, "x", user_data));
        client.user.begin_enter(1, 1);
        w.machine.settle();
    }
};

// Lets time pass until something happens, or `limit` is over.
void let_pass(World& w, u64 limit) {
    const u64 end = w.machine.time.ns + limit;
    while (w.machine.time.ns < end) {
        w.machine.pass(Duration{end - w.machine.time.ns});
        w.machine.settle();
    }
}

}  // namespace

TEST_CASE("a call to a server that waits switches to it on the same CPU, and back with its answer") {
    Together t;
    t.call(1);
    REQUIRE(t.server.user.running());
    CHECK(t.client.user.thread().state == ThreadState::waiting);
    const auto call = t.server.user.pop();
    REQUIRE(call);
    t.server.user.push(entry::reply(call->token, {}));
    t.server.user.begin_enter(1, 1);
    t.w.machine.settle();
    REQUIRE(t.client.user.running());
    expect_done(t.client.user, 1, Status::ok);
    t.w.check();
}

TEST_CASE("a call that fails at once is no hand-over") {
    Together t;
    t.client.user.push(text_call(t.client.user, abi::CapId{0xbad}, "x", 1));
    t.client.user.begin_enter(1, 1);
    t.w.machine.settle();
    REQUIRE(t.client.user.running());
    expect_done(t.client.user, 1, Status::bad_capability);
    t.w.check();
}

TEST_CASE("who works for a client uses the client's time, and gives it back with the answer") {
    Together t;
    t.set_budget(t.client, 1'000'000, 10'000'000);
    t.call(1);
    REQUIRE(t.server.user.running());
    CHECK(t.server.user.thread().active == &t.client.user.thread().own);
    const u64 left = t.client.user.thread().own.left.value;
    t.w.machine.time.ns += 300'000;
    const auto call = t.server.user.pop();
    t.server.user.push(entry::reply(call->token, {}));
    t.server.user.begin_enter(1, 1);
    t.w.machine.settle();
    CHECK(t.client.user.thread().own.left.value < left - 250'000);
    CHECK(t.client.user.thread().own.user == &t.client.user.thread());
    CHECK(t.server.user.thread().active == &t.server.user.thread().own);
    t.w.check();
}

TEST_CASE("a server whose lent time is used up goes on with its own") {
    Together t;
    t.set_budget(t.client, 1'000'000, 10'000'000);
    t.call(1);
    let_pass(t.w, 2'000'000);
    REQUIRE(t.server.user.running());
    CHECK(t.server.user.thread().active == &t.server.user.thread().own);
    t.w.check();
}

TEST_CASE("lent time comes back when the call is cancelled, and when either side ends") {
    for (int how = 0; how < 3; ++how) {
        Together t;
        t.set_budget(t.client, 1'000'000, 10'000'000);
        t.call(1);
        REQUIRE(t.server.user.thread().active == &t.client.user.thread().own);
        if (how == 0) REQUIRE(t.w.init.call<idl::Process::Kill>(t.client.process).ok());
        if (how == 1) REQUIRE(t.w.init.call<idl::Process::Kill>(t.server.process).ok());
        if (how == 2) REQUIRE(t.w.init.call<idl::Account::Revoke>(t.w.account, {.capability = {0}}, {t.endpoint.value}).ok());
        t.w.check();
        if (how != 1) CHECK(t.server.user.thread().active == &t.server.user.thread().own);
        if (how == 1) CHECK(t.client.user.thread().own.user == &t.client.user.thread());
    }
}

TEST_CASE("a thread without budget left is throttled until its next period") {
    World w;
    Spawned s = w.spawn("limited");
    REQUIRE(w.init.call<idl::Thread::SetBudget>(s.thread, {.budget = 200'000, .period = 1'000'000}).ok());
    REQUIRE(s.user.enter(0));
    let_pass(w, 400'000);
    CHECK_FALSE(s.user.running());
    CHECK(s.user.thread().state == ThreadState::throttled);
    w.check();
    let_pass(w, 1'000'000);
    CHECK(s.user.thread().state != ThreadState::waiting);
    // It gets its share of each period, and not more.
    u64 ran = 0;
    for (int i = 0; i < 100; ++i) {
        let_pass(w, 50'000);
        ran += s.user.running() ? 1 : 0;
    }
    CHECK(ran > 10);
    CHECK(ran < 35);
    REQUIRE(w.init.call<idl::Thread::SetBudget>(s.thread, {}).ok());
    let_pass(w, 2'000'000);
    CHECK(s.user.running());
    CHECK(w.init.call<idl::Thread::SetBudget>(s.thread, {.budget = 2, .period = 99'999}).status == Status::bad_argument);
    CHECK(w.init.call<idl::Thread::SetBudget>(s.thread, {.budget = 200'001, .period = 200'000}).status == Status::bad_argument);
    CHECK(w.init.call<idl::Thread::SetBudget>(s.thread, {.budget = 0, .period = 200'000}).status == Status::bad_argument);
    w.check();
}

TEST_CASE("a better thread that becomes ready runs at once, an equal one after the slice") {
    World w;
    Spawned low = w.spawn("low", {.cpu = 1, .priority = 5}), equal = w.spawn("equal", {.cpu = 1, .priority = 5});
    CHECK(low.user.running());
    CHECK_FALSE(equal.user.running());
    let_pass(w, 2 * kernel::kSlice.value);
    CHECK(equal.user.running() != low.user.running());
    Spawned high = w.spawn("high", {.cpu = 1, .priority = 9});
    CHECK(high.user.running());
    let_pass(w, 10 * kernel::kSlice.value);
    CHECK(high.user.running());
    REQUIRE(w.init.call<idl::Thread::SetPriority>(high.thread, {.priority = 1}).ok());
    let_pass(w, kernel::kSlice.value);
    w.check();
    CHECK(w.init.call<idl::Thread::SetPriority>(high.thread, {.priority = 32}).status == Status::bad_argument);
    CHECK(w.init.call<idl::Thread::SetPriority>(high.thread, {.priority = 31}).status == Status::not_permitted);
}

TEST_CASE("an idle CPU takes a thread that waits elsewhere, unless it is pinned") {
    World w;
    Spawned a = w.spawn("a", {}), b = w.spawn("b", {});
    CHECK(a.user.running());
    CHECK(b.user.running());
    CHECK(*a.user.where() != *b.user.where());
    Spawned c = w.spawn("c", {.cpu = *a.user.where()});
    CHECK(a.user.running() + c.user.running() >= 1);
    w.check();
    CHECK(w.init.call<idl::Thread::SetCpu>(c.thread, {.cpu = 17}).status == Status::bad_argument);
    REQUIRE(w.init.call<idl::Thread::SetCpu>(c.thread, {.cpu = ~0u}).ok());
    w.check();
}

TEST_CASE("a wait ends at its deadline, and a timer completes at its time, not before") {
    World w;
    Spawned s = w.spawn("sleeper");
    const u64 start = w.machine.time.ns;
    REQUIRE_FALSE(s.user.enter(0, 1, start + 500'000));
    let_pass(w, 300'000);
    CHECK_FALSE(s.user.running());
    let_pass(w, 300'000);
    REQUIRE(s.user.running());
    CHECK(s.user.result().status() == Status::timed_out);
    CHECK(s.user.enter(0, 1, 5)->status() == Status::timed_out);  // long past
    const u64 now = w.machine.time.ns;
    s.user.push(entry::tagged(entry::timer(now + 400'000), 1));
    s.user.push(entry::tagged(entry::timer(now + 200'000), 2));
    s.user.push(entry::tagged(entry::timer(5), 3));
    REQUIRE(s.user.enter(3)->consumed() == 3);
    expect_done(s.user, 3, Status::ok);
    REQUIRE_FALSE(s.user.enter(0, 2));
    let_pass(w, 100'000);
    CHECK(s.user.unread() == 0);
    let_pass(w, 400'000);
    REQUIRE(s.user.running());
    CHECK(s.user.result().status() == Status::ok);
    expect_done(s.user, 2, Status::ok);
    expect_done(s.user, 1, Status::ok);
    w.check();
}

TEST_CASE("what ended is taken down although every CPU runs a thread that never enters") {
    World::Options options{.machine = {.cpus = 2}};
    World w{options};
    Spawned dying = w.spawn("dying", {.cpu = 1}), spins = w.spawn("spins", {.cpu = 1, .priority = 3});
    const abi::CapId notification = w.make_notification();
    REQUIRE(w.init.call<idl::Process::Supervise>(dying.process, {.notification = {0}, .bit = 0}, {notification.value}).ok());
    submit(w.init, entry::tagged(entry::receive_signals(notification), 9));
    dying.user.exit(0);
    CHECK(spins.user.running());
    CHECK(w.init.running());
    let_pass(w, 50'000'000);
    expect_event(w.init, abi::CompletionKind::signal, 1);
    w.check();
}

TEST_CASE("a signal collects bits until somebody takes them, and wakes who waits") {
    World w;
    Spawned s = w.spawn("waiter");
    const abi::CapId notification = w.make_notification(), theirs = w.grant(s, notification);
    submit(w.init, entry::signal(notification, 1), entry::signal(notification, 4));
    s.user.push(entry::tagged(entry::receive_signals(theirs), 1));
    REQUIRE(s.user.enter(1, 1));
    expect_event(s.user, abi::CompletionKind::signal, 5);
    REQUIRE_FALSE(s.user.enter(0, 1));
    submit(w.init, entry::signal(notification, 8));
    REQUIRE(s.user.running());
    expect_event(s.user, abi::CompletionKind::signal, 8);
    submit(w.init, entry::tagged(entry::signal(notification, 0), 1),
           entry::tagged(entry::signal(notification, u64{1} << 63), 2));
    expect_done(w.init, 1, Status::bad_argument);
    expect_done(w.init, 2, Status::bad_argument);
    submit(s.user, entry::tagged(entry::cancel(1), 3));
    expect_done(s.user, 1, Status::cancelled);
    expect_done(s.user, 3, Status::ok);
    w.check();
}
