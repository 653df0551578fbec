// Timer accuracy: a deadline is never met early, and soon after it is due, on each CPU. The host may delay a guest by any
// time, so lateness is that of the best of some tries: a timer that is set wrongly is late every time.

#include <algorithm>

#include "support/child.h"

namespace capos::test {

namespace {

using namespace runtime;

constexpr u64 kMillisecond = 1'000'000;
// The timer of a local APIC is measured against another clock in 2 ms at boot, so a long wait is off by a part of its length.
constexpr u64 lateness_max(u64 wait_ns) { return 2 * kMillisecond + wait_ns / 50; }
constexpr u64 kResults = 0x3000'0000;  // in every process: one Result per kind and duration

struct Duration {
    u64 ns;
    u64 tries;
};
constexpr Duration kDurations[] = {
    {kMillisecond, 20}, {10 * kMillisecond, 10}, {100 * kMillisecond, 5}, {1000 * kMillisecond, 3}};
enum Kind : u64 { kTimer, kEnter, kKinds };
constexpr std::string_view kKindNames[] = {"TIMER", "deadline of enter"};

struct Result {
    u64 early;
    u64 least_late;
};
Result& result_of(u64 kind, usize duration) {
    return reinterpret_cast<Result*>(kResults)[kind * std::size(kDurations) + duration];
}

u64 measure(Environment& environment) {
    const CapId clock = capability<idl::Clock>(environment, "clock");
    const auto time = [&] { return now(environment.caller, clock).value_or(0); };
    for (u64 kind = 0; kind < kKinds; ++kind) {
        for (usize i = 0; i < std::size(kDurations); ++i) {
            Result result{0, ~u64{0}};
            for (u64 n = 0; n < kDurations[i].tries; ++n) {
                const u64 due = time() + kDurations[i].ns;
                if (kind == kTimer) {
                    (void)environment.ring.perform(entry::timer(due));
                } else {
                    (void)environment.ring.enter(1, due);
                }
                const u64 end = time();
                if (end < due) ++result.early;
                else result.least_late = std::min(result.least_late, end - due);
            }
            result_of(kind, i) = result;
        }
    }
    return 0;
}

void measure_on(World& world, const Image& image, u32 cpu) {
    const auto results = create_memory(world.caller, world.account, kPageBytes);
    if (!results || !map(world.caller, world.space, *results, 0, kPageBytes, kResults, kRead | kWrite))
        return world.say("no memory");
    auto child = Child::create(world, image, "timers", measure, {{"clock", idl::Clock::kInterfaceId, world.clock}},
                               {.cpu = cpu, .shared_memory = *results, .shared_address = kResults});
    if (!child) return world.say("no child: ", child.error());
    const bool ended = child->wait_for_end(world, 60'000 * kMillisecond);
    for (u64 kind = 0; kind < kKinds; ++kind) {
        for (usize i = 0; i < std::size(kDurations); ++i) {
            const Result& result = result_of(kind, i);
            const TextBuffer<80> name{kKindNames[kind], " in ", kDurations[i].ns / kMillisecond, " ms, on CPU ", cpu};
            world.check(name.view(), ended && result.early == 0 && result.least_late <= lateness_max(kDurations[i].ns),
                        result.early,
                        " times too early, at the best ", result.least_late, " ns late");
        }
    }
    child->release(world);
    (void)unmap(world.caller, world.space, kResults, kPageBytes);
    release(world.caller, *results);
}

}  // namespace

void test_main(World& world) {
    const auto image = Image::create(world);
    if (!image) return world.say("no image: ", image.error());
    const u32 cpus = world.cpus();
    for (u32 cpu = 0; cpu < cpus; ++cpu) measure_on(world, *image, cpu);
}

}  // namespace capos::test
