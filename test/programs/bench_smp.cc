// How calls scale over CPUs: pairs of caller and server, each pair on a CPU of its own, with nothing in common but the
// kernel. On one CPU, under `-icount` with the kernel argument `profile`: how much of the time of a pair is under the kernel
// lock, which bounds what more CPUs can bring, and what kernel objects cost in memory. On several: throughput, and what it
// is relative to one pair.

#include <algorithm>

#include "support/echo.h"

namespace capos::test {

namespace {

using namespace runtime;

constexpr u64 kMillisecond = 1'000'000;
constexpr u32 kPairsMax = 4;
constexpr u32 kWork = 5'000;          // instructions
constexpr usize kRounds = 15;
constexpr u64 kWarmUpNs = 10 * kMillisecond, kMeasureNs = 60 * kMillisecond;
constexpr u64 kCounter = 0x3000'0000;  // in a caller: how many calls have returned
constexpr u32 kHeaderBytes = sizeof(abi::MessageHeader);

// Two instructions a turn.
void work(u64 instructions) {
    u64 turns = instructions / 2;
    asm volatile("1: dec %0; jnz 1b" : "+r"(turns));
}

// Calls for ever; its number is the work between two calls.
u64 call_for_ever(Environment& environment) {
    Ring& ring = environment.ring;
    auto& counter = *reinterpret_cast<volatile u64*>(kCounter);
    const auto reply = ring.reserve(kHeaderBytes);
    if (!reply) return 1;
    const auto call = echo_call(facet(environment, "server"), {}, *reply);
    const u64 instructions = number_of(environment);
    while (true) {
        (void)ring.push(call);
        (void)ring.enter(1);
        (void)ring.next();
        if (instructions != 0) work(instructions);
        counter = counter + 1;
    }
}

class Pair {
public:
    static Expected<Pair> create(World& world, const Image& image, u32 cpu, u64 instructions) {
        Echo server = TRY(Echo::create(world, image, EchoMode::ring, {.cpu = cpu}));
        const CapId memory = TRY(create_memory(world.caller, world.account, kPageBytes));
        const u64 counter = TRY(map(world.caller, world.space, memory, 0, kPageBytes, 0, kRead | kWrite));
        Child caller =
            TRY(Child::create(world, image, "caller", call_for_ever, {{"server", 0, server.facet}},
                              {.cpu = cpu, .number = instructions, .shared_memory = memory, .shared_address = kCounter}));
        return Pair{std::move(server), std::move(caller), memory, counter};
    }
    u64 calls() const { return *reinterpret_cast<const volatile u64*>(counter_); }
    void release(World& world) {
        caller_.release(world);
        server_.release(world);
        (void)unmap(world.caller, world.space, counter_, kPageBytes);
        test::release(world.caller, memory_);
    }

private:
    Pair(Echo&& server, Child&& caller, CapId memory, u64 counter)
        : server_{std::move(server)}, caller_{std::move(caller)}, memory_{memory}, counter_{counter} {}
    Echo server_;
    Child caller_;
    CapId memory_;
    u64 counter_;
};

class Bench {
public:
    Bench(World& world, const Image& image) : world_{world}, image_{image} {}

    // Calls in a second by that many pairs at once. 0: they cannot be made.
    u64 throughput(u32 pairs, u64 instructions) {
        std::optional<Pair> running[kPairsMax];
        for (u32 i = 0; i < pairs; ++i) {
            auto pair = Pair::create(world_, image_, i, instructions);
            if (!pair) return 0;
            running[i].emplace(std::move(*pair));
        }
        const auto calls = [&] {
            u64 sum = 0;
            for (u32 i = 0; i < pairs; ++i) sum += running[i]->calls();
            return sum;
        };
        world_.sleep(kWarmUpNs);
        (void)world_.caller.call<idl::Profile::ResetLock>(world_.profile);
        const u64 begin = world_.now(), calls_at_begin = calls();
        world_.sleep(kMeasureNs);
        const u64 ns = world_.now() - begin, done = calls() - calls_at_begin;
        if (const auto reply = world_.caller.call<idl::Profile::Lock>(world_.profile)) holds_ = reply->fields;
        for (u32 i = 0; i < pairs; ++i) running[i]->release(world_);
        return ns == 0 ? 0 : done * 1'000 * kMillisecond / ns;
    }

    // Of the run before.
    const idl::Profile::Lock::Results& holds() const { return holds_; }

private:
    World& world_;
    const Image& image_;
    idl::Profile::Lock::Results holds_{};
};

void say_one(World& world, std::string_view name, u64 value, u64 runs, std::string_view unit) {
    world.say("BENCH ", name, " ", value, " ", value, " ", runs, " ", unit);
}

// The best of some rounds, each with all numbers of pairs: what else the host does can only slow a round down.
void report_scaling(World& world, Bench& bench, std::string_view name, u64 instructions) {
    constexpr u32 kPairs[] = {1, 2, kPairsMax};
    u64 best[std::size(kPairs)]{};
    for (usize round = 0; round < kRounds; ++round) {
        for (usize i = 0; i < std::size(kPairs); ++i) best[i] = std::max(best[i], bench.throughput(kPairs[i], instructions));
    }
    if (best[0] == 0) return world.say("BENCH ", name, " was not measured");
    say_one(world, TextBuffer<40>{name, "_1"}.view(), best[0], kRounds, "calls/s");
    for (usize i = 1; i < std::size(kPairs); ++i) {
        say_one(world, TextBuffer<40>{name, "_", kPairs[i]}.view(), best[i] * 100 / best[0], kRounds, "percent");
    }
}

// With one pair, the CPU is never idle: what is held of its time, others would wait for.
void report_lock(World& world, Bench& bench) {
    (void)bench.throughput(1, 0);
    const auto& holds = bench.holds();
    if (holds.held_ticks == 0) return world.say("BENCH: the kernel argument `profile` is missing");
    say_one(world, "lock.held_share", holds.held_ticks * 100 / holds.elapsed_ticks, holds.holds, "percent");
    say_one(world, "smp.bound", holds.elapsed_ticks * 100 / holds.held_ticks, holds.holds, "percent");
    say_one(world, "lock.mean_hold", holds.held_ticks / holds.holds, holds.holds, "instructions");
}

void report_sizes(World& world) {
    const auto sizes = world.caller.call<idl::Profile::Sizes>(world.profile);
    if (!sizes) return;
    say_one(world, "memory.process", sizes->fields.process, 1, "bytes");
    say_one(world, "memory.thread", sizes->fields.thread, 1, "bytes");
    say_one(world, "memory.endpoint", sizes->fields.endpoint, 1, "bytes");
    say_one(world, "memory.capability", sizes->fields.node + sizes->fields.slot, 1, "bytes");
}

}  // namespace

void test_main(World& world) {
    const auto image = Image::create(world);
    if (!image) return world.say("BENCH: no image: ", image.error());
    Bench bench{world, *image};
    if (world.cpus() < kPairsMax) {
        report_lock(world, bench);
        report_sizes(world);
    } else {
        report_scaling(world, bench, "smp.pairs", 0);
        report_scaling(world, bench, "smp.work5000", kWork);
    }
}

}  // namespace capos::test
