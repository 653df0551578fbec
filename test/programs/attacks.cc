// Hostile processes: each attack ends as it should, a server beside it goes on answering, and every frame comes back.

#include "attacks.h"

namespace capos::test {

namespace {

using namespace runtime;

constexpr u64 kMillisecond = 1'000'000;
constexpr u64 kPatience = 20'000 * kMillisecond;  // more CPUs than the host has make the emulator slow

u64 run_attack(Environment& environment) {
    Hostile hostile{environment};
    return reinterpret_cast<AttackFunction>(number_of(environment))(hostile);
}

class Field {
public:
    Field(World& world, const Image& image, Puppeteer puppeteer, CapId facet)
        : world_{world}, image_{image}, puppeteer_{puppeteer}, facet_{facet} {}

    void run(std::span<const Attack> attacks) {
        for (const Attack& attack : attacks) one(attack);
    }

private:
    void one(const Attack& attack) {
        const u64 frames = world_.free_frames();
        const auto account = create_account(world_.caller, world_.account, 400, 64, 96);
        const auto notification = create_notification(world_.caller, world_.account);
        // What it gets is derived, so that the account goes when we let go of it.
        const auto derived = account ? derive(world_.caller, world_.account, *account) : account;
        if (!derived || !notification) return world_.check(attack.name, false, "no account");
        auto child = Child::create(world_, image_, "hostile", run_attack,
                                   {{"account", idl::Account::kInterfaceId, *derived},
                                    {"facet", 0, facet_},
                                    {"clock", idl::Clock::kInterfaceId, world_.clock},
                                    {"log", idl::KernelLog::kInterfaceId, world_.kernel_log},
                                    {"notification", idl::Notification::kInterfaceId, *notification}},
                                   {.account = *account,
                                    .slots = 256,
                                    .number = reinterpret_cast<u64>(attack.function),
                                    .itself = true});
        if (!child) return world_.check(attack.name, false, "no child: ", child.error());
        if (attack.meanwhile != nullptr) attack.meanwhile(world_, *child, *account, puppeteer_, facet_);
        const bool ended = child->wait_for_end(world_, kPatience);
        const auto state = child->state(world_);
        const u32 cause = state.crashed ? child->crash(world_).cause : attack.ending;
        child->release(world_);
        for (const CapId id : {*notification, *derived, *account}) release(world_.caller, id);

        const auto echo = puppeteer_.call(facet_, Puppet::echo, 0, {}, 0, world_.now() + kPatience);
        if (!ended) {
            world_.check(attack.name, false, "it goes on");
        } else if (cause != attack.ending || state.crashed != (attack.ending < kReturns)) {
            world_.check(attack.name, false, "crashed by ", cause, ", exit code ", Hex{state.exit_code});
        } else if (attack.ending == kReturns && state.exit_code != 0) {
            world_.check(attack.name, false, "step ", state.exit_code);
        } else if (!echo) {
            world_.check(attack.name, false, "the server does not answer: ", echo.error());
        } else {
            world_.check(attack.name, world_.frames_return_to(frames), world_.free_frames(), " of ", frames, " frames");
        }
        while (world_.ring.next()) {
        }
    }

    World& world_;
    const Image& image_;
    Puppeteer puppeteer_;
    CapId facet_;
};

Expected<void> run_attacks(World& world) {
    const Image image = TRY(Image::create(world));
    const CapId endpoint = TRY(create_endpoint(world.caller, world.account));
    const CapId receiver = TRY(make_receiver(world.caller, endpoint));
    const CapId facet = TRY(mint(world.caller, endpoint, 1));
    const Puppeteer puppeteer = TRY(Puppeteer::create(world));
    Child server = TRY(PuppetServer::start(world, image, receiver, {.priority = 20}));
    Field field{world, image, puppeteer, facet};
    TRY(Puppeteer{puppeteer}.call(facet, Puppet::echo));  // it has touched its memory
    field.run(attacks_on_names());
    field.run(attacks_on_rings());
    field.run(attacks_on_accounts());
    field.run(attacks_on_peers());
    world.check("the server is the one of the start", !server.state(world).ended);
    server.release(world);
    return done;
}

}  // namespace

Hostile::Hostile(Environment& e)
    : environment{e},
      ring{e.ring},
      caller{e.caller},
      account{capability<idl::Account>(e, "account")},
      process{capability<idl::Process>(e, "process")},
      space{capability<idl::AddressSpace>(e, "space")},
      thread{capability<idl::Thread>(e, "thread")},
      facet{test::facet(e, "facet")},
      clock{capability<idl::Clock>(e, "clock")},
      log{capability<idl::KernelLog>(e, "log")},
      notification{capability<idl::Notification>(e, "notification")} {}

Status Hostile::outcome(const abi::Submission& entry) {
    const auto completion = ring.perform(entry);
    return completion ? static_cast<Status>(completion->status) : completion.error();
}

Status Hostile::outcome_of_call(CapId target, u64 interface_id, u16 method, u32 length) {
    return outcome(entry::call(target, interface_id, method, caller.message(length, {}), caller.reply_buffer(2)));
}

Expected<CapId> Hostile::second_thread(void (*entry)(u64, std::byte*), u64 argument) {
    constexpr u64 kStack = 0x6800'0000, kStackBytes = 2 * kPageBytes;
    const CapId stack = TRY(create_memory(caller, account, kStackBytes));
    TRY(map(caller, space, stack, 0, kStackBytes, kStack, kRead | kWrite));
    const ThreadCapabilities made = TRY(create_thread(caller, process, "second", {.priority = 10}));
    TRY(start_thread(caller, made.thread, reinterpret_cast<u64>(entry), kStack + kStackBytes - 8, argument));
    return made.thread;
}

void test_main(World& world) { world.check_ok("set-up", run_attacks(world)); }

}  // namespace capos::test
