#include "support/echo.h"

namespace capos::test {

namespace {

using namespace runtime;

constexpr u32 kHeaderBytes = sizeof(abi::MessageHeader);

// The answer is what lies in the receive buffer, which is given back with it.
abi::Submission answer(const abi::Completion& call) {
    return entry::reply(call.token, {.payload = {call.offset + kHeaderBytes, call.length}});
}

bool is_call(const abi::Completion& completion) { return completion.kind == static_cast<u8>(abi::CompletionKind::call); }

u64 serve_ring(Ring& ring) {
    while (true) {
        (void)ring.enter(1);
        while (const auto completion = ring.next()) {
            if (!is_call(*completion)) {
                if (completion->kind == static_cast<u8>(abi::CompletionKind::done)) return completion->status;
                continue;
            }
            if (ring.push(answer(*completion))) continue;
            (void)ring.enter();
            (void)ring.push(answer(*completion));
        }
    }
}

u64 serve_registers(Ring& ring) {
    (void)ring.enter(1);
    std::optional<abi::Completion> completion = ring.next();
    while (completion && is_call(*completion)) completion = ring.reply_in_registers(answer(*completion));
    return completion ? completion->status : 0;
}

u64 serve(Environment& environment) {
    Ring& ring = environment.ring;
    constexpr u32 kBufferBytes = kHeaderBytes + kEchoMessageBytes;
    const auto buffers = ring.reserve(kBufferBytes * kEchoBuffers);
    if (!buffers) return 1;
    (void)ring.push(entry::receive_calls(capability<idl::Receiver>(environment, "receiver"),
                                         {.count = kEchoBuffers, .first_offset = buffers->offset, .bytes_each = kBufferBytes}));
    return number_of(environment) == static_cast<u64>(EchoMode::registers) ? serve_registers(ring) : serve_ring(ring);
}

}  // namespace

Expected<Echo> Echo::create(World& world, const Image& image, EchoMode mode, ChildOptions options) {
    const CapId endpoint = TRY(create_endpoint(world.caller, world.account));
    const CapId receiver = TRY(make_receiver(world.caller, endpoint));
    const CapId facet = TRY(mint(world.caller, endpoint, 7));
    options.region_bytes = 256 * 1024;
    options.submission_entries = 64;
    options.completion_entries = 128;
    options.number = static_cast<u64>(mode);
    Child child =
        TRY(Child::create(world, image, "echo", serve, {{"receiver", idl::Receiver::kInterfaceId, receiver}}, options));
    // A first answer shows that it receives.
    (void)world.ring.perform(echo_call(facet, {}, {world.ring.reserve(kHeaderBytes).value_or(ArenaRange{})}));
    return Echo{endpoint, receiver, facet, std::move(child)};
}

void Echo::release(World& world) {
    child.release(world);
    for (const CapId id : {facet, receiver, endpoint}) test::release(world.caller, id);
}

}  // namespace capos::test
