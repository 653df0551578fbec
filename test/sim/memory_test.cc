// Memory: what processes map, who may do what with it, what other CPUs still remember, and what is left when it goes.
#include "sim/pair.h"

using namespace capos;
using namespace capos::sim;
namespace entry = capos::runtime::entry;
using kernel::kPageBytes;

namespace {

constexpr u8 kRead = 1, kWrite = 2, kExecute = 4;
constexpr u64 kAt = 0x5000'0000;

auto map(const User& user, abi::CapId space, abi::CapId memory, u64 pages, u8 protection, u64 address = 0, u64 offset = 0) {
    return user.call<idl::AddressSpace::Map>(
        space, {.memory = {0}, .offset = offset, .bytes = pages * kPageBytes, .address = address, .protection = protection},
        {memory.value});
}
auto unmap(const User& user, abi::CapId space, u64 address, u64 pages) {
    return user.call<idl::AddressSpace::Unmap>(space, {.address = address, .bytes = pages * kPageBytes});
}
auto protect(const User& user, abi::CapId space, u64 address, u64 pages, u8 protection) {
    return user.call<idl::AddressSpace::Protect>(space,
                                                 {.address = address, .bytes = pages * kPageBytes, .protection = protection});
}
bool reads(const User& user, u64 address, u64 value) {
    u64 found = 0;
    return user.load(address, found) && found == value;
}

void map_once(World& w, abi::CapId space) {
    const abi::CapId memory = w.make_memory(1);
    REQUIRE(map(w.init, space, memory, 1, kRead, 0x7'0000'0000).ok());
    REQUIRE(w.init.call<idl::Memory::Write>(memory, {.offset = 0, .data = std::as_bytes(std::span{"x"})}).ok());
    REQUIRE(unmap(w.init, space, 0x7'0000'0000, 1).ok());
    REQUIRE(map(w.init, space, memory, 1, kRead, 0x7'0000'0000).ok());
    REQUIRE(unmap(w.init, space, 0x7'0000'0000, 1).ok());
    REQUIRE(w.init.release(memory) == Status::ok);
    w.drain();
}

// A process whose space `init` can use: two threads on CPUs of their own.
struct Threads {
    World w;
    Spawned process = w.spawn("process");
    abi::CapId second_id{};
    User first = process.user, second = w.add_thread(process, second_id, {.cpu = 2});

    // An address space keeps one empty page table for its next mapping: after this it has one.
    void warm_up() { map_once(w, process.space); }
};

}  // namespace

TEST_CASE("anonymous memory reads as zero, keeps what was written, and is shared by its mappings") {
    Threads t;
    const abi::CapId memory = t.w.make_memory(3);
    REQUIRE(map(t.w.init, t.process.space, memory, 3, kRead | kWrite, kAt).fields.address == kAt);
    const auto other = map(t.w.init, t.w.init_space, memory, 2, kRead | kWrite, 0, kPageBytes);
    REQUIRE(other.ok());
    CHECK(reads(t.first, kAt, 0));
    CHECK(reads(t.first, kAt + 2 * kPageBytes + 8, 0));
    CHECK(t.first.store(kAt + kPageBytes, 17));
    CHECK(reads(t.second, kAt + kPageBytes, 17));
    CHECK(reads(t.w.init, other.fields.address, 17));
    t.w.check();
}

TEST_CASE("a page that a CPU has dirtied is zero again for the next owner") {
    Threads t;
    t.warm_up();
    const auto before = t.w.inspect.totals();
    for (int round = 0; round < 3; ++round) {
        const abi::CapId memory = t.w.make_memory(8);
        REQUIRE(map(t.w.init, t.process.space, memory, 8, kRead | kWrite, kAt).ok());
        for (u64 i = 0; i < 8; ++i) {
            CHECK(reads(t.first, kAt + i * kPageBytes, 0));
            CHECK(t.first.store(kAt + i * kPageBytes, ~u64{0}));
        }
        REQUIRE(unmap(t.w.init, t.process.space, kAt, 8).ok());
        REQUIRE(t.w.init.release(memory) == Status::ok);
        t.w.drain();
    }
    t.w.check();
    CHECK(t.w.inspect.totals() == before);
}

