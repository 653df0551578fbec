// I/O ports and interrupts: who may claim what, what a claim reaches, what the kernel's console does meanwhile, and when an
// interrupt is signalled and its line masked.
#include "sim/pair.h"

using namespace capos;
using namespace capos::sim;
namespace entry = capos::runtime::entry;

namespace {

constexpr u32 kLine = 4;

struct Driver {
    World w;
    Spawned driver = w.spawn("driver");
    const User& user = driver.user;
    abi::CapId ports = w.grant(driver, w.ports), interrupts = w.grant(driver, w.interrupts);

    Reply<idl::IoPortSpace::Range::Results> claim(u32 first, u32 count) {
        return user.call<idl::IoPortSpace::Range>(ports, {.first = first, .count = count});
    }
    abi::CapId claimed(u32 first, u32 count) {
        const auto made = claim(first, count);
        REQUIRE(made.ok());
        return made.capabilities[0];
    }
    Status line_status(u32 line) {
        return user.call<idl::InterruptSpace::Line>(interrupts, {.line = line, .level = false, .low = false}).status;
    }
    abi::CapId line(bool level) {
        const auto made = user.call<idl::InterruptSpace::Line>(interrupts, {.line = kLine, .level = level, .low = level});
        REQUIRE(made.ok());
        return made.capabilities[0];
    }
    // Returns how many signals follow.
    u32 acknowledge(abi::CapId interrupt) {
        user.push(entry::tagged(user.make_call<idl::Interrupt::Acknowledge>(interrupt, {}), 99));
        REQUIRE(user.enter(1));
        u32 signals = 0, acknowledged = 0;
        while (const auto c = user.pop()) {
            if (c->user_data == 99) acknowledged += c->status == 0 ? 1 : 0;
            else signals += c->kind == static_cast<u8>(abi::CompletionKind::signal) ? 1 : 0;
        }
        REQUIRE(acknowledged == 1);
        return signals;
    }
    void raise() {
        w.machine.raise(kLine);
        w.machine.settle();
        w.inspect.check();
    }
    void lower() { w.machine.lower(kLine); }
    bool masked() { return w.machine.line(kLine).masked; }
    void expect_signal() { expect_event(user, abi::CompletionKind::signal, 1); }
};

}  // namespace

TEST_CASE("I/O ports are claimed once, within the machine, and never those that the kernel keeps") {
    Driver d;
    CHECK(d.claim(0x3f0, 0).status == Status::bad_argument);
    CHECK(d.claim(65536, 1).status == Status::bad_argument);
    CHECK(d.claim(65535, 2).status == Status::bad_argument);
    CHECK(d.claim(1, ~u32{0}).status == Status::bad_argument);
    CHECK(d.claim(0x21, 1).status == Status::not_permitted);
    CHECK(d.claim(0, 65536).status == Status::not_permitted);
    CHECK(d.claim(0xcf0, 9).status == Status::not_permitted);
    const abi::CapId held = d.claimed(0xcf0, 8);
    CHECK(d.claim(0xcef, 2).status == Status::exists);
    CHECK(d.claim(0xcf7, 1).status == Status::exists);
    CHECK(d.claim(0x100, 0xbf8).status == Status::exists);
    CHECK(d.claim(65535, 1).ok());
    CHECK(d.claim(0xcef, 1).ok());
    const auto extent = d.user.call<idl::IoPorts::Extent>(held);
    REQUIRE(extent.ok());
    CHECK(extent.fields.first == 0xcf0);
    CHECK(extent.fields.count == 8);
    d.w.check();
}

TEST_CASE("ports are free again in the moment in which the last capability to their claim goes") {
    Driver d;
    const abi::CapId first = d.claimed(0x300, 4), second = d.claimed(0x304, 4), third = d.claimed(0x308, 4);
    d.user.push(entry::release(first));
    d.user.push(entry::release(third));
    // In one batch with its end: the reaper has not come to it. What lives is left alone.
    d.user.push(d.user.make_call<idl::IoPortSpace::Range>(d.ports, {.first = 0x300, .count = 16}));
    REQUIRE(d.user.enter(3)->consumed() == 3);
    expect_done(d.user, 0, Status::exists);
    d.user.push(entry::release(second));
    d.user.push(d.user.make_call<idl::IoPortSpace::Range>(d.ports, {.first = 0x300, .count = 16}));
    REQUIRE(d.user.enter(2)->consumed() == 2);
    expect_done(d.user, 0, Status::ok);
    d.w.check();
}

