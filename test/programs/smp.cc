// What only several CPUs show: stale translations (R11), wakes and ends across CPUs, timers on each of them.

#include "support/child.h"

namespace capos::test {

namespace {

using namespace runtime;

constexpr u64 kMillisecond = 1'000'000;
constexpr u64 kPatience = 20'000 * kMillisecond;  // more CPUs than the host has make the emulator slow
constexpr u64 kTarget = 0x2000'0000;  // what is taken away from a thread on another CPU
constexpr u64 kNotes = 0x3000'0000;   // where it notes what it has seen
constexpr u64 kSecret = 0x5ec2e7;
constexpr u32 kRounds = 20;

volatile u64& word(u64 address) { return *reinterpret_cast<volatile u64*>(address); }

// Reads the target for ever, and notes the last value and the number of readings.
u64 read_for_ever(Environment&) {
    while (true) {
        word(kNotes) = word(kTarget);
        word(kNotes + 8) = word(kNotes + 8) + 1;
    }
}

// Writes a counter into the target for ever.
u64 write_for_ever(Environment&) {
    for (u64 i = 1;; ++i) {
        word(kTarget) = i;
        word(kNotes + 8) = i;
    }
}

u64 signal_back(Environment& environment) {
    Ring& ring = environment.ring;
    const CapId in = capability<idl::Notification>(environment, "in"), out = capability<idl::Notification>(environment, "out");
    (void)ring.push(entry::receive_signals(in));
    while (true) {
        (void)ring.enter(1);
        const auto completion = ring.next();
        if (!completion || completion->kind != static_cast<u8>(abi::CompletionKind::signal)) return 0;
        (void)ring.push(entry::signal(out, 1));
    }
}

// Waits for its timers; the number of those that came too early.
u64 count_early_timers(Environment& environment) {
    const CapId clock = capability<idl::Clock>(environment, "clock");
    u64 early = 0;
    for (u64 i = 0; i < 20; ++i) {
        const u64 due = now(environment.caller, clock).value_or(0) + i * 100'000;
        (void)environment.ring.perform(entry::timer(due));
        early += now(environment.caller, clock).value_or(0) < due ? 1 : 0;
    }
    return early;
}

class Smp {
public:
    Smp(World& world, const Image& image) : world_{world}, caller_{world.caller}, image_{image}, cpus_{world.cpus()} {}

    void run() {
        check_taken("an unmapped page is out of reach of every CPU [R11]", read_for_ever, [&](Child& child, CapId) {
            return unmap(caller_, child.space, kTarget, kPageBytes).has_value();
        });
        check_taken("a page made read-only is not written by any CPU [R11]", write_for_ever, [&](Child& child, CapId) {
            return protect(caller_, child.space, kTarget, kPageBytes, kRead).has_value();
        });
        revoked();
        killed();
        wakes();
        timers();
    }

private:
    struct Prey {
        Child child;
        CapId target, notes;
    };

    // A child on the CPU numbered `cpu` at work on the target, which we see as well, at the same addresses.
    Expected<Prey> make_prey(ChildFunction function, u32 cpu) {
        const CapId target = TRY(create_memory(caller_, world_.account, kPageBytes));
        const CapId given = TRY(derive(caller_, world_.account, target));
        const CapId notes = TRY(create_memory(caller_, world_.account, kPageBytes));
        TRY(map(caller_, world_.space, target, 0, kPageBytes, kTarget, kRead | kWrite));
        TRY(map(caller_, world_.space, notes, 0, kPageBytes, kNotes, kRead | kWrite));
        const Mapping mappings[] = {{given, kTarget, kPageBytes, kRead | kWrite}, {notes, kNotes, kPageBytes, kRead | kWrite}};
        Child child = TRY(Child::create(world_, image_, "prey", function, {}, {.cpu = cpu, .mappings = mappings}));
        release(caller_, given);
        const u64 end = world_.now() + kPatience;
        while (word(kNotes + 8) < 100 && world_.now() < end) world_.sleep(kMillisecond / 10);
        return Prey{std::move(child), target, notes};
    }

    void give_back(Prey& prey) {
        prey.child.release(world_);
        (void)unmap(caller_, world_.space, kTarget, kPageBytes);
        (void)unmap(caller_, world_.space, kNotes, kPageBytes);
        release(caller_, prey.target);
        release(caller_, prey.notes);
        while (world_.ring.next()) {
        }
    }