TEST_CASE("[R11] after unmap returns no CPU reaches the page through what it remembers", "[R11]") {
    Threads t;
    const abi::CapId memory = t.w.make_memory(2);
    REQUIRE(map(t.w.init, t.process.space, memory, 2, kRead | kWrite, kAt).ok());
    REQUIRE(t.first.store(kAt, 1));
    REQUIRE(t.second.store(kAt + kPageBytes, 2));
    REQUIRE(t.second.store(kAt, 3));
    const auto frames = t.w.inspect.totals().free_frames;

    // Both CPUs are held back from acknowledging: the unmap waits, and the frames are not free.
    t.w.init.push(t.w.init.make_call<idl::AddressSpace::Unmap>(t.process.space, {.address = kAt, .bytes = 2 * kPageBytes}));
    t.w.init.begin_enter(1, 1);
    t.w.machine.settle(0);
    CHECK_FALSE(t.w.init.running());
    CHECK(t.w.inspect.totals().free_frames == frames);
    t.w.inspect.check();
    t.w.machine.settle(1);
    CHECK_FALSE(t.w.init.running());
    t.w.inspect.check();
    t.w.machine.settle();
    REQUIRE(t.w.init.running());
    expect_done(t.w.init, 0, Status::ok);
    kernel::Fault fault;
    CHECK_FALSE(t.w.machine.translate(1, kAt, AccessKind::read, fault));
    CHECK_FALSE(t.w.machine.translate(2, kAt, AccessKind::read, fault));
    t.w.check();
}

// Who changes entries flushes them one by one on its own CPU only, and other CPUs are asked at the end.
TEST_CASE("[R11] an unmap that one CPU begins and another ends is forgotten by both", "[R11]") {
    World w;
    Spawned s = w.spawn("process");  // on CPU 1
    const bool third = GENERATE(false, true);  // has to be waited for
    abi::CapId thread;
    if (third) w.add_thread(s, thread, {.cpu = 2});
    constexpr u64 kPages = 2 * kernel::kStepUnits;
    const abi::CapId memory = w.make_memory(kPages), space = w.grant(s, s.space);
    REQUIRE(map(w.init, s.space, memory, kPages, kRead | kWrite, kAt).ok());
    REQUIRE(s.user.store(kAt, 1));
    REQUIRE(s.user.store(kAt + (kPages - 1) * kPageBytes, 1));
    const idl::AddressSpace::Unmap::Params all{.address = kAt, .bytes = kPages * kPageBytes};
    w.init.push(w.init.make_call<idl::AddressSpace::Unmap>(s.space, all));
    w.init.begin_enter(1, 1);
    REQUIRE(w.machine.cpu(0).where == Where::again);  // the first page is gone, the last is not
    s.user.push(s.user.make_call<idl::AddressSpace::Unmap>(space, all));
    s.user.begin_enter(1, 1);
    for (w.inspect.check(); w.machine.can_advance(1); w.inspect.check()) w.machine.advance(1);
    CHECK(s.user.running() == !third);
    CHECK_FALSE(w.machine.cpu(1).translations.contains(kAt));
    w.machine.settle();
    expect_done(s.user, 0, Status::ok);
    expect_done(w.init, 0, Status::bad_argument);  // there is no such mapping any more
    w.check();
}

TEST_CASE("[R11] memory that the reaper takes away on two CPUs is forgotten by both", "[R11]") {
    World w;
    Spawned s = w.spawn("process");  // on CPU 1
    constexpr u64 kPages = 2 * kernel::kStepUnits;
    const abi::CapId memory = w.make_memory(kPages);
    const auto lent = w.init.call<idl::Account::Derive>(w.account, {.capability = {0}}, {memory.value});
    REQUIRE(map(w.init, s.space, lent.capabilities[0], kPages, kRead | kWrite, kAt).ok());
    REQUIRE(s.user.store(kAt, 1));
    w.init.push(w.init.make_call<idl::Account::Revoke>(w.account, {.capability = {0}}, {memory.value}));
    w.init.begin_enter(1, 1);
    REQUIRE(w.machine.cpu(0).where == Where::again);
    for (int i = 0; i < 100 && s.user.unread() == 0; ++i) {  // until it is told that it has lost the mapping
        w.machine.cpu(1).kick = true;
        w.machine.settle(1);
        w.inspect.check();
    }
    expect_event(s.user, abi::CompletionKind::lost, kAt);
    CHECK_FALSE(w.machine.cpu(1).translations.contains(kAt));
    w.check();
}

