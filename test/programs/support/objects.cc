#include "support/objects.h"

namespace capos::test {

namespace {

// For methods without results.
template <typename Method>
Expected<void> perform(Caller& caller, CapId target, const typename Method::Params& params = {},
                       std::initializer_list<CapId> capabilities = {}) {
    TRY(caller.call<Method>(target, params, capabilities));
    return done;
}

}  // namespace

Expected<CapId> create_account(Caller& caller, CapId account, u64 frames, u32 objects, u32 nodes) {
    const auto made = TRY(caller.call<idl::Account::CreateAccount>(
        account, {.frames = frames, .objects = objects, .nodes = nodes, .name = "test"}));
    return made.capability(made.fields.account);
}

Expected<CapId> create_memory(Caller& caller, CapId account, u64 bytes) {
    const auto made = TRY(caller.call<idl::Account::CreateMemory>(account, {.bytes = bytes}));
    return made.capability(made.fields.memory);
}

Expected<CapId> create_endpoint(Caller& caller, CapId account) {
    const auto made = TRY(caller.call<idl::Account::CreateEndpoint>(account, {.name = "test"}));
    return made.capability(made.fields.endpoint);
}

Expected<CapId> create_notification(Caller& caller, CapId account) {
    const auto made = TRY(caller.call<idl::Account::CreateNotification>(account));
    return made.capability(made.fields.notification);
}

Expected<ProcessCapabilities> create_process(Caller& caller, CapId account, std::string_view name, u32 slots) {
    const auto made = TRY(caller.call<idl::Account::CreateProcess>(account, {.slots = slots, .name = name}));
    return ProcessCapabilities{made.capability(made.fields.process), made.capability(made.fields.space)};
}

Expected<idl::Account::Usage::Results> usage(Caller& caller, CapId account) {
    return TRY(caller.call<idl::Account::Usage>(account)).fields;
}

Expected<CapId> derive(Caller& caller, CapId account, CapId capability) {
    const auto made = TRY(caller.call<idl::Account::Derive>(account, {.capability = {0}}, {capability}));
    return made.capability(made.fields.capability);
}

Expected<void> revoke(Caller& caller, CapId account, CapId capability) {
    return perform<idl::Account::Revoke>(caller, account, {.capability = {0}}, {capability});
}

Expected<CapId> grant(Caller& caller, CapId process, CapId capability) {
    return CapId{TRY(caller.call<idl::Process::Grant>(process, {.capability = {0}}, {capability})).fields.id};
}

Expected<ThreadCapabilities> create_thread(Caller& caller, CapId process, std::string_view name, ThreadOptions options) {
    const auto made = TRY(caller.call<idl::Process::CreateThread>(process, {.name = name,
                                                                            .priority = options.priority,
                                                                            .region_bytes = options.region_bytes,
                                                                            .submission_entries = options.submission_entries,
                                                                            .completion_entries = options.completion_entries}));
    return ThreadCapabilities{made.capability(made.fields.thread), made.fields.region};
}

Expected<void> kill(Caller& caller, CapId process) { return perform<idl::Process::Kill>(caller, process); }

Expected<void> supervise(Caller& caller, CapId process, CapId notification, u8 bit) {
    return perform<idl::Process::Supervise>(caller, process, {.notification = {0}, .bit = bit}, {notification});
}

Expected<void> write_arena(Caller& caller, CapId thread, std::span<const std::byte> message) {
    constexpr usize kPieceBytes = 192;  // parameters have at most 256 bytes
    for (usize at = 0; at < message.size(); at += kPieceBytes) {
        const auto piece = message.subspan(at, message.size() - at < kPieceBytes ? message.size() - at : kPieceBytes);
        TRY(caller.call<idl::Thread::WriteArena>(thread, {.offset = static_cast<u32>(at), .data = piece}));
    }
    return done;
}

Expected<void> start_thread(Caller& caller, CapId thread, u64 entry, u64 stack, u64 argument, u32 start_length) {
    return perform<idl::Thread::Start>(caller, thread,
                                       {.entry = entry, .stack = stack, .argument = argument, .start_length = start_length});
}

Expected<void> set_cpu(Caller& caller, CapId thread, u32 cpu) {
    return perform<idl::Thread::SetCpu>(caller, thread, {.cpu = cpu});
}

Expected<u64> map(Caller& caller, CapId space, CapId memory, u64 offset, u64 bytes, u64 address, u8 protection) {
    const auto mapped = TRY(caller.call<idl::AddressSpace::Map>(
        space, {.memory = {0}, .offset = offset, .bytes = bytes, .address = address, .protection = protection}, {memory}));
    return mapped.fields.address;
}

Expected<void> unmap(Caller& caller, CapId space, u64 address, u64 bytes) {
    return perform<idl::AddressSpace::Unmap>(caller, space, {.address = address, .bytes = bytes});
}

Expected<void> protect(Caller& caller, CapId space, u64 address, u64 bytes, u8 protection) {
    return perform<idl::AddressSpace::Protect>(caller, space, {.address = address, .bytes = bytes, .protection = protection});
}

Expected<void> seal(Caller& caller, CapId memory) { return perform<idl::Memory::Seal>(caller, memory); }

Expected<CapId> readable(Caller& caller, CapId memory) {
    const auto made = TRY(caller.call<idl::Memory::Readable>(memory));
    return made.capability(made.fields.memory);
}

Expected<CapId> mint(Caller& caller, CapId endpoint, u64 badge) {
    const auto made = TRY(caller.call<idl::Endpoint::Mint>(endpoint, {.badge = badge}));
    return made.capability(made.fields.facet);
}

Expected<CapId> make_receiver(Caller& caller, CapId endpoint) {
    const auto made = TRY(caller.call<idl::Endpoint::Receiver>(endpoint));
    return made.capability(made.fields.receiver);
}

Expected<void> set_down(Caller& caller, CapId endpoint, bool down) {
    return perform<idl::Endpoint::SetDown>(caller, endpoint, {.down = down});
}

Expected<u64> now(Caller& caller, CapId clock) { return TRY(caller.call<idl::Clock::Now>(clock)).fields.ns; }

Expected<u64> free_frames(Caller& caller, CapId platform) {
    return TRY(caller.call<idl::PlatformInfo::Memory>(platform)).fields.frames_free;
}

}  // namespace capos::test
