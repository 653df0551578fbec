// native - a program with musl and libc++ on the event loop, in the place of init: heap, text output, time, and tasks.
#include <cstdio>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "idl/kernel.h"
#include "runtime/program/program.h"

namespace capos::runtime {

namespace {

constexpr u64 kMs = 1'000'000;
int tests = 0;

void check(const char* name, bool holds) {
    ++tests;
    std::fprintf(stderr, "TEST %s %s\n", name, holds ? "ok" : "FAILED: see the program");
}

Task<u64> after(Loop& loop, u64 ns) {
    const u64 start = loop.now();
    co_await sleep_for(loop, ns);
    co_return loop.now() - start;
}

// Eight threads take turns under one lock, two of them detached.
bool threads_take_turns() {
    constexpr int kThreads = 8, kRounds = 200;
    std::mutex lock;
    std::condition_variable changed;
    int sum = 0, ended = 0;
    std::vector<std::thread> threads;
    for (int n = 0; n < kThreads; ++n) {
        threads.emplace_back([&, n] {
            for (int i = 0; i < kRounds; ++i) {
                std::unique_lock held{lock};
                changed.wait(held, [&] { return sum % kThreads == n; });
                ++sum;
                changed.notify_all();
            }
            const std::unique_lock held{lock};
            ++ended;
            changed.notify_all();
        });
    }
    for (int n = 0; n < kThreads; ++n) n < 2 ? threads[static_cast<usize>(n)].detach() : threads[static_cast<usize>(n)].join();
    std::unique_lock held{lock};
    changed.wait(held, [&] { return ended == kThreads; });
    return sum == kThreads * kRounds;
}

Task<void> count_to(Loop& loop, int& counter, int end) {
    while (counter < end) {
        co_await sleep_for(loop, kMs / 10);
        ++counter;
    }
    co_return done;
}

}  // namespace

Task<void> program_main(Grants& grants) {
    Loop& loop = grants.loop();
    std::map<std::string, std::vector<int>> numbers;
    for (int i = 0; i < 2000; ++i) numbers["key " + std::to_string(i % 100)].push_back(i);
    check("native.heap", numbers.size() == 100 && numbers["key 7"].size() == 20 && numbers["key 7"][3] == 307);

    const u64 slept = co_await after(loop, 5 * kMs);
    check("native.sleep", slept >= 5 * kMs && slept < 500 * kMs);

    int counter = 0;
    loop.spawn(count_to(loop, counter, 5));
    co_await sleep_for(loop, 20 * kMs);
    check("native.spawned_task", counter == 5);

    check("native.threads", threads_take_turns());

    const auto missing = grants.start().find("nothing", idl::Power::kInterfaceId);
    check("native.no_ambient_authority", missing == abi::kNoCapability && std::fopen("/etc/passwd", "r") == nullptr);
    check("native.argument", grants.argument(0) == "init");
    std::fprintf(stderr, "TEST done %d\n", tests);

    const auto power = co_await grants.find<idl::Power>("power");
    co_await power.off();
    co_return done;
}

}  // namespace capos::runtime