TEST_CASE("[R11] a protect that another CPU has made already ends when this one has forgotten it, too", "[R11]") {
    Threads t;
    const abi::CapId memory = t.w.make_memory(1), space = t.w.grant(t.process, t.process.space);
    REQUIRE(map(t.w.init, t.process.space, memory, 1, kRead | kWrite, kAt).ok());
    REQUIRE(t.first.store(kAt, 1));
    const idl::AddressSpace::Protect::Params read_only{.address = kAt, .bytes = kPageBytes, .protection = kRead};
    t.second.push(t.second.make_call<idl::AddressSpace::Protect>(space, read_only));
    t.second.begin_enter(1, 1);
    t.w.machine.settle(2);
    REQUIRE_FALSE(t.second.running());  // CPU 1 has been asked, but enters the kernel before it hears of that
    t.first.push(t.first.make_call<idl::AddressSpace::Protect>(space, read_only));
    t.first.begin_enter(1, 1);
    t.w.inspect.check();
    t.w.machine.settle();
    expect_done(t.first, 0, Status::ok);
    expect_done(t.second, 0, Status::ok);
    t.w.check();
}

TEST_CASE("[R11] an acknowledged invalidation evicts GLOBAL entries, a load of CR3 does not", "[R11]") {
    World w;
    constexpr u64 kGlobalPage = 0xffff'8000'0000'0000;
    w.machine.speculate(1, kGlobalPage);
    REQUIRE(w.machine.cpu(1).translations.contains(kGlobalPage));
    Spawned s = w.spawn("other");
    CHECK(w.machine.cpu(1).translations.contains(kGlobalPage));  // it has loaded other tables meanwhile
    const abi::CapId memory = w.make_memory(1);
    REQUIRE(map(w.init, s.space, memory, 1, kRead, kAt).ok());
    REQUIRE(s.user.running());
    u64 value = 0;
    REQUIRE(s.user.load(kAt, value));
    REQUIRE(unmap(w.init, s.space, kAt, 1).ok());
    CHECK_FALSE(w.machine.cpu(1).translations.contains(kGlobalPage));
    w.check();
}

TEST_CASE("[R11] after revoke returns no CPU reaches the memory", "[R11]") {
    Threads t;
    const abi::CapId memory = t.w.make_memory(2);
    const auto lent = t.w.init.call<idl::Account::Derive>(t.w.account, {.capability = {0}}, {memory.value});
    REQUIRE(map(t.w.init, t.process.space, lent.capabilities[0], 2, kRead | kWrite, kAt).ok());
    REQUIRE(t.first.store(kAt, 1));
    REQUIRE(t.second.store(kAt, 2));
    t.w.init.push(t.w.init.make_call<idl::Account::Revoke>(t.w.account, {.capability = {0}}, {memory.value}));
    t.w.init.begin_enter(1, 1);
    for (int i = 0; i < 100 && t.w.machine.can_advance(0); ++i) t.w.machine.advance(0);
    CHECK_FALSE(t.w.init.running());  // not before the others have forgotten it
    t.w.inspect.check();
    t.w.machine.settle();
    REQUIRE(t.w.init.running());
    expect_done(t.w.init, 0, Status::ok);
    CHECK(t.w.machine.cpu(1).translations.count(kAt) == 0);
    CHECK(t.w.machine.cpu(2).translations.count(kAt) == 0);
    t.w.check();
}

TEST_CASE("memory that is taken back turns into scrap, and its holder is told once") {
    Threads t;
    const abi::CapId memory = t.w.make_memory(2);
    const auto lent = t.w.init.call<idl::Account::Derive>(t.w.account, {.capability = {0}}, {memory.value});
    REQUIRE(map(t.w.init, t.process.space, lent.capabilities[0], 2, kRead | kWrite, kAt).ok());
    REQUIRE(t.first.store(kAt, 41));
    REQUIRE(t.w.init.call<idl::Account::Revoke>(t.w.account, {.capability = {0}}, {memory.value}).ok());
    CHECK(reads(t.first, kAt, 0));  // no fault, and not what was there
    CHECK(t.first.store(kAt, 42));
    CHECK(reads(t.second, kAt + kPageBytes, 42));  // all of it is one frame
    REQUIRE(t.first.enter(0));
    expect_event(t.first, abi::CompletionKind::lost, kAt);
    expect_nothing(t.first);
    REQUIRE(t.first.enter(0));
    REQUIRE(t.second.enter(0));
    expect_nothing(t.first);
    expect_nothing(t.second);
    t.w.check();
    REQUIRE(unmap(t.w.init, t.process.space, kAt, 2).ok());
    t.w.check();
}

