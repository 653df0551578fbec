// A serial driver in a process of its own: it claims the first serial port and its interrupt, prints and reads by interrupts
// while the kernel keeps silent there, and dies. Then the kernel prints again, and the next driver finds everything free.
//
// Registers: PC16550D data sheet, §8. The scenario types at the drivers' prompts, and looks at what they print.

#include <atomic>

#include "support/child.h"

namespace capos::test {

namespace {

using namespace runtime;

constexpr u32 kComPorts = 0x3f8, kComCount = 8;
constexpr u8 kComInterrupt = 4;  // ISA
constexpr u64 kSecond = 1'000'000'000;
constexpr u64 kPatience = 30 * kSecond, kPause = 5'000'000;
constexpr u64 kSignal = 1;       // user data of the RECEIVE
constexpr u64 kShared = 0x3000'0000;
constexpr u32 kLinesPrinted = 8;

enum Register : u32 { kData = 0, kInterruptEnable = 1, kInterruptId = 2, kFifoControl = 2, kModemControl = 4, kLineStatus = 5 };
constexpr u8 kEnableReceived = 1, kEnableTransmitter = 2;
constexpr u8 kNothingPending = 1, kIdMask = 0x0e, kTransmitterEmpty = 0x02;
constexpr u8 kFifoOnAndEmpty = 0x07, kDtrRtsOut2 = 0x0b;  // OUT2 lets the interrupt out of the chip
constexpr u8 kDataReady = 1;
constexpr usize kFifoBytes = 16;

// What a driver reports, in memory that it shares with the test.
struct Report {
    std::atomic<u32> stage;  // 0 it starts, 1 it holds the port, 2 it is done, 3 it has given up
    std::atomic<u32> leave;  // the test wants its end
    Status failure;
    u32 transmit_interrupts, receive_interrupts, signals, bytes_printed, heard;
    char line[64];
};
Report& report() { return *reinterpret_cast<Report*>(kShared); }

class Uart {
public:
    Uart(Environment& environment, CapId ports, CapId interrupt)
        : ring_{environment.ring},
          caller_{environment.caller},
          clock_{capability<idl::Clock>(environment, "clock")},
          ports_{ports},
          interrupt_{interrupt} {}

    Expected<void> start() {
        TRY(write(kInterruptEnable, 0));
        TRY(write(kFifoControl, kFifoOnAndEmpty));
        TRY(write(kModemControl, kDtrRtsOut2));
        if (!ring_.push(entry::tagged(entry::receive_signals(interrupt_), kSignal))) return fail(Status::overloaded);
        return write(kInterruptEnable, kEnableReceived);
    }

    // All of it has left for the chip when this returns.
    Expected<void> print(std::string_view text) {
        out_ = text;
        report().bytes_printed += static_cast<u32>(text.size());
        TRY(write(kInterruptEnable, kEnableReceived | kEnableTransmitter));
        while (!out_.empty()) TRY(serve_one());
        return write(kInterruptEnable, kEnableReceived);
    }

    Expected<void> read_line() {
        while (report().heard == 0 || report().line[report().heard - 1] != '\n') TRY(serve_one());
        return done;
    }

private:
    Expected<void> write(Register at, u8 value) {
        TRY(caller_.call<idl::IoPorts::Write>(ports_, {.offset = at, .width = 1, .value = value}));
        return done;
    }

    Expected<void> serve_one() {
        TRY(wait_for_signal());
        ++report().signals;
        // The line signals by edges: until the chip has nothing left to say there will be no other.
        while (true) {
            const u32 id = TRY(caller_.call<idl::IoPorts::Read>(ports_, {.offset = kInterruptId, .width = 1})).fields.value;
            if ((id & kNothingPending) != 0) break;
            if ((id & kIdMask) == kTransmitterEmpty) {
                TRY(fill());
            } else {
                TRY(drain());
            }
        }
        TRY(caller_.call<idl::Interrupt::Acknowledge>(interrupt_));
        return done;
    }

    Expected<void> fill() {
        ++report().transmit_interrupts;
        const std::string_view part = out_.substr(0, kFifoBytes);
        out_.remove_prefix(part.size());
        TRY(caller_.call<idl::IoPorts::WriteBytes>(ports_, {.offset = kData, .data = std::as_bytes(std::span{part})}));
        return done;
    }

    Expected<void> drain() {
        ++report().receive_interrupts;
        const auto got = TRY(caller_.call<idl::IoPorts::ReadWhile>(
            ports_, {.offset = kData, .limit = kFifoBytes, .status = kLineStatus, .mask = kDataReady, .wanted = kDataReady}));
        for (const std::byte byte : got.fields.data) {
            if (report().heard < sizeof report().line) report().line[report().heard++] = static_cast<char>(byte);
        }
        return done;
    }

    Expected<void> wait_for_signal() {
        const u64 deadline = now(caller_, clock_).value_or(0) + kPatience;
        while (true) {
            while (const auto completion = ring_.next()) {
                if (completion->user_data != kSignal) continue;
                if (completion->kind == static_cast<u8>(abi::CompletionKind::signal)) return done;
                return fail(static_cast<Status>(completion->status));
            }
            if (ring_.enter(1, deadline) == Status::timed_out) return fail(Status::timed_out);
        }
    }

