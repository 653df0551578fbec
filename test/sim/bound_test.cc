// The work of one step is bounded, however much comes together (kStepUnits): others wait for the lock no longer [R17].
#include <algorithm>

#include "sim/pair.h"

using namespace capos;
using namespace capos::sim;
namespace entry = capos::runtime::entry;
using kernel::kPageBytes;

namespace {

// A step may have begun its last piece when it was spent.
constexpr u64 kAtOnce = kernel::kStepUnits + 8;

// The most that a step of the core did: completions it posted to one thread, and frames it freed.
struct Watch {
    Machine& machine;
    User user;
    u64 completions{}, freed{};

    Watch(Machine& m, const User& u) : machine{m}, user{u} {
        machine.worst = {};
        machine.after_step = [this, tail = u.thread().ring.cq_tail(), free = m.kernel().frames().free_frames()](u32) mutable {
            const u32 tail_now = user.thread().ring.cq_tail();
            const u64 free_now = machine.kernel().frames().free_frames();
            completions = std::max<u64>(completions, tail_now - tail);
            if (free_now > free) freed = std::max(freed, free_now - free);
            tail = tail_now;
            free = free_now;
        };
    }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch() { machine.after_step = nullptr; }
};

constexpr World::SpawnOptions kLarge{.cpu = 1, .region_bytes = 256 * 1024, .submissions = 256, .completions = 256};
constexpr World::SpawnOptions kLargeOther{.cpu = 2, .region_bytes = 256 * 1024, .submissions = 256, .completions = 256};

}  // namespace