TEST_CASE("a thread that waits is woken when memory is taken from its process") {
    Threads t;
    const bool oldest_ends = GENERATE(false, true);
    const abi::CapId memory = t.w.make_memory(1);
    const auto lent = t.w.init.call<idl::Account::Derive>(t.w.account, {.capability = {0}}, {memory.value});
    REQUIRE(map(t.w.init, t.process.space, lent.capabilities[0], 1, kRead | kWrite, kAt).ok());
    if (oldest_ends) t.first.exit(0);
    const User waiter = oldest_ends ? t.second : t.first;
    REQUIRE_FALSE(waiter.enter(0, 1));
    REQUIRE(t.w.init.call<idl::Account::Revoke>(t.w.account, {.capability = {0}}, {memory.value}).ok());
    CHECK(waiter.running());
    expect_event(waiter, abi::CompletionKind::lost, kAt);
    t.w.check();
}

TEST_CASE("memory ends with its account, however many map it") {
    Threads t;
    t.warm_up();
    const auto before = t.w.inspect.totals();
    const abi::CapId account = t.w.make_account(64, 8, 8);
    const auto memory = t.w.init.call<idl::Account::CreateMemory>(account, {.bytes = 8 * kPageBytes});
    REQUIRE(memory.ok());
    REQUIRE(map(t.w.init, t.process.space, memory.capabilities[0], 8, kRead | kWrite, kAt).ok());
    for (u64 i = 0; i < 8; ++i) REQUIRE(t.first.store(kAt + i * kPageBytes, i));
    REQUIRE(t.w.init.release(account) == Status::ok);
    t.w.check();
    CHECK(t.w.object(memory.capabilities[0]) == nullptr);
    CHECK(reads(t.first, kAt + 3 * kPageBytes, 0));
    REQUIRE(unmap(t.w.init, t.process.space, kAt, 8).ok());
    REQUIRE(t.w.init.release(memory.capabilities[0]) == Status::ok);
    t.w.check();
    CHECK(t.w.inspect.totals() == before);
}

TEST_CASE("[R12] nothing is mapped writable and executable, nor unsealed memory executable", "[R12]") {
    World w;
    const abi::CapId memory = w.make_memory(1), sealed = w.make_memory(1);
    CHECK(map(w.init, w.init_space, memory, 1, kRead | kWrite | kExecute).status == Status::not_permitted);
    CHECK(map(w.init, w.init_space, memory, 1, kRead | kExecute).status == Status::not_permitted);
    CHECK(map(w.init, w.init_space, memory, 1, kWrite).status == Status::bad_argument);
    CHECK(map(w.init, w.init_space, memory, 1, 8 | kRead).status == Status::bad_argument);
    const auto readable = w.init.call<idl::Memory::Readable>(memory);
    REQUIRE(readable.ok());
    CHECK(map(w.init, w.init_space, readable.capabilities[0], 1, kRead | kWrite).status == Status::not_permitted);
    REQUIRE(map(w.init, w.init_space, readable.capabilities[0], 1, kRead, kAt).ok());
    CHECK(protect(w.init, w.init_space, kAt, 1, kRead | kWrite).status == Status::not_permitted);
    CHECK(protect(w.init, w.init_space, kAt, 1, kRead | kExecute).status == Status::not_permitted);

    const auto writable = map(w.init, w.init_space, sealed, 1, kRead | kWrite);
    REQUIRE(writable.ok());
    REQUIRE(w.init.store(writable.fields.address, 0xc3));
    CHECK(w.init.call<idl::Memory::Seal>(sealed).status == Status::not_permitted);
    REQUIRE(protect(w.init, w.init_space, writable.fields.address, 1, kRead).ok());
    REQUIRE(w.init.call<idl::Memory::Seal>(sealed).ok());
    CHECK(protect(w.init, w.init_space, writable.fields.address, 1, kRead | kWrite).status == Status::not_permitted);
    CHECK(map(w.init, w.init_space, sealed, 1, kRead | kWrite).status == Status::not_permitted);
    CHECK(w.init.call<idl::Memory::Write>(sealed, {.offset = 0, .data = std::as_bytes(std::span{"x"})}).status ==
          Status::not_permitted);
    REQUIRE(protect(w.init, w.init_space, writable.fields.address, 1, kRead | kExecute).ok());
    CHECK(w.init.execute(writable.fields.address));
    w.check();
}

