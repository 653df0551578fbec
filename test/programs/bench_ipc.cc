// What the kernel's operations cost, in guest instructions: from the user's side, the handling of its ring included. Run on one
// CPU under `-icount shift=0`; client and server are in different address spaces, with equal priorities.

#include "support/echo.h"
#include "support/measure.h"

namespace capos::test {

namespace {

using namespace runtime;

constexpr usize kRuns = 500;
constexpr usize kWarmUp = 20;
constexpr u32 kHeaderBytes = sizeof(abi::MessageHeader);
constexpr u8 kPriority = 20;

class Bench {
public:
    Bench(World& world, const Image& image) : world_{world}, ring_{world.ring}, image_{image} {
        Samples samples;
        for (usize i = 0; i < kRuns; ++i) {
            const u64 begin = ticks();
            samples.add(ticks() - begin);
        }
        overhead_ = samples.least();
        (void)world_.caller.call<idl::Profile::ResetLock>(world_.profile);  // making the first process is one long hold
    }

    void run() {
        enter();
        nop();
        object_call();
        calls();
        wake();
        map();
        fault();
        interrupt();
        thread();
        process();
        lock();
    }

private:
    // With the kernel argument `profile`, which makes what is measured a little slower, it also says how long the kernel
    // lock was held at the worst, making and ending what was needed included. Only this line itself does not count: writing
    // to the console is slow, and the lock is held.
    void report(Samples& samples, std::string_view name, u64 overhead, u64 divisor = 1) {
        const auto lock = world_.caller.call<idl::Profile::Lock>(world_.profile);
        const auto holds = lock ? lock->fields : idl::Profile::Lock::Results{};
        samples.report(world_, name, overhead, divisor);
        if (holds.holds != 0) world_.say("longest hold of the lock up to here: ", holds.worst_ticks, " instructions");
        worst_hold_ = std::max(worst_hold_, holds.worst_ticks);
        holds_ += holds.holds;
        (void)world_.caller.call<idl::Profile::ResetLock>(world_.profile);
    }

    void lock() {
        if (holds_ == 0) return;
        world_.say("BENCH lock.worst_hold ", worst_hold_, " ", worst_hold_, " ", holds_, " instructions");
    }

    // Measures `operation`, which does `divisor` operations at once.
    template <typename Operation>
    void measure(std::string_view name, Operation&& operation, u64 divisor = 1, usize runs = kRuns) {
        Samples samples;
        for (usize i = 0; i < kWarmUp; ++i) operation();
        for (usize i = 0; i < runs; ++i) {
            const u64 begin = ticks();
            operation();
            samples.add(ticks() - begin);
        }
        report(samples, name, overhead_, divisor);
    }

    void enter() {
        measure("ipc.enter", [&] { (void)ring_.enter(); });
    }

    void nop() {
        measure("ipc.nop", [&] {
            (void)ring_.push(entry::nop());
            (void)ring_.enter(1);
            (void)ring_.next();
        });
        constexpr u32 kBatch = 32;
        measure("ipc.nop_batch32", [&] {
            for (u32 i = 0; i < kBatch; ++i) (void)ring_.push(entry::nop());
            (void)ring_.enter(kBatch);
            while (ring_.next()) {
            }
        }, kBatch);
    }

    void object_call() {
        measure("ipc.object_call", [&] { (void)world_.caller.call<idl::Clock::Now>(world_.clock); });
    }

    void call(std::string_view name, const Echo& echo, u32 bytes) {
        const auto entry = echo_call(echo.facet, {params_.offset, bytes}, {reply_.offset, kHeaderBytes + bytes});
        measure(name, [&] {
            (void)ring_.push(entry);
            (void)ring_.enter(1);
            (void)ring_.next();
        });
    }

    void calls() {
        const auto params = ring_.reserve(kEchoMessageBytes), reply = ring_.reserve(kHeaderBytes + kEchoMessageBytes);
        auto by_ring = Echo::create(world_, image_, EchoMode::ring, {.priority = kPriority});
        auto by_registers = Echo::create(world_, image_, EchoMode::registers, {.priority = kPriority});
        if (!params || !reply || !by_ring || !by_registers) return world_.say("BENCH: no servers");
        params_ = *params;
        reply_ = *reply;
        call("ipc.call_64", *by_ring, 64);
        call("ipc.call_4096", *by_ring, kEchoMessageBytes);
        const auto small = echo_call(by_ring->facet, {params_.offset, 64}, {reply_.offset, kHeaderBytes + 64});
        constexpr u32 kBatch = 32;
        measure("ipc.call_batch32", [&] {
            for (u32 i = 0; i < kBatch; ++i) (void)ring_.push(small);
            (void)ring_.enter(kBatch);
            while (ring_.next()) {
            }
        }, kBatch);
        const auto fast = echo_call(by_registers->facet, {params_.offset, 64}, {reply_.offset, kHeaderBytes + 64});
        measure("ipc.call_64_registers", [&] { (void)ring_.call_in_registers(fast); });
        by_registers->release(world_);
        by_ring->release(world_);
    }

    // Signals back what it is signalled, until there is nothing to receive from.
    static u64 signal_back(Environment& environment) {
        Ring& ring = environment.ring;
        const CapId in = capability<idl::Notification>(environment, "in"),
                    out = capability<idl::Notification>(environment, "out");
        (void)ring.push(entry::receive_signals(in));
        while (true) {
            (void)ring.enter(1);
            const auto completion = ring.next();
            if (!completion || completion->kind != static_cast<u8>(abi::CompletionKind::signal)) return 0;
            (void)ring.push(entry::signal(out, 1));
        }
    }