TEST_CASE("timers that expire together complete in several steps [R17]", "[R17]") {
    constexpr u32 kTimers = 120;
    World w;
    Spawned s = w.spawn("sleeper", kLarge);
    const u64 at = w.machine.time.ns + 10'000'000;
    for (u32 i = 0; i < kTimers; ++i) s.user.push(entry::timer(at));
    REQUIRE(s.user.enter(kTimers)->consumed() == kTimers);
    const Watch watch{w.machine, s.user};
    w.machine.pass(kernel::Duration{20'000'000});
    w.machine.settle();
    while (s.user.unread() < kTimers && w.machine.next_timer() != kernel::kNever) {
        w.machine.pass(kernel::Duration{1'000});
        w.machine.settle();
    }
    CHECK(s.user.unread() == kTimers);
    CHECK(watch.completions > 1);
    CHECK(watch.completions <= kAtOnce);
    w.check();
}

TEST_CASE("those that wait for the same end are told in several steps [R17]", "[R17]") {
    constexpr u32 kWaits = 120;
    World w;
    Spawned s = w.spawn("waits", kLarge), victim = w.spawn("ends", kLargeOther);
    const abi::CapId thread = w.grant(s, victim.thread);
    for (u32 i = 0; i < kWaits; ++i) s.user.push(s.user.make_call<idl::Thread::Wait>(thread, {}));
    REQUIRE(s.user.enter(kWaits)->consumed() == kWaits);
    const Watch watch{w.machine, s.user};
    victim.user.exit(0);
    w.drain();
    CHECK(s.user.unread() == kWaits);
    CHECK(watch.completions <= kAtOnce);
    w.check();
}

TEST_CASE("what did not fit into a full queue follows in several steps [R17]", "[R17]") {
    constexpr u32 kCalls = 60;
    World w;
    const abi::CapId endpoint = w.make_endpoint();
    Spawned server = w.spawn("server", kLarge), client = w.spawn("client", kLargeOther);
    const abi::CapId facet = w.grant(client, w.make_facet(endpoint, 1));
    submit(server.user, receive_entry(w.grant(server, w.make_receiver(endpoint)), {.count = 60, .slots_each = 0}));
    for (u32 i = 0; i < kCalls; ++i) client.user.push(text_call(client.user, facet, "x", i));
    REQUIRE(client.user.enter(kCalls)->consumed() == kCalls);
    REQUIRE(server.user.unread() == kCalls);
    const u32 free = server.user.thread().ring.free_slots();
    for (u32 i = 0; i < free; ++i) server.user.push(entry::nop());
    REQUIRE(server.user.enter(free)->consumed() == free);
    REQUIRE(w.init.call<idl::Process::Kill>(client.process).ok());
    while (server.user.pop()) {}
    const Watch watch{w.machine, server.user};
    REQUIRE(server.user.enter(0));
    CHECK(server.user.unread() == kCalls);  // all `cancelled`
    CHECK(watch.completions > 1);
    CHECK(watch.completions <= kAtOnce);
    w.check();
}

TEST_CASE("messages that wait for a receiver, or a promise, are copied in several steps [R17]", "[R17]") {
    constexpr u32 kCalls = 8, kBytes = abi::kMessageBytesMax;
    World w;
    const bool promised = GENERATE(false, true);
    const abi::CapId endpoint = w.make_endpoint(), receiver_of_init = w.make_receiver(endpoint);
    Spawned server = w.spawn("server", kLarge), client = w.spawn("client", kLargeOther);
    const abi::CapId facet = w.grant(client, w.make_facet(endpoint, 1));
    const ReceiveSetup setup{.count = kCalls + 1, .bytes = kBytes + 96, .slots_each = 0};
    const abi::CapId receiver = w.grant(server, receiver_of_init);
    if (promised) {
        submit(server.user, receive_entry(receiver, setup));
        submit(client.user, entry::fills(text_call(client.user, facet, "x", 99, 1), 0));
    }
    for (u32 i = 0; i < kCalls; ++i) {
        abi::Submission call = text_call(client.user, facet, "x", i);
        call.params_offset = User::kFree;
        call.params_length = kBytes;
        if (promised) {
            call = entry::pipelined_call({0, 0}, 0x1234, 7, {{User::kFree, kBytes}, 0, 0}, {{User::kReply, 256}, 0});
        }
        client.user.push(call);
    }
    REQUIRE(client.user.enter(kCalls)->consumed() == kCalls);
    if (promised) {
        const auto first = server.user.pop();
        REQUIRE(first);
        const u64 own = w.grant(server, w.make_facet(endpoint, 5)).value;
        std::memcpy(server.user.arena(User::kCapabilities), &own, sizeof own);
        server.user.push(entry::reply(first->token, {{}, User::kCapabilities, 1}));
    } else {
        server.user.push(receive_entry(receiver, setup));
    }
    const Watch watch{w.machine, server.user};
    REQUIRE(server.user.enter(1)->consumed() == 1);
    w.drain();
    CHECK(server.user.unread() == kCalls);
    CHECK(w.machine.worst.bytes >= kBytes);
    CHECK(w.machine.worst.bytes <= 2 * kBytes);
    w.check();
}

TEST_CASE("page tables that a mapping leaves are freed in several steps [R17]", "[R17]") {
    constexpr u64 kTables = 150, kApart = 512, kPages = kTables * kApart, kAt = 0x5000'1000;  // not aligned for large pages
    World w{{.machine = {.cpus = 2, .frames = kPages + 2048}}};
    Spawned s = w.spawn("process", {.cpu = 1});
    const bool lost = GENERATE(false, true);
    const abi::CapId memory = w.make_memory(kPages);
    const auto lent = w.init.call<idl::Account::Derive>(w.account, {.capability = {0}}, {memory.value});
    REQUIRE(w.init
                .call<idl::AddressSpace::Map>(
                    s.space, {.memory = {0}, .offset = 0, .bytes = kPages * kPageBytes, .address = kAt, .protection = 3},
                    {lent.capabilities[0].value})
                .ok());
    for (u64 i = 0; i < kTables; ++i) REQUIRE(s.user.store(kAt + i * kApart * kPageBytes, 1));
    const Watch watch{w.machine, w.init};
    if (lost) {
        REQUIRE(w.init.call<idl::Account::Revoke>(w.account, {.capability = {0}}, {memory.value}).ok());
    } else {
        w.init.push(w.init.make_call<idl::AddressSpace::Unmap>(s.space, {.address = kAt, .bytes = kPages * kPageBytes}));
        w.init.begin_enter(1, 1);
        w.drain();
        expect_done(w.init, 0, Status::ok);
    }
    w.drain();
    CHECK(watch.freed > 1);
    CHECK(watch.freed <= 2 * kAtOnce);
    w.check();
}