TEST_CASE("[R12] sealing waits until no CPU can write any more", "[R12][R11]") {
    Threads t;
    const abi::CapId memory = t.w.make_memory(1);
    REQUIRE(map(t.w.init, t.process.space, memory, 1, kRead | kWrite, kAt).ok());
    REQUIRE(t.first.store(kAt, 1));
    const abi::CapId space = t.w.grant(t.process, t.process.space);
    t.second.push(
        t.second.make_call<idl::AddressSpace::Protect>(space, {.address = kAt, .bytes = kPageBytes, .protection = kRead}));
    t.second.begin_enter(1, 1);
    t.w.machine.settle(2);
    CHECK_FALSE(t.second.running());  // CPU 1 has still to forget
    t.w.init.push(t.w.init.make_call<idl::Memory::Seal>(memory, {}));
    t.w.init.begin_enter(1, 1);
    t.w.machine.settle(0);
    expect_done(t.w.init, 0, Status::not_permitted);
    t.w.machine.settle();
    expect_done(t.second, 0, Status::ok);
    CHECK(t.w.init.call<idl::Memory::Seal>(memory).ok());
    t.w.check();
}

TEST_CASE("a mapping that is unmapped while a protect still waits for other CPUs ends both") {
    Threads t;
    const abi::CapId memory = t.w.make_memory(1);
    const abi::CapId space = t.w.grant(t.process, t.process.space);
    REQUIRE(map(t.w.init, t.process.space, memory, 1, kRead | kWrite, kAt).ok());
    REQUIRE(t.first.store(kAt, 1));
    t.second.push(
        t.second.make_call<idl::AddressSpace::Protect>(space, {.address = kAt, .bytes = kPageBytes, .protection = kRead}));
    t.second.begin_enter(1, 1);
    t.w.machine.settle(2);
    t.w.init.push(t.w.init.make_call<idl::AddressSpace::Unmap>(t.process.space, {.address = kAt, .bytes = kPageBytes}));
    t.w.init.begin_enter(1, 1);
    t.w.machine.settle(0);
    t.w.machine.settle();
    expect_done(t.second, 0, Status::ok);
    expect_done(t.w.init, 0, Status::ok);
    t.w.check();
}

TEST_CASE("an unmap whose thread is killed in the middle does not keep the memory") {
    Threads t;
    const abi::CapId account = t.w.make_account(600, 8, 8), space = t.w.grant(t.process, t.process.space);
    const auto memory = t.w.init.call<idl::Account::CreateMemory>(account, {.bytes = 400 * kPageBytes});
    REQUIRE(map(t.w.init, t.process.space, memory.capabilities[0], 400, kRead | kWrite, kAt).ok());
    for (u64 i = 0; i < 400; ++i) REQUIRE(t.first.store(kAt + i * kPageBytes, i));
    t.second.push(t.second.make_call<idl::AddressSpace::Unmap>(space, {.address = kAt, .bytes = 400 * kPageBytes}));
    t.second.begin_enter(1, 1);
    REQUIRE(t.w.machine.cpu(2).where == Where::again);  // it takes several steps
    REQUIRE(t.w.init.call<idl::Thread::Kill>(t.second_id).ok());
    t.w.check();
    CHECK(t.process.object->space->region_count == 1);  // of the other's ring
    REQUIRE(t.w.init.release(account) == Status::ok);
    t.w.check();
    CHECK(t.w.object(account) == nullptr);
    CHECK(t.w.inspect.totals().charged.frames < 400);
}

