#include "sim/world.h"

#include <stdexcept>

namespace capos::sim {

using namespace kernel;

namespace {

constexpr u64 kCode = 0x40'0000, kStack = 0x7000'0000;

template <typename T>
T take(KernelResult<T> result, const char* what) {
    if (!result) throw std::runtime_error(std::string{"no "} + what);
    return *result;
}
template <typename R>
const R& good(const R& reply, const char* what) {
    if (!reply.ok()) {
        throw std::runtime_error(std::string{what} + ": status " + std::to_string(static_cast<unsigned>(reply.status)));
    }
    return reply;
}

}  // namespace

World::World(const Options& options) : machine{options.machine}, inspect{machine} {
    Kernel& kernel = machine.kernel();
    kernel.lock.acquire(machine.core_cpu(options.cpu_of_init));
    const auto boot = take(kernel.make_boot_process("init", RingGeometry{.cq_entries = 64}), "first process");
    init_process = boot.process;
    struct {
        abi::CapId& id;
        Object& object;
    } const grants[] = {{account, kernel.root_account()}, {clock, kernel.clock()},           {kernel_log, kernel.kernel_log()},
                        {entropy, kernel.entropy()},      {power, kernel.power()},           {platform, kernel.platform_info()},
                        {ports, kernel.port_space()},     {interrupts, kernel.interrupt_space()},
                        {profile, kernel.profile()},
                        {init_self, *boot.process},       {init_space, *boot.process->space}, {init_thread, *boot.thread}};
    for (const auto& g : grants) g.id = take(kernel.grant_boot(*boot.process, g.object), "capability");
    boot.thread->pinned = true;
    boot.thread->pinned_cpu = &machine.core_cpu(options.cpu_of_init);
    kernel.start_boot_thread(*boot.thread, VirtualAddress{kCode}, VirtualAddress{kStack}, 0, 0);
    kernel.lock.release();
    machine.cpu(options.cpu_of_init).interrupt_pending = true;  // what the machine's own start does
    init = User{machine, *boot.thread};
    machine.settle();
}

Spawned World::spawn(std::string_view name, const SpawnOptions& options) {
    const abi::CapId payer = options.account == abi::kNoCapability ? account : options.account;
    const auto made = good(init.call<idl::Account::CreateProcess>(payer, {.slots = 256, .name = name}), "createProcess");
    Spawned spawned;
    spawned.process = made.capabilities[made.fields.process.value];
    spawned.space = made.capabilities[made.fields.space.value];
    spawned.object = static_cast<Process*>(object(spawned.process));
    spawned.user = add_thread(spawned, spawned.thread, options);
    return spawned;
}

User World::add_thread(Spawned& process, abi::CapId& id, const SpawnOptions& options) {
    const auto thread =
        good(init.call<idl::Process::CreateThread>(process.process, {.name = "thread",
                                                                     .priority = options.priority,
                                                                     .region_bytes = options.region_bytes,
                                                                     .submission_entries = options.submissions,
                                                                     .completion_entries = options.completions}),
             "createThread");
    id = thread.capabilities[thread.fields.thread.value];
    User user{machine, static_cast<Thread&>(*object(id))};
    if (options.cpu) good(init.call<idl::Thread::SetCpu>(id, {.cpu = *options.cpu}), "setCpu");
    if (options.start) good(init.call<idl::Thread::Start>(id, {.entry = kCode, .stack = kStack}), "start");
    machine.settle();
    return user;
}

abi::CapId World::grant(const Spawned& to, abi::CapId id) {
    return abi::CapId{good(init.call<idl::Process::Grant>(to.process, {.capability = {0}}, {id.value}), "grant").fields.id};
}

abi::CapId World::make_endpoint() {
    return good(init.call<idl::Account::CreateEndpoint>(account, {.name = "endpoint"}), "createEndpoint").capabilities[0];
}
abi::CapId World::make_receiver(abi::CapId endpoint) {
    return good(init.call<idl::Endpoint::Receiver>(endpoint), "receiver").capabilities[0];
}
abi::CapId World::make_facet(abi::CapId endpoint, u64 badge) {
    return good(init.call<idl::Endpoint::Mint>(endpoint, {.badge = badge}), "mint").capabilities[0];
}
abi::CapId World::make_memory(u64 pages) {
    return good(init.call<idl::Account::CreateMemory>(account, {.bytes = pages * kPageBytes}), "createMemory").capabilities[0];
}
abi::CapId World::make_notification() {
    return good(init.call<idl::Account::CreateNotification>(account), "createNotification").capabilities[0];
}
abi::CapId World::make_account(u64 frames, u32 objects, u32 nodes) {
    return good(init.call<idl::Account::CreateAccount>(
                    account, {.frames = frames, .objects = objects, .nodes = nodes, .name = "child"}),
                "createAccount").capabilities[0];
}

void World::drain() {
    constexpr int kRoundsMax = 10'000;
    for (int i = 0; i < kRoundsMax; ++i) {
        machine.settle();
        if (inspect.at_rest()) return;
        // A CPU that runs user code does the reaper's work only when something makes it enter.
        for (u32 n = 0; n < machine.cpu_count(); ++n) machine.cpu(n).interrupt_pending = true;
    }
    throw Violation{"work is left that nobody finishes"};
}

void World::check() {
    drain();
    inspect.check();
}

abi::Submission receive_entry(abi::CapId source, const ReceiveSetup& setup, u64 user_data) {
    return runtime::entry::tagged(
        runtime::entry::receive_calls(source, {.group = setup.group,
                                               .count = setup.count,
                                               .first_offset = setup.first,
                                               .bytes_each = setup.bytes,
                                               .slots_each = setup.slots_each}),
        user_data);
}

abi::Submission text_call(const User& user, abi::CapId facet, std::string_view text, u64 user_data, u8 result_slots) {
    user.write(User::kParams, text);
    return runtime::entry::tagged(
        runtime::entry::call(facet, 0x1234, 7, {{User::kParams, static_cast<u32>(text.size())}, User::kCapabilities, 0},
                             {{User::kReply, User::kReplyBytes}, result_slots}),
        user_data);
}

}  // namespace capos::sim
