#include "support/child.h"

extern "C" {
// Set by the linker: the first byte of the image, and the one behind its code.
extern const std::byte __executable_start, etext;
void _start();
}

namespace capos::test {

namespace {

constexpr u64 page_ceiling(u64 address) { return (address + kPageBytes - 1) & ~(kPageBytes - 1); }

u64 address_of(const void* of) { return reinterpret_cast<u64>(of); }

struct Making {
    World& world;
    CapId process, space, thread;
};

// The start-up message goes to the front of the arena. Returns its length.
Expected<u32> write_start_message(const Making& making, std::initializer_list<Endowment> endowments,
                                  const ChildOptions& options) {
    std::byte bytes[1024];
    runtime::StartMessageBuilder builder{bytes};
    const auto give = [&](std::initializer_list<Endowment> list) -> Expected<void> {
        for (const Endowment& one : list) {
            builder.capability(one.name, one.interface_id, TRY(grant(making.world.caller, making.process, one.id)));
        }
        return done;
    };
    TRY(give(endowments));
    if (options.itself) {
        TRY(give({{"process", idl::Process::kInterfaceId, making.process},
                  {"space", idl::AddressSpace::kInterfaceId, making.space},
                  {"thread", idl::Thread::kInterfaceId, making.thread}}));
    }
    builder.argument(runtime::TextBuffer<20>{options.number}.view());
    const std::span<const std::byte> message = TRY(builder.finish());
    TRY(write_arena(making.world.caller, making.thread, message));
    return static_cast<u32>(message.size());
}

}  // namespace

u64 Image::start() { return address_of(&__executable_start); }
u64 Image::bytes() { return page_ceiling(address_of(&etext)) - start(); }

Expected<Image> Image::create(World& world) {
    const CapId memory = TRY(create_memory(world.caller, world.account, bytes()));
    const u64 address = TRY(map(world.caller, world.space, memory, 0, bytes(), 0, kRead | kWrite));
    __builtin_memcpy(reinterpret_cast<void*>(address), &__executable_start, address_of(&etext) - start());
    TRY(unmap(world.caller, world.space, address, bytes()));
    TRY(seal(world.caller, memory));
    return Image{memory};
}

Expected<Child> Child::create(World& world, const Image& image, std::string_view name, ChildFunction function,
                              std::initializer_list<Endowment> endowments, ChildOptions options) {
    Caller& caller = world.caller;
    const CapId account = options.account == abi::kNoCapability ? world.account : options.account;
    Child child;
    const ProcessCapabilities made = TRY(create_process(caller, account, name, options.slots));
    child.process = made.process;
    child.space = made.space;
    TRY(map(caller, child.space, image.memory(), 0, Image::bytes(), Image::start(), kRead | kExecute));
    child.stack = TRY(create_memory(caller, account, kChildStackBytes));
    TRY(map(caller, child.space, child.stack, 0, kChildStackBytes, kChildStackTop - kChildStackBytes, kRead | kWrite));
    if (options.shared_memory != abi::kNoCapability) {
        TRY(map(caller, child.space, options.shared_memory, 0, kPageBytes, options.shared_address, kRead | kWrite));
    }
    for (const Mapping& one : options.mappings) {
        TRY(map(caller, child.space, one.memory, 0, one.bytes, one.address, one.protection));
    }
    const ThreadCapabilities thread = TRY(create_thread(caller, child.process, name,
                                                        {.priority = options.priority,
                                                         .region_bytes = options.region_bytes,
                                                         .submission_entries = options.submission_entries,
                                                         .completion_entries = options.completion_entries}));
    child.thread = thread.thread;
    child.region = thread.region;
    if (options.cpu != ~u32{0}) TRY(set_cpu(caller, child.thread, options.cpu));
    child.ended_ = TRY(create_notification(caller, world.account));
    TRY(supervise(caller, child.process, child.ended_, 0));
    const u32 length =
        TRY(write_start_message({world, child.process, child.space, child.thread}, endowments, options));
    TRY(start_thread(caller, child.thread, address_of(reinterpret_cast<const void*>(&_start)), kChildStackTop,
                     address_of(reinterpret_cast<const void*>(function)), length));
    return child;
}

bool Child::wait_for_end(World& world, u64 timeout_ns) {
    (void)world.ring.collect(ended_, world.now() + timeout_ns);
    return state(world).ended;
}

idl::Process::State::Results Child::state(World& world) {
    const auto reply = world.caller.call<idl::Process::State>(process);
    if (!reply) return {.ended = true};  // it went with its account
    auto fields = reply->fields;
    fields.name = {};  // lies in the arena
    return fields;
}

abi::CrashRecord Child::crash(World& world) {
    abi::CrashRecord record{};
    const auto reply = world.caller.call<idl::Process::Crash>(process);
    if (reply && reply->fields.record.size() == sizeof(record)) {
        __builtin_memcpy(&record, reply->fields.record.data(), sizeof(record));
    }
    return record;
}

void Child::release(World& world) {
    for (const CapId id : {thread, space, process, stack, ended_}) test::release(world.caller, id);
}

u64 number_of(const Environment& environment) {
    u64 number = 0;
    for (const char digit : environment.start.argument(0)) number = number * 10 + static_cast<u64>(digit - '0');
    return number;
}

}  // namespace capos::test
