#include "runtime/spawn/spawn.h"

#include <cstring>

#include "runtime/ring/start_message.h"

namespace capos::runtime {

namespace {

constexpr usize kWriteBytesMax = 192;              // Thread.writeArena: the kernel takes messages of 256 bytes
constexpr usize kStartMessageBytesMax = 8192;
constexpr u32 kRandomBytes = 16;

u8 protection(const formats::ElfSegment& segment) {
    return static_cast<u8>(kRead | (segment.writable ? kWrite : 0) | (segment.executable ? kExecute : 0));
}

Error not_a_program(formats::ElfError error) { return Error{Status::bad_message, 0, formats::describe(error)}; }

// Two numbers to place a program with. A processor without a generator gives fixed places.
Task<ProgramLayout> choose_layout(SpawnTools tools, const ProgramImage& image, u64 stack_bytes) {
    u64 random[2]{};
    const auto filled = co_await attempt(tools.entropy.fill(kRandomBytes));
    if (filled && filled->data.size() == sizeof random) std::memcpy(random, filled->data.data(), sizeof random);
    const auto layout = plan_layout(image.elf(), stack_bytes, random);
    if (!layout) co_return fail(Error{Status::bad_argument, 0, "program and stack do not fit into the address space"});
    co_return *layout;
}

Task<void> map_segment(SpawnTools tools, const ProgramImage& image, usize index, const idl::Account::Client& account,
                       const idl::AddressSpace::Client& space, u64 base) {
    const formats::ElfSegment& segment = image.elf().segments()[index];
    const SegmentPlace at = place(segment, base);
    if (!segment.writable) {
        co_await space.map(image.shared(index), 0, at.bytes, at.address, protection(segment));
        co_return done;
    }
    const auto memory = co_await filled_memory(tools, account, at.bytes, at.skip, image.contents(segment), false);
    co_await space.map(memory, 0, at.bytes, at.address, protection(segment));
    co_return done;
}

// What the child is given, by its own ids, as the table of its start-up message.
struct Given {
    std::string_view name;
    u64 interface_id{};
    abi::CapId id;  // first in our table, then in the child's
};

// All grants are under way together: one wait for the lot.
Task<void> grant_all(const idl::Process::Client& process, Loop& loop, std::vector<Given>& given) {
    std::vector<Call<idl::Process::Grant>> calls;
    calls.reserve(given.size());
    for (const Given& one : given) {
        calls.push_back(process.grant(Client::borrowed(loop, one.id)));
        calls.back().send();
    }
    for (usize i = 0; i < given.size(); ++i) given[i].id = abi::CapId{(co_await std::move(calls[i])).id};
    co_return done;
}

Outcome<std::vector<std::byte>> start_message(const SpawnRequest& request, const std::vector<Given>& given) {
    std::vector<std::byte> bytes(kStartMessageBytesMax);
    StartMessageBuilder builder{bytes};
    for (const Given& one : given) builder.capability(one.name, one.interface_id, one.id);
    builder.argument(request.name);
    for (const std::string& text : request.arguments) builder.argument(text);
    for (const std::string& text : request.environment) builder.environment(text);
    const auto message = builder.finish();
    if (!message) return fail(Error{message.error(), 0, "the start-up message is too large"});
    bytes.resize(message->size());
    return bytes;
}

Task<void> write_message(const idl::Thread::Client& thread, std::span<const std::byte> message) {
    std::vector<Call<idl::Thread::WriteArena>> calls;
    for (usize at = 0; at < message.size(); at += kWriteBytesMax) {
        const usize part = std::min(kWriteBytesMax, message.size() - at);
        calls.push_back(thread.write_arena(static_cast<u32>(at), message.subspan(at, part)));
        calls.back().send();
    }
    for (auto& call : calls) co_await std::move(call);
    co_return done;
}

}  // namespace

Task<idl::Memory::Client> filled_memory(SpawnTools tools, const idl::Account::Client& account, u64 bytes, u64 skip,
                                        std::span<const std::byte> content, bool sealed) {
    auto memory = (co_await account.create_memory(bytes)).memory;
    if (!content.empty()) {
        const u64 mapped = (co_await tools.space.map(memory, 0, bytes, 0, kRead | kWrite)).address;
        std::memcpy(reinterpret_cast<std::byte*>(mapped) + skip, content.data(), content.size());
        co_await tools.space.unmap(mapped, bytes);
    }
    if (sealed) co_await memory.seal();
    co_return std::move(memory);
}

Task<ProgramImage> ProgramImage::load(SpawnTools tools, std::span<const std::byte> file) {
    const auto elf = formats::parse_elf(file);
    if (!elf) co_return fail(not_a_program(elf.error()));
    ProgramImage image;
    image.elf_ = *elf;
    image.file_ = file;
    for (const formats::ElfSegment& segment : image.elf_.segments()) {
        const SegmentPlace at = place(segment, 0);
        if (segment.writable) image.shared_.emplace_back();
        else image.shared_.push_back(
                co_await filled_memory(tools, tools.account, at.bytes, at.skip, image.contents(segment), true));
    }
    co_return std::move(image);
}

Task<Spawned> spawn(SpawnTools tools, const ProgramImage& image, SpawnRequest request) {
    const ProgramLayout layout = co_await choose_layout(tools, image, request.stack_bytes);
    auto made = co_await request.account.create_process(request.slots, request.name);
    if (request.notification != nullptr) co_await made.process.supervise(*request.notification, request.bit);
    for (usize i = 0; i < image.elf().segment_count; ++i) {
        co_await map_segment(tools, image, i, request.account, made.space, layout.base);
    }
    const auto stack = (co_await request.account.create_memory(request.stack_bytes)).memory;
    co_await made.space.map(stack, 0, request.stack_bytes, layout.stack, kRead | kWrite);

    auto thread = (co_await made.process.create_thread(request.name, request.priority, request.region_bytes,
                                                       request.submissions, request.completions)).thread;
    // What the child spends from ends with whoever made it, even where the child passed it on.
    const auto account = (co_await request.account.derive(request.account)).capability;
    std::vector<Given> given{{"process", idl::Process::kInterfaceId, made.process.id()},
                             {"thread", idl::Thread::kInterfaceId, thread.id()},
                             {"space", idl::AddressSpace::kInterfaceId, made.space.id()},
                             {"account", idl::Account::kInterfaceId, account.id()}};
    for (const NamedGrant& grant : request.grants) given.push_back({grant.name, grant.interface_id, grant.id});
    co_await grant_all(made.process, tools.loop, given);
    const auto message = co_await start_message(request, given);
    co_await write_message(thread, message);
    const u64 number = (co_await made.process.state()).number;
    co_await thread.start(layout.entry, layout.stack_top, 0, 0, static_cast<u32>(message.size()));
    co_return Spawned{.process = std::move(made.process), .thread = std::move(thread), .number = number};
}

}  // namespace capos::runtime
