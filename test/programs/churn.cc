// A thousand processes, each killed while it holds and waits for every kind of thing: all frames and all charges come back.

#include "support/child.h"

namespace capos::test {

namespace {

using namespace runtime;

constexpr u32 kCycles = 1000;
constexpr u64 kSecond = 1'000'000'000;
constexpr u64 kHere = 0x2000'0000;

// One of each; then it says that it is ready, and waits.
u64 hoard(Environment& environment) {
    Ring& ring = environment.ring;
    Caller& caller = environment.caller;
    const CapId account = capability<idl::Account>(environment, "account"),
                space = capability<idl::AddressSpace>(environment, "space");
    const CapId ready = capability<idl::Notification>(environment, "ready");
    const auto memory = create_memory(caller, account, 8 * kPageBytes);
    const auto endpoint = create_endpoint(caller, account);
    const auto notification = create_notification(caller, account);
    const auto child = create_process(caller, account, "inner");
    const auto inner = create_account(caller, account, 10, 4, 4);
    const auto buffers = ring.reserve(1024);
    if (!memory || !endpoint || !notification || !child || !inner || !buffers) return 1;
    const auto thread = create_thread(caller, child->process, "inner");
    const auto inner_memory = create_memory(caller, *inner, kPageBytes);
    const auto receiver = make_receiver(caller, *endpoint);
    const auto facet = mint(caller, *endpoint, 5);
    const auto facet_of_memory = readable(caller, *memory);
    if (!thread || !inner_memory || !receiver || !facet || !facet_of_memory) return 2;
    if (!map(caller, space, *memory, 0, 4 * kPageBytes, kHere, kRead | kWrite) ||
        !map(caller, child->space, *memory, 0, kPageBytes, kHere, kRead | kWrite) ||
        !map(caller, space, *facet_of_memory, 0, kPageBytes, 2 * kHere, kRead)) {
        return 3;
    }
    for (u64 page = 0; page < 4; ++page) *reinterpret_cast<volatile u64*>(kHere + page * kPageBytes) = page;
    (void)supervise(caller, child->process, *notification, 3);

    (void)ring.push(
        entry::receive_calls(*receiver, {.count = 2, .first_offset = buffers->offset, .bytes_each = 256, .slots_each = 2}));
    (void)ring.push(entry::receive_signals(*notification));
    for (int i = 0; i < 3; ++i) (void)ring.push(entry::call(*facet, 1, 1, caller.message(8, {*facet}), caller.reply_buffer(1)));
    (void)ring.push(entry::fills(entry::call(*facet, 1, 1, {}, caller.reply_buffer(1)), 2));
    (void)ring.push(entry::pipelined_call({2, 0}, 1, 1, {}, caller.reply_buffer(0)));
    (void)ring.push(entry::timer(kNoDeadline - 1));
    (void)ring.push(entry::wait(kHere, 0));
    (void)ring.push(entry::wait(kHere + 8, 0));
    (void)ring.push(entry::signal(ready, 1));
    (void)ring.enter(32);
    return 4;
}

void cycles(World& world, const Image& image) {
    const auto account = create_account(world.caller, world.account, 1000, 200, 200);
    const auto ready = create_notification(world.caller, world.account);
    if (!account || !ready) return world.check("account", false);
    const u64 frames = world.free_frames();
    for (u32 i = 0; i < kCycles; ++i) {
        auto child = Child::create(
            world, image, "hoarder", hoard,
            {{"account", idl::Account::kInterfaceId, *account}, {"ready", idl::Notification::kInterfaceId, *ready}},
            {.account = *account, .itself = true});
        if (!child) return world.check("a thousand processes", false, "child ", i, ": ", child.error());
        if (!world.ring.collect(*ready, world.now() + 20 * kSecond)) {
            return world.check("a thousand processes", false, "child ", i, " exit code ", child->state(world).exit_code);
        }
        (void)kill(world.caller, child->process);
        child->release(world);
    }
    world.check("a thousand processes are made and killed", true);
    world.check("and all frames come back", world.frames_return_to(frames), world.free_frames(), " of ", frames);
    const auto used = usage(world.caller, *account);
    world.check("and all charges", used && used->frames == 0 && used->objects == 0 && used->nodes == 0,
                used ? used->frames : 0, " frames, ", used ? used->objects : 0, " objects, ", used ? used->nodes : 0, " nodes");
    release(world.caller, *ready);
    release(world.caller, *account);
}

}  // namespace

void test_main(World& world) {
    const auto image = Image::create(world);
    if (!image) return world.check("image", false, image.error());
    const u64 frames = world.free_frames();
    const auto before = usage(world.caller, world.account);
    cycles(world, *image);
    world.check("the machine has its frames back", world.frames_return_to(frames), world.free_frames(), " of ", frames);
    world.check("and nothing is charged any more", before && world.charges_return_to(*before), "more than before");
}

}  // namespace capos::test