TEST_CASE("an access reaches its own range only, in the width asked for") {
    Driver d;
    const abi::CapId ports = d.claimed(0x300, 6);
    const User& u = d.user;
    d.w.machine.accesses.clear();
    for (const u8 width : {u8{0}, u8{3}, u8{5}, u8{8}, u8{255}}) {
        CHECK(u.call<idl::IoPorts::Read>(ports, {.offset = 0, .width = width}).status == Status::bad_argument);
        CHECK(u.call<idl::IoPorts::Write>(ports, {.offset = 0, .width = width, .value = 0}).status == Status::bad_argument);
    }
    CHECK(u.call<idl::IoPorts::Read>(ports, {.offset = 6, .width = 1}).status == Status::bad_argument);
    CHECK(u.call<idl::IoPorts::Read>(ports, {.offset = 5, .width = 2}).status == Status::bad_argument);
    CHECK(u.call<idl::IoPorts::Read>(ports, {.offset = 3, .width = 4}).status == Status::bad_argument);
    CHECK(u.call<idl::IoPorts::Read>(ports, {.offset = ~u32{0}, .width = 2}).status == Status::bad_argument);
    CHECK(u.call<idl::IoPorts::Write>(ports, {.offset = 6, .width = 1, .value = 0}).status == Status::bad_argument);
    CHECK(u.call<idl::IoPorts::Write>(ports, {.offset = 0, .width = 1, .value = 0x100}).status == Status::bad_argument);
    CHECK(u.call<idl::IoPorts::Write>(ports, {.offset = 0, .width = 2, .value = 0x10000}).status == Status::bad_argument);
    CHECK(d.w.machine.accesses.empty());

    d.w.machine.on_port_read = [](u16 port) { return u32{0x1000} + port; };
    const auto read = u.call<idl::IoPorts::Read>(ports, {.offset = 2, .width = 4});
    REQUIRE(read.ok());
    CHECK(read.fields.value == 0x1302);
    CHECK(u.call<idl::IoPorts::Write>(ports, {.offset = 5, .width = 1, .value = 0xff}).ok());
    CHECK(u.call<idl::IoPorts::Write>(ports, {.offset = 0, .width = 4, .value = ~u32{0}}).ok());
    CHECK(d.w.machine.accesses == std::vector<PortAccess>{
                                      {false, 0x302, 4, 0x1302}, {true, 0x305, 1, 0xff}, {true, 0x300, 4, ~u32{0}}});
    d.w.check();
}

TEST_CASE("bytes go to one port in order, and come from one port as long as its status says so") {
    Driver d;
    const abi::CapId ports = d.claimed(0x3f8, 8);
    const User& u = d.user;
    std::byte data[17];
    for (u8 i = 0; i < 17; ++i) data[i] = std::byte{i};
    d.w.machine.accesses.clear();
    CHECK(u.call<idl::IoPorts::WriteBytes>(ports, {.offset = 0, .data = data}).status == Status::bad_argument);
    CHECK(u.call<idl::IoPorts::WriteBytes>(ports, {.offset = 8, .data = std::span{data}.first(1)}).status ==
          Status::bad_argument);
    CHECK(d.w.machine.accesses.empty());
    REQUIRE(u.call<idl::IoPorts::WriteBytes>(ports, {.offset = 1, .data = std::span{data}.first(16)}).ok());
    REQUIRE(d.w.machine.accesses.size() == 16);
    for (u32 i = 0; i < 16; ++i) CHECK(d.w.machine.accesses[i] == PortAccess{true, 0x3f9, 1, i});

    using ReadWhile = idl::IoPorts::ReadWhile;
    const auto bad = [&](const ReadWhile::Params& params) {
        CHECK(u.call<ReadWhile>(ports, params).status == Status::bad_argument);
    };
    d.w.machine.accesses.clear();
    bad({.offset = 0, .limit = 17, .status = 5, .mask = 1, .wanted = 1});
    bad({.offset = 8, .limit = 1, .status = 5, .mask = 1, .wanted = 1});
    bad({.offset = 0, .limit = 1, .status = 8, .mask = 1, .wanted = 1});
    bad({.offset = 0, .limit = 1, .status = 5, .mask = 1, .wanted = 3});
    CHECK(d.w.machine.accesses.empty());
    u32 available = 3;
    d.w.machine.on_port_read = [&](u16 port) -> u32 {
        if (port == 0x3fd) return available > 0 ? (available == 2 ? 3 : 1) : 0x60;
        return 'a' + 3 - available--;
    };
    const ReadWhile::Params params{.offset = 0, .limit = 16, .status = 5, .mask = 1, .wanted = 1};
    const auto some = u.call<ReadWhile>(ports, params);
    REQUIRE(some.ok());
    CHECK(text_of(some.fields.data) == "abc");
    CHECK(some.fields.seen == 0x63);
    available = 20;
    const auto many = u.call<ReadWhile>(ports, params);
    REQUIRE(many.ok());
    CHECK(many.fields.data.size() == 16);
    CHECK(available == 4);
    d.w.check();
}

