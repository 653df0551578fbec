// bench-rpc - what typed calls and spawning cost in the running system, in guest instructions: generated stubs and coroutines
// on both sides, under init, on one CPU with `-icount shift=0`. Its first argument says what it is: nothing for the one that
// measures, `echo` for the server, `nothing` for a program that ends at once.
//
// Granted to the one that measures: `counter` (the server), `program` (this file), `supervisor`.
#include <cstdio>
#include <string>

#include "counter.h"
#include "idl/console.h"
#include "idl/supervisor.h"
#include "runtime/base/memory.h"
#include "runtime/program/server.h"
#include "runtime/ring/text.h"
#include "runtime/spawn/spawn.h"
#include "support/measure.h"

namespace capos::test {

namespace {

using idl::Counter;
using runtime::Call;
using runtime::Grants;
using runtime::Loop;
using runtime::Task;

constexpr int kWarmUp = 20, kRuns = 200, kSpawns = 50, kChain = 8;
constexpr u64 kChildFrames = 256;
constexpr u32 kChildObjects = 32, kChildNodes = 64;

// --- the server ---

class Counting final : public Counter::Server {
public:
    Task<Counter::Add::Answer> add(u64 value) override { co_return {.value = sum_ += value}; }
    Task<Counter::Wait::Answer> wait(u64 ns) override { co_return {.value = ns}; }
    Task<Counter::Child::Answer> child() override {
        auto made = std::make_unique<Counting>();
        made->service = service;
        co_return {.counter = co_await service->offer(std::move(made))};
    }
    runtime::Service* service{};

private:
    u64 sum_{};
};

// --- the one that measures ---

struct Console {
    template <typename... Pieces>
    void say(const Pieces&... pieces) {
        const runtime::TextBuffer<160> line{pieces..., "\n"};
        std::fwrite(line.view().data(), 1, line.view().size(), stderr);
    }
} console;

Task<void> typed_call(const Counter::Client& counter) {
    Samples samples;
    for (int i = 0; i < kWarmUp; ++i) co_await counter.add(1);
    for (int i = 0; i < kRuns; ++i) {
        const u64 begin = ticks();
        co_await counter.add(1);
        samples.add(ticks() - begin);
    }
    samples.report(console, "rpc.typed_call", 0);
    co_return done;
}

// A chain of kChain calls, each of what the one before it returns; one wait.
Task<void> pipelined(const Counter::Client& counter) {
    Samples samples;
    for (int i = 0; i < kWarmUp + kRuns; ++i) {
        const u64 begin = ticks();
        std::vector<Call<Counter::Child>> calls;
        std::vector<Counter::Client> promises;
        calls.reserve(kChain), promises.reserve(kChain);
        calls.push_back(counter.child());
        promises.push_back(calls.back().promised<Counter>(0));
        while (calls.size() < kChain - 1) {
            calls.push_back(promises.back().child());
            promises.push_back(calls.back().promised<Counter>(0));
        }
        co_await promises.back().add(1);
        if (i >= kWarmUp) samples.add(ticks() - begin);
    }
    samples.report(console, "rpc.pipeline8", 0);
    co_return done;
}

// From an ELF file in memory to its end: an account of its own, a process, its start, exit, and everything given back.
Task<void> spawn_elf(Grants& grants) {
    const auto program = co_await grants.find<idl::ReadableMemory>("program");
    const auto account = co_await grants.find<idl::Account>("account");
    const auto space = co_await grants.find<idl::AddressSpace>("space");
    const auto entropy = co_await grants.find<idl::Entropy>("entropy");
    const u64 bytes = (co_await program.size()).bytes;
    const u64 address = (co_await space.map(program, 0, bytes, 0, runtime::kRead)).address;
    const runtime::SpawnTools tools{grants.loop(), account, space, entropy};
    const std::span file{reinterpret_cast<const std::byte*>(address), bytes};
    const auto image = co_await runtime::ProgramImage::load(tools, file);
    const auto clock = co_await grants.find<idl::Clock>("clock");
    const auto log = co_await grants.find<idl::KernelLog>("log");
    Samples samples;
    for (int i = 0; i < kSpawns; ++i) {
        const u64 begin = ticks();
        const auto child = co_await account.create_account(kChildFrames, kChildObjects, kChildNodes, "nothing");
        runtime::SpawnRequest request{.name = "nothing", .account = child.account, .arguments = {"nothing"}};
        request.grants = {{"clock", idl::Clock::kInterfaceId, clock.id()}, {"log", idl::KernelLog::kInterfaceId, log.id()},
                          {"entropy", idl::Entropy::kInterfaceId, entropy.id()}};
        const auto spawned = co_await runtime::spawn(tools, image, std::move(request));
        co_await spawned.thread.wait();
        const auto end = co_await spawned.process.state();
        if (end.crashed || end.exit_code != 0) {
            const std::string how = end.crashed ? "crashed" : "ended with " + std::to_string(end.exit_code);
            co_return fail(runtime::Error{Status::failed, 0, "the child " + how});
        }
        samples.add(ticks() - begin);
    }
    samples.report(console, "proc.spawn_elf", 0);
    co_return done;
}

Task<void> measure(Grants& grants) {
    // The manifest knows the system's interfaces only: there the server stands as a Console.
    const auto server = co_await grants.find<idl::Console>("counter");
    const Counter::Client counter{runtime::Client::borrowed(grants.loop(), server.id())};
    co_await typed_call(counter);
    co_await pipelined(counter);
    co_await spawn_elf(grants);
    const auto supervisor = co_await grants.find<idl::Supervisor>("supervisor");
    co_await supervisor.shut_down(false);
    co_await runtime::forever(grants.loop());
    co_return done;
}

}  // namespace

}  // namespace capos::test

capos::runtime::Task<void> capos::runtime::program_main(Grants& grants) {
    const std::string_view part = grants.argument(1);
    if (part == "nothing") co_return done;
    if (part == "echo") {
        test::Counting counting;
        const auto service = co_await serve(grants, "counter", counting);
        counting.service = service.get();
        co_await ready(grants);
        co_await forever(grants.loop());
    }
    co_await ready(grants);
    co_await test::measure(grants);
    co_return done;
}