    void wake() {
        const auto there = create_notification(world_.caller, world_.account);
        const auto back = create_notification(world_.caller, world_.account);
        if (!there || !back) return;
        auto child =
            Child::create(world_, image_, "signal", signal_back,
                          {{"in", idl::Notification::kInterfaceId, *there}, {"out", idl::Notification::kInterfaceId, *back}},
                          {.priority = kPriority});
        if (!child) return;
        (void)ring_.push(entry::tagged(entry::receive_signals(*back), kSignals));
        measure("ipc.wake_roundtrip", [&] {
            (void)ring_.push(entry::signal(*there, 1));
            (void)ring_.enter(1);
            (void)ring_.next();
        });
        (void)ring_.perform(entry::cancel(kSignals));
        while (ring_.next()) {
        }
        child->release(world_);
        release(world_.caller, *there);
        release(world_.caller, *back);
    }

    // A page that was touched before, so that its frame exists.
    void map() {
        constexpr u64 kAddress = 0x2000'0000;
        const auto memory = create_memory(world_.caller, world_.account, kPageBytes);
        if (!memory) return;
        const auto once = [&] {
            (void)test::map(world_.caller, world_.space, *memory, 0, kPageBytes, kAddress, kRead | kWrite);
            *reinterpret_cast<volatile u8*>(kAddress) = 1;
            (void)unmap(world_.caller, world_.space, kAddress, kPageBytes);
        };
        measure("mem.map_unmap", once);
        release(world_.caller, *memory);
    }

    void fault() {
        constexpr u64 kPages = 256;  // less than one large page
        const auto memory = create_memory(world_.caller, world_.account, kPages * kPageBytes);
        if (!memory) return;
        const auto address = test::map(world_.caller, world_.space, *memory, 0, kPages * kPageBytes, 0, kRead | kWrite);
        if (!address) return;
        Samples samples;
        for (u64 page = 0; page < kPages; ++page) {
            const u64 begin = ticks();
            *reinterpret_cast<volatile u8*>(*address + page * kPageBytes) = 1;
            samples.add(ticks() - begin);
        }
        report(samples, "mem.fault", overhead_);
        (void)unmap(world_.caller, world_.space, *address, kPages * kPageBytes);
        release(world_.caller, *memory);
    }

    static constexpr u64 kSharedAddress = 0x3000'0000;

    // Writes down, over and over, when it was last seen running.
    static u64 spin(Environment&) {
        auto* last = reinterpret_cast<volatile u64*>(kSharedAddress);
        while (true) *last = ticks();
    }

    // From the last instruction of whoever the timer's interrupt stops, to the thread that waits for the timer.
    void interrupt() {
        const auto shared = create_memory(world_.caller, world_.account, kPageBytes);
        if (!shared || !test::map(world_.caller, world_.space, *shared, 0, kPageBytes, kSharedAddress, kRead | kWrite)) return;
        auto child = Child::create(world_, image_, "spin", wait_and_spin, {}, {.priority = 1});
        if (!child || !test::map(world_.caller, child->space, *shared, 0, kPageBytes, kSharedAddress, kRead | kWrite)) return;
        const auto* last = reinterpret_cast<const volatile u64*>(kSharedAddress);
        Samples samples;
        for (usize i = 0; i < kWarmUp + kRuns; ++i) {
            (void)ring_.push(entry::timer(world_.now() + 50'000));
            (void)ring_.enter(1);
            const u64 end = ticks();
            (void)ring_.next();
            if (i >= kWarmUp) samples.add(end - *last);
        }
        report(samples, "irq.to_user", 0);
        child->release(world_);
        (void)unmap(world_.caller, world_.space, kSharedAddress, kPageBytes);
        release(world_.caller, *shared);
    }

    // The page comes after the start.
    static u64 wait_and_spin(Environment& environment) {
        (void)environment.ring.perform(entry::nop());
        return spin(environment);
    }

    static void end_at_once() { runtime::exit(0); }

    void thread() {
        constexpr u64 kStack = 0x4000'0000;
        const auto stack = create_memory(world_.caller, world_.account, kPageBytes);
        if (!stack || !test::map(world_.caller, world_.space, *stack, 0, kPageBytes, kStack, kRead | kWrite)) return;
        measure("proc.thread", [&] {
            const auto made = create_thread(world_.caller, world_.process, "thread", {.priority = kPriority});
            if (!made) return;
            (void)start_thread(world_.caller, made->thread, reinterpret_cast<u64>(&end_at_once), kStack + kPageBytes - 8, 0);
            (void)world_.caller.call<idl::Thread::Wait>(made->thread);
            release(world_.caller, made->thread);
        }, 1, kRuns / 5);
        (void)unmap(world_.caller, world_.space, kStack, kPageBytes);
        release(world_.caller, *stack);
    }

    void process() {
        measure("proc.process", [&] {
            const auto made = create_process(world_.caller, world_.account, "empty");
            if (!made) return;
            (void)kill(world_.caller, made->process);
            release(world_.caller, made->space);
            release(world_.caller, made->process);
        }, 1, kRuns / 5);
    }

    static constexpr u64 kSignals = 99;

    World& world_;
    Ring& ring_;
    const Image& image_;
    u64 overhead_{};
    u64 worst_hold_{};
    u64 holds_{};
    ArenaRange params_, reply_;
};

}  // namespace

void test_main(World& world) {
    const auto image = Image::create(world);
    if (!image) return world.say("BENCH: no image: ", image.error());
    (void)world.caller.call<idl::Thread::SetPriority>(world.thread, {.priority = kPriority});
    Bench{world, *image}.run();
}

}  // namespace capos::test