TEST_CASE("the kernel's console is silent while its ports are claimed, and prints again when the claimer has died") {
    Driver d;
    kernel::LogSettings& log = d.w.machine.log;
    const auto says = [&](std::string_view text) {
        const usize before = d.w.machine.console.size();
        REQUIRE(d.w.init.call<idl::KernelLog::Write>(d.w.kernel_log, {.level = 2, .text = text}).ok());
        return d.w.machine.console.find(text, before) != std::string::npos;
    };
    CHECK(says("before"));
    const abi::CapId neighbour = d.claimed(0x3f0, 8);
    CHECK(says("beside"));
    const abi::CapId low = d.claimed(0x3f8, 2), high = d.claimed(0x3fa, 6);
    CHECK_FALSE(says("silent"));
    CHECK(log.buffer.written() > d.w.machine.console.size());  // nothing is lost
    CHECK(d.user.release(low) == Status::ok);
    d.w.drain();
    CHECK_FALSE(says("still silent"));
    CHECK(d.user.release(neighbour) == Status::ok);
    (void)high;
    CHECK(d.w.machine.console_resets == 0);
    REQUIRE(d.w.init.call<idl::Process::Kill>(d.driver.process).ok());
    d.w.drain();
    CHECK(d.w.machine.console_resets == 1);
    CHECK(says("again"));
    d.w.check();
}

TEST_CASE("the first process that dies with the console in its hands is seen to die") {
    World w;
    REQUIRE(w.init.call<idl::IoPortSpace::Range>(w.ports, {.first = 0x3f8, .count = 8}).ok());
    CHECK_FALSE(w.machine.log.to_console);
    w.machine.fault(*w.init.where(), {.vector = 6, .error_code = 0, .address = 0});
    w.machine.settle();
    CHECK(w.machine.console_resets == 1);
    CHECK(w.machine.console.find("init (1) ended by fault 6") != std::string::npos);
    CHECK(w.machine.console.find("the machine restarts") != std::string::npos);
}

TEST_CASE("a line is claimed once, if the machine has it, and ISA interrupts are found where firmware says") {
    Driver d;
    CHECK(d.line_status(Machine::kLines) == Status::bad_argument);
    CHECK(d.line_status(~u32{0}) == Status::bad_argument);
    CHECK(d.line_status(5) == Status::ok);
    CHECK(d.line_status(5) == Status::exists);
    const auto isa = [&](u8 number) {
        return d.user.call<idl::InterruptSpace::IsaLine>(d.interrupts, {.number = number}).status;
    };
    CHECK(isa(16) == Status::bad_argument);
    CHECK(isa(5) == Status::exists);
    CHECK(isa(0) == Status::ok);
    CHECK(d.line_status(2) == Status::exists);
    CHECK(isa(9) == Status::ok);
    CHECK(d.w.machine.line(9).level);
    CHECK(d.w.machine.line(9).low);
    CHECK_FALSE(d.w.machine.line(2).level);
    CHECK_FALSE(d.w.machine.line(2).low);
    d.w.check();
}

TEST_CASE("an interrupt by level is signalled once, and masked until it is acknowledged", "[R16]") {
    Driver d;
    const abi::CapId interrupt = d.line(true);
    submit(d.user, entry::receive_signals(interrupt));
    CHECK_FALSE(d.masked());
    d.raise();
    CHECK(d.masked());
    d.expect_signal();
    d.raise();
    expect_nothing(d.user);
    CHECK(d.acknowledge(interrupt) == 1);  // without having served the device
    CHECK(d.masked());
    d.lower();
    CHECK(d.acknowledge(interrupt) == 0);
    CHECK_FALSE(d.masked());
    CHECK(d.acknowledge(interrupt) == 0);
    CHECK_FALSE(d.masked());
    d.w.check();
}