    // `take` has returned: from here on nothing that the other CPU remembers may reach the page.
    template <typename Take>
    void check_taken(std::string_view name, ChildFunction function, Take&& take) {
        u32 stale = 0, unended = 0;
        for (u32 round = 0; round < kRounds && stale + unended == 0; ++round) {
            auto prey = make_prey(function, (round + 1) % cpus_);
            if (!prey) return world_.check(name, false, prey.error());
            const bool taken = take(prey->child, prey->target);
            word(kTarget) = kSecret;
            const bool ended = prey->child.wait_for_end(world_, kPatience);
            const auto record = prey->child.crash(world_);
            if (!taken || word(kNotes) == kSecret || word(kTarget) != kSecret) ++stale;
            if (!ended || record.cause != static_cast<u32>(abi::CrashCause::page_fault) || record.address != kTarget) ++unended;
            give_back(*prey);
        }
        world_.check(name, stale == 0 && unended == 0, stale, " stale, ", unended, " did not fault, of ", kRounds);
    }

    // Memory that is revoked becomes a scrap page: no fault, and nothing of what is written afterwards.
    void revoked() {
        u32 stale = 0, ended = 0;
        for (u32 round = 0; round < kRounds; ++round) {
            auto prey = make_prey(read_for_ever, (round + 1) % cpus_);
            if (!prey) return world_.check("revoked memory [R11]", false, prey.error());
            const bool taken = revoke(caller_, world_.account, prey->target).has_value();
            word(kTarget) = kSecret;
            const u64 seen = word(kNotes + 8), end = world_.now() + kPatience;
            while (word(kNotes + 8) < seen + 100 && world_.now() < end) world_.sleep(kMillisecond / 10);
            if (!taken || word(kNotes) == kSecret) ++stale;
            if (prey->child.state(world_).ended) ++ended;
            give_back(*prey);
        }
        world_.check("revoked memory is out of reach of every CPU, without a fault [R11]", stale == 0 && ended == 0, stale,
                     " stale, ", ended, " ended, of ", kRounds);
    }

    // Killed while it runs on another CPU.
    void killed() {
        u32 alive = 0;
        for (u32 round = 0; round < 2 * kRounds; ++round) {
            auto prey = make_prey(round % 2 == 0 ? read_for_ever : write_for_ever, (round + 1) % cpus_);
            if (!prey) return world_.check("killed from another CPU", false, prey.error());
            (void)kill(caller_, prey->child.process);
            if (!prey->child.state(world_).ended) ++alive;
            const u64 before = word(kNotes + 8);
            world_.sleep(kMillisecond / 10);
            if (word(kNotes + 8) != before) ++alive;
            give_back(*prey);
        }
        world_.check("who was killed from another CPU does nothing more", alive == 0, alive, " of ", 2 * kRounds);
    }

    void wakes() {
        const CapId there = create_notification(caller_, world_.account).value_or(CapId{});
        const CapId back = create_notification(caller_, world_.account).value_or(CapId{});
        for (u32 cpu = 0; cpu < cpus_; ++cpu) {
            auto child =
                Child::create(world_, image_, "signal", signal_back,
                              {{"in", idl::Notification::kInterfaceId, there}, {"out", idl::Notification::kInterfaceId, back}},
                              {.cpu = cpu});
            if (!child) return world_.check("signaller", false, child.error());
            u32 answered = 0;
            for (u32 i = 0; i < 10 * kRounds; ++i) {
                (void)world_.ring.post(entry::signal(there, 1));
                if (!world_.ring.collect(back, world_.now() + kPatience)) break;
                ++answered;
            }
            const TextBuffer<64> name{"wakes to and from CPU ", cpu};
            world_.check(name.view(), answered == 10 * kRounds, answered, " of ", 10 * kRounds);
            child->release(world_);
        }
        release(caller_, there);
        release(caller_, back);
    }

    void timers() {
        for (u32 cpu = 0; cpu < cpus_; ++cpu) {
            auto child = Child::create(world_, image_, "timers", count_early_timers,
                                       {{"clock", idl::Clock::kInterfaceId, world_.clock}}, {.cpu = cpu});
            if (!child) return world_.check("timers", false, child.error());
            const bool ended = child->wait_for_end(world_, kPatience);
            const TextBuffer<64> name{"timers on CPU ", cpu};
            const u64 early = child->state(world_).exit_code;
            world_.check(name.view(), ended && early == 0, early, " came early");
            child->release(world_);
        }
    }

    World& world_;
    Caller& caller_;
    const Image& image_;
    u32 cpus_;
};

}  // namespace

void test_main(World& world) {
    const auto image = Image::create(world);
    if (!image) return world.check("image", false, image.error());
    world.sleep(kMillisecond);
    const auto before = usage(world.caller, world.account);
    Smp{world, *image}.run();
    world.check("nothing is charged any more", before && world.charges_return_to(*before));
}

}  // namespace capos::test