    Ring& ring_;
    Caller& caller_;
    CapId clock_, ports_, interrupt_;
    std::string_view out_;
};

Expected<void> drive(Environment& environment) {
    Caller& caller = environment.caller;
    const auto range = TRY(caller.call<idl::IoPortSpace::Range>(capability<idl::IoPortSpace>(environment, "ports"),
                                                                {.first = kComPorts, .count = kComCount}));
    const auto line = TRY(caller.call<idl::InterruptSpace::IsaLine>(
        capability<idl::InterruptSpace>(environment, "interrupts"), {.number = kComInterrupt}));
    Uart uart{environment, range.capability(range.fields.ports), line.capability(line.fields.interrupt)};
    TRY(uart.start());
    report().stage.store(1, std::memory_order_release);
    const u64 number = number_of(environment);
    for (u32 i = 1; i <= kLinesPrinted; ++i) {
        const TextBuffer<100> text{"driver ", number, ": line ", i, " is longer than the chip's queue of sixteen.\r\n"};
        TRY(uart.print(text.view()));
    }
    TRY(uart.print(TextBuffer<40>{"driver ", number, " listens> "}.view()));
    TRY(uart.read_line());
    const std::string_view heard{report().line, report().heard - 1};
    return uart.print(TextBuffer<120>{"driver ", number, " has heard '", heard, "'\r\n"}.view());
}

u64 driver(Environment& environment) {
    const auto driven = drive(environment);
    if (!driven) report().failure = driven.error();
    report().stage.store(driven ? 2 : 3, std::memory_order_release);
    const CapId clock = capability<idl::Clock>(environment, "clock");
    while (report().leave.load(std::memory_order_acquire) == 0) {
        (void)environment.ring.enter(1, now(environment.caller, clock).value_or(0) + kPause);
    }
    asm volatile("ud2");
    return 0;
}

// True when the driver has come as far as that, without an error.
bool reaches(World& world, u32 stage) {
    const u64 deadline = world.now() + 2 * kPatience;
    while (report().stage.load(std::memory_order_acquire) < stage && world.now() < deadline) world.sleep(kPause);
    const u32 now = report().stage.load(std::memory_order_acquire);
    return now >= stage && now != 3;
}

void check_driver(World& world, const Image& image, u64 number, CapId ports, CapId interrupts) {
    const auto memory = create_memory(world.caller, world.account, kPageBytes);
    if (!memory || !map(world.caller, world.space, *memory, 0, kPageBytes, kShared, kRead | kWrite)) {
        return world.say("no memory");
    }
    auto child = Child::create(world, image, "driver", driver,
                               {{"clock", idl::Clock::kInterfaceId, world.clock},
                                {"ports", idl::IoPortSpace::kInterfaceId, ports},
                                {"interrupts", idl::InterruptSpace::kInterfaceId, interrupts}},
                               {.number = number, .shared_memory = *memory, .shared_address = kShared});
    if (!child) return world.say("no child: ", child.error());
    const bool started = reaches(world, 1);
    world.say("MUST NOT APPEAR");
    const auto second = world.caller.call<idl::IoPortSpace::Range>(ports, {.first = kComPorts + 7, .count = 1});
    const auto line = world.caller.call<idl::InterruptSpace::IsaLine>(interrupts, {.number = kComInterrupt});
    const bool finished = reaches(world, 2);
    world.say("MUST NOT APPEAR");
    // One dies by a fault, the other is killed.
    if (number == 1) report().leave.store(1, std::memory_order_release);
    else (void)kill(world.caller, child->process);
    const bool ended = child->wait_for_end(world);

    const Report& r = report();
    const u32 stage = r.stage.load(std::memory_order_acquire);
    const auto say = [&](std::string_view what, bool good) {
        world.check(TextBuffer<80>{"driver ", number, " ", what}.view(), good, "stage ", stage, ", failure ", r.failure, "; ",
                    r.signals, " signals, ", r.transmit_interrupts, " to transmit, ", r.receive_interrupts, " to receive; ",
                    r.bytes_printed, " bytes printed, ", r.heard, " heard");
    };
    say("claims the port and its interrupt", started);
    world.check_error(TextBuffer<80>{"driver ", number, " alone has the port"}.view(), second, Status::exists);
    world.check_error(TextBuffer<80>{"driver ", number, " alone has the interrupt"}.view(), line, Status::exists);
    say("prints and hears", finished);
    say("is asked by the chip for each queue full", r.transmit_interrupts >= r.bytes_printed / kFifoBytes);
    say("is told of what is typed", r.receive_interrupts != 0 && std::string_view{r.line, r.heard} == "hello uart\n");
    say("ends", ended);
    child->release(world);
    (void)unmap(world.caller, world.space, kShared, kPageBytes);
    release(world.caller, *memory);
}

}  // namespace

void test_main(World& world) {
    const auto image = Image::create(world);
    if (!image) return world.say("no image: ", image.error());
    const CapId ports = world.ports, interrupts = world.interrupts;
    const auto before = usage(world.caller, world.account);
    for (u64 number = 1; number <= 2; ++number) check_driver(world, *image, number, ports, interrupts);
    world.check("everything comes back", before && world.charges_return_to(*before));

    world.check_error("the kernel keeps the interrupt controller",
                      world.caller.call<idl::IoPortSpace::Range>(ports, {.first = 0x20, .count = 1}), Status::not_permitted);
    world.check_error("the kernel keeps PCI configuration",
                      world.caller.call<idl::IoPortSpace::Range>(ports, {.first = 0xcfc, .count = 4}), Status::not_permitted);
    world.check_error("a line that the machine lacks is refused",
                      world.caller.call<idl::InterruptSpace::Line>(interrupts, {.line = 5000}), Status::bad_argument);
}

}  // namespace capos::test
