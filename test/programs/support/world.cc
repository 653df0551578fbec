#include "support/world.h"

#include "support/child.h"

namespace capos::test {

namespace {

template <typename Interface>
CapId find(const Environment& environment, std::string_view name) {
    return environment.start.find(name, Interface::kInterfaceId);
}

template <typename Condition>
bool until(World& world, Condition&& condition) {
    constexpr int kTries = 100;
    constexpr u64 kPauseNs = 10'000'000;
    for (int i = 0; i < kTries; ++i) {
        if (condition()) return true;
        world.sleep(kPauseNs);
    }
    return false;
}

}  // namespace

World::World(Environment& environment)
    : ring{environment.ring},
      caller{environment.caller},
      account{find<idl::Account>(environment, "account")},
      process{find<idl::Process>(environment, "process")},
      space{find<idl::AddressSpace>(environment, "space")},
      thread{find<idl::Thread>(environment, "thread")},
      clock{find<idl::Clock>(environment, "clock")},
      platform{find<idl::PlatformInfo>(environment, "platform")},
      power{find<idl::Power>(environment, "power")},
      kernel_log{find<idl::KernelLog>(environment, "log")},
      entropy{find<idl::Entropy>(environment, "entropy")},
      profile{find<idl::Profile>(environment, "profile")},
      ports{find<idl::IoPortSpace>(environment, "ports")},
      interrupts{find<idl::InterruptSpace>(environment, "interrupts")},
      log_{environment.caller, kernel_log} {}

bool World::frames_return_to(u64 frames) {
    return until(*this, [&] { return free_frames() == frames; });
}

bool World::charges_return_to(const idl::Account::Usage::Results& wanted) {
    return until(*this, [&] {
        const auto now = usage(caller, account);
        return now && now->frames == wanted.frames && now->objects == wanted.objects && now->nodes == wanted.nodes;
    });
}

u32 World::cpus() {
    const auto reply = caller.call<idl::PlatformInfo::Cpus>(platform);
    return reply ? reply->fields.count : 1;
}

[[noreturn]] void World::finish() {
    log_.info("TEST done ", checks_);
    (void)caller.call<idl::Power::Off>(power);
    while (true) (void)ring.enter(1);
}

}  // namespace capos::test

// The first process gets argument 0; a child the address of what it is to do.
capos::u64 capos::runtime::run(Environment& environment) {
    if (environment.argument != 0) return reinterpret_cast<test::ChildFunction>(environment.argument)(environment);
    test::World world{environment};
    test::test_main(world);
    world.finish();
}