TEST_CASE("an interrupt by edges that comes while one is unacknowledged is remembered, and only one of them", "[R16]") {
    Driver d;
    const abi::CapId interrupt = d.line(false);
    submit(d.user, entry::receive_signals(interrupt));
    d.raise();
    d.expect_signal();
    CHECK_FALSE(d.masked());
    d.raise();
    CHECK(d.masked());  // nothing new can come
    d.raise();
    expect_nothing(d.user);
    CHECK(d.acknowledge(interrupt) == 1);
    CHECK_FALSE(d.masked());
    CHECK(d.acknowledge(interrupt) == 0);
    d.raise();
    d.expect_signal();
    d.w.check();
}

TEST_CASE("an interrupt that nobody receives waits, and its line costs nothing meanwhile") {
    for (const bool level : {false, true}) {
        Driver d;
        const abi::CapId interrupt = d.line(level);
        d.raise();
        CHECK(d.masked());
        d.raise();
        expect_nothing(d.user);
        submit(d.user, entry::receive_signals(interrupt));
        d.expect_signal();
        expect_nothing(d.user);
        CHECK(d.masked() == level);
        d.w.check();
    }
}

TEST_CASE("an interrupt that finds the receiver's queue full is signalled when there is room") {
    Driver d;
    const abi::CapId interrupt = d.line(true), notification = d.w.grant(d.driver, d.w.make_notification());
    submit(d.user, entry::receive_signals(interrupt));
    while (d.user.thread().ring.free_slots() != 0) submit(d.user, entry::nop());
    d.raise();
    while (d.user.unread() > 1) (void)d.user.pop();
    REQUIRE(d.user.enter(0));
    (void)d.user.pop();
    d.expect_signal();
    (void)notification;
    d.w.check();
}

TEST_CASE("a line is masked when its claim ends, and can be claimed again at once") {
    for (const bool level : {false, true}) {
        Driver d;
        const abi::CapId interrupt = d.line(level);
        submit(d.user, entry::tagged(entry::receive_signals(interrupt), 7));
        d.raise();
        d.expect_signal();
        // An interrupt is on its way while the claim ends: it is nobody's.
        if (!level) d.w.machine.raise(kLine);
        d.user.push(entry::cancel(7));
        d.user.push(entry::release(interrupt));
        d.user.push(d.user.make_call<idl::InterruptSpace::Line>(d.interrupts, {.line = kLine, .level = level, .low = false}));
        REQUIRE(d.user.enter(3)->consumed() == 3);
        expect_done(d.user, 7, Status::cancelled);
        expect_done(d.user, 0, Status::ok);  // of the CANCEL
        const auto claimed = d.user.pop();
        REQUIRE(claimed);
        const auto again = d.user.reply_of<idl::InterruptSpace::Line>(*claimed);
        REQUIRE(again.ok());
        d.w.check();
        CHECK(d.user.release(again.capabilities[0]) == Status::ok);
        d.w.check();
        CHECK(d.masked());
        d.raise();
        CHECK(d.masked());
    }
}

TEST_CASE("the driver's death masks its line, whatever state its interrupt is in") {
    for (const int raised : {0, 1, 2}) {
        Driver d;
        const abi::CapId interrupt = d.line(false);
        submit(d.user, entry::receive_signals(interrupt));
        for (int i = 0; i < raised; ++i) d.raise();
        REQUIRE(d.w.init.call<idl::Process::Kill>(d.driver.process).ok());
        d.w.check();
        CHECK(d.masked());
        CHECK(d.w.init.call<idl::InterruptSpace::Line>(d.w.interrupts, {.line = kLine}).ok());
        d.w.check();
    }
}

TEST_CASE("an interrupt wakes the thread that waits for it, on another CPU too") {
    Driver d;
    const abi::CapId interrupt = d.line(true);
    d.user.push(entry::receive_signals(interrupt));
    REQUIRE_FALSE(d.user.enter(1, 1));
    d.raise();
    REQUIRE(d.user.running());
    d.expect_signal();
    d.w.check();
}