TEST_CASE("[R15] a mapping that fails leaves nothing behind", "[R15][R33]") {
    World w;
    Spawned s = w.spawn("payer", {.cpu = 1, .account = w.make_account(40, 16, 32)});
    const abi::CapId memory = w.make_memory(64);
    const auto before = w.inspect.totals();
    const u64 regions = s.object->space->region_count;
    CHECK(map(w.init, s.space, memory, 65, kRead, kAt).status == Status::bad_argument);
    CHECK(map(w.init, s.space, memory, 1, kRead, 0x1000).status == Status::bad_argument);
    CHECK(map(w.init, s.space, memory, 1, kRead, kernel::AddressSpace::kEnd).status == Status::bad_argument);
    CHECK(map(w.init, s.space, memory, 1, kRead, ~u64{0} & ~u64{4095}).status == Status::bad_argument);
    CHECK(map(w.init, s.space, memory, 1, kRead, kAt + 8).status == Status::bad_argument);
    CHECK(map(w.init, s.space, memory, 1, kRead, 0, 64 * kPageBytes).status == Status::bad_argument);
    REQUIRE(map(w.init, s.space, memory, 2, kRead, kAt).ok());
    CHECK(map(w.init, s.space, memory, 2, kRead, kAt + kPageBytes).status == Status::exists);
    CHECK(map(w.init, s.space, memory, 2, kRead, kAt - kPageBytes).status == Status::exists);
    REQUIRE(unmap(w.init, s.space, kAt, 2).ok());
    CHECK(unmap(w.init, s.space, kAt, 2).status == Status::bad_argument);
    // As many as the account pays for; then not one more, and no trace of it.
    u64 mapped = 0;
    while (map(w.init, s.space, memory, 1, kRead, kAt + mapped * 0x4000'0000).ok()) ++mapped;
    CHECK(mapped > 0);
    CHECK(map(w.init, s.space, memory, 1, kRead, kAt + mapped * 0x4000'0000).status == Status::quota);
    w.check();
    for (u64 i = 0; i < mapped; ++i) REQUIRE(unmap(w.init, s.space, kAt + i * 0x4000'0000, 1).ok());
    w.check();
    CHECK(w.inspect.totals() == before);
    CHECK(s.object->space->region_count == regions);
}

TEST_CASE("[R15] an allocation that fails anywhere in making a thread leaves nothing behind", "[R15][R33]") {
    World w;
    Spawned s = w.spawn("process");
    w.drain();
    const auto before = w.inspect.totals();
    bool made = false;
    for (u64 n = 1; n < 20 && !made; ++n) {
        w.machine.kernel().frames().fail_allocation(n);
        const auto thread = w.init.call<idl::Process::CreateThread>(s.process, {.name = "t", .priority = 5});
        w.machine.kernel().frames().fail_allocation(0);
        made = thread.ok();
        if (made) {
            REQUIRE(w.init.release(thread.capabilities[0]) == Status::ok);
        } else {
            CHECK(thread.status == Status::quota);
            w.check();
            CHECK(w.inspect.totals() == before);
        }
    }
    CHECK(made);
    w.check();
}

TEST_CASE("exhaustion is an error to the one who asked") {
    World w;
    const abi::CapId account = w.make_account(20, 3, 3);
    CHECK(w.init.call<idl::Account::CreateMemory>(account, {.bytes = 21 * kPageBytes}).status == Status::quota);
    CHECK(w.init.call<idl::Account::CreateMemory>(account, {.bytes = ~u64{0} & ~u64{4095}}).status == Status::bad_argument);
    CHECK(w.init.call<idl::Account::CreateMemory>(account, {.bytes = 0}).status == Status::bad_argument);
    CHECK(w.init.call<idl::Account::CreateMemory>(account, {.bytes = 5}).status == Status::bad_argument);
    for (int i = 0; i < 3; ++i) REQUIRE(w.init.call<idl::Account::CreateNotification>(account).ok());
    CHECK(w.init.call<idl::Account::CreateNotification>(account).status == Status::quota);
    CHECK(w.init.call<idl::Account::CreateAccount>(account, {.frames = 1}).status == Status::quota);
    CHECK(
        w.init.call<idl::Account::CreateAccount>(account, {.frames = ~u64{0}, .objects = ~u32{0}, .nodes = ~u32{0}}).status ==
        Status::quota);
    const auto usage = w.init.call<idl::Account::Usage>(account);
    REQUIRE(usage.ok());
    CHECK(usage.fields.objects == 3);
    CHECK(usage.fields.objects_limit == 3);
    CHECK(usage.fields.nodes == 3);
    CHECK(usage.fields.frames == 0);
    CHECK(usage.fields.frames_limit == 20);
    w.check();
}

TEST_CASE("memory is read and written without a mapping, across pages, within its bounds") {
    World w;
    const abi::CapId memory = w.make_memory(2);
    const std::string text(100, 'x');
    CHECK(w.init.call<idl::Memory::Write>(memory, {.offset = kPageBytes - 50, .data = std::as_bytes(std::span{text})}).ok());
    const auto read = w.init.call<idl::Memory::Read>(memory, {.offset = kPageBytes, .length = 51});
    REQUIRE(read.ok());
    CHECK(text_of(read.fields.data) == std::string(50, 'x') + '\0');
    CHECK(w.init.call<idl::Memory::Write>(memory, {.offset = 2 * kPageBytes - 50, .data = std::as_bytes(std::span{text})})
              .status == Status::bad_argument);
    CHECK(w.init.call<idl::Memory::Read>(memory, {.offset = 2 * kPageBytes + 1, .length = 0}).status == Status::bad_argument);
    CHECK(w.init.call<idl::Memory::Read>(memory, {.offset = ~u64{0}, .length = 1}).status == Status::bad_argument);
    const auto size = w.init.call<idl::ReadableMemory::Size>(memory);
    CHECK(size.fields.bytes == 2 * kPageBytes);
    w.check();
}

TEST_CASE("memory of 2 MiB that lies right is one entry, and goes as one") {
    World::Options options{.machine = {.cpus = 3, .frames = 4096, .first_frame = 512}};
    World w{options};
    Spawned s = w.spawn("process");
    map_once(w, s.space);
    map_once(w, w.init_space);
    const auto before = w.inspect.totals();
    const abi::CapId memory = w.make_memory(1024);
    constexpr u64 kLarge = 0x20'0000;
    REQUIRE(map(w.init, s.space, memory, 1024, kRead | kWrite, 16 * kLarge).ok());
    REQUIRE(s.user.store(16 * kLarge + 5 * kPageBytes, 5));
    const auto entered = s.object->space->table.lookup(kernel::VirtualAddress{16 * kLarge});
    REQUIRE(entered);
    CHECK(entered->page_bytes == kLarge);
    CHECK(reads(s.user, 16 * kLarge + 5 * kPageBytes, 5));
    CHECK(reads(s.user, 16 * kLarge + 6 * kPageBytes, 0));
    CHECK(reads(s.user, 17 * kLarge, 0));
    w.check();
    // Part of it elsewhere, page by page; then read-only; then gone.
    const auto part = map(w.init, w.init_space, memory, 8, kRead);
    REQUIRE(part.ok());
    CHECK(reads(w.init, part.fields.address + 5 * kPageBytes, 5));
    REQUIRE(protect(w.init, s.space, 16 * kLarge, 1024, kRead).ok());
    w.check();
    CHECK(reads(s.user, 16 * kLarge + 5 * kPageBytes, 5));
    REQUIRE(unmap(w.init, s.space, 16 * kLarge, 1024).ok());
    REQUIRE(unmap(w.init, w.init_space, part.fields.address, 8).ok());
    REQUIRE(w.init.release(memory) == Status::ok);
    w.check();
    CHECK(w.inspect.totals() == before);
}

TEST_CASE("without a contiguous block large memory comes in single pages") {
    World::Options options{.machine = {.cpus = 2, .frames = 900, .first_frame = 512}};
    World w{options};
    Spawned s = w.spawn("process");
    const abi::CapId memory = w.make_memory(512);
    REQUIRE(map(w.init, s.space, memory, 512, kRead | kWrite, 0x4000'0000).ok());
    w.machine.kernel().frames().fail_allocation(1);
    REQUIRE(s.user.store(0x4000'0000 + 5 * kPageBytes, 5));
    CHECK(s.object->space->table.lookup(kernel::VirtualAddress{0x4000'0000 + 5 * kPageBytes})->page_bytes == kPageBytes);
    CHECK(reads(s.user, 0x4000'0000 + 5 * kPageBytes, 5));
    w.check();
}

// --- waiting for words of memory ---

TEST_CASE("waiters of a word are woken in order, whatever they call it") {
    Threads t;
    const abi::CapId memory = t.w.make_memory(2);
    REQUIRE(map(t.w.init, t.process.space, memory, 2, kRead | kWrite, kAt).ok());
    const auto other = map(t.w.init, t.w.init_space, memory, 1, kRead | kWrite, 0, kPageBytes);
    const u64 word = kAt + kPageBytes + 4;
    submit(t.first, entry::tagged(entry::wait(word, 0), 1));
    submit(t.second, entry::tagged(entry::wait(word, 0), 2));
    submit(t.first, entry::tagged(entry::wait(word, 0), 3), entry::tagged(entry::wait(word + 4, 0), 4));
    submit(t.first, entry::tagged(entry::wait(word, 1), 5));
    expect_done(t.first, 5, Status::ok);  // it holds something else
    submit(t.w.init, entry::wake(other.fields.address + 4, 2));
    expect_done(t.first, 1, Status::ok);
    expect_nothing(t.first);
    expect_done(t.second, 2, Status::ok);
    submit(t.w.init, entry::wake(other.fields.address + 4, 9));
    expect_done(t.first, 3, Status::ok);
    submit(t.first, entry::tagged(entry::cancel(4), 6));
    expect_done(t.first, 4, Status::cancelled);
    expect_done(t.first, 6, Status::ok);
    submit(t.first, entry::tagged(entry::wait(kAt + 2 * kPageBytes, 0), 7), entry::tagged(entry::wait(kAt + 2, 0), 8),
           entry::tagged(entry::wake(7, 1), 9));
    expect_done(t.first, 7, Status::bad_argument);
    expect_done(t.first, 8, Status::bad_argument);
    expect_done(t.first, 9, Status::bad_argument);
    t.w.check();
}

TEST_CASE("waiting for memory that goes away ends disconnected") {
    Threads t;
    const abi::CapId account = t.w.make_account(8, 2, 2);
    const auto memory = t.w.init.call<idl::Account::CreateMemory>(account, {.bytes = kPageBytes});
    REQUIRE(map(t.w.init, t.process.space, memory.capabilities[0], 1, kRead | kWrite, kAt).ok());
    submit(t.first, entry::tagged(entry::wait(kAt, 0), 1));
    REQUIRE(t.w.init.release(account) == Status::ok);
    t.w.drain();
    expect_done(t.first, 1, Status::disconnected);
    t.w.check();
}

TEST_CASE("no step holds the lock for long, however large what it works on is [R17]") {
    // In one step at most 32 pages are handled, each with two or three walks of at most four entries, and so many bytes copied.
    constexpr u64 kEntriesMax = 32 * 14, kBytesMax = 2 * abi::kMessageBytesMax;
    Threads t;
    constexpr u64 kPages = 700;
    const abi::CapId memory = t.w.make_memory(kPages);
    machine().worst = {};
    REQUIRE(map(t.w.init, t.process.space, memory, kPages, kRead | kWrite, kAt).ok());
    for (u64 page = 0; page < kPages; ++page) REQUIRE(t.first.store(kAt + page * kPageBytes, page));
    REQUIRE(protect(t.w.init, t.process.space, kAt, kPages, kRead).ok());
    REQUIRE(unmap(t.w.init, t.process.space, kAt, kPages).ok());
    CHECK(machine().worst.entries > 0);
    CHECK(machine().worst.entries <= kEntriesMax);
    CHECK(machine().worst.bytes <= kBytesMax);

    // The same where the memory goes from under its mapping, and with the process.
    REQUIRE(map(t.w.init, t.process.space, memory, kPages, kRead | kWrite, kAt).ok());
    for (u64 page = 0; page < kPages; ++page) REQUIRE(t.first.store(kAt + page * kPageBytes, page));
    REQUIRE(t.w.init.call<idl::Process::Kill>(t.process.process).ok());
    t.w.drain();
    CHECK(machine().worst.entries <= kEntriesMax);
    CHECK(machine().worst.bytes <= kBytesMax);
}
