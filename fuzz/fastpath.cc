// The ways of a call between two threads that wait for each other must look the same to both: in registers or by the ring,
// with direct hand-over or the general way. Half of the input is what the client does, half what the
// server does.
#include "sim/world.h"

#include "support/target.h"

namespace capos::fuzz {

namespace {

using namespace sim;
namespace entry = runtime::entry;

constexpr int kActionsMax = 40;
constexpr u32 kReplyAt = 2048, kBuffersAt = 8192;

struct Way {
    bool registers;
    bool general;  // the core's shortcuts are not tried
};

struct Script {
    Bytes rest;
    u64 number(usize bytes) {
        u64 value = 0;
        for (; bytes > 0 && !rest.empty(); --bytes) {
            value = value << 8 | static_cast<u64>(rest.front());
            rest = rest.subspan(1);
        }
        return value;
    }
};

// One side: its thread, what it will do, and everything that it has seen.
struct Side {
    User user;
    Script script;
    std::vector<u64> seen;
    u64 token{};
    bool entered{};

    void see(const abi::Completion& c) {
        seen.insert(seen.end(), {c.user_data, c.token, c.length, c.offset, c.status, c.method, c.capability_count, c.kind});
        if (c.kind == static_cast<u8>(abi::CompletionKind::call)) {
            const abi::MessageHeader& h = user.message_header(c);
            seen.insert(seen.end(), {h.badge, h.interface_id, h.incarnation});
            token = c.token;
        }
        if (c.length == 0 || c.length > 8192) return;
        u64 sum = 0;
        for (const std::byte b : user.payload(c)) sum = sum * 31 + static_cast<u64>(b);
        seen.push_back(sum);
    }
    // After an enter: what it brought.
    void collect() {
        entered = false;
        const abi::EnterResult result = user.result();
        seen.push_back(static_cast<u64>(result.status()));
        const kernel::UserContext& c = user.thread().context;
        if (result.in_registers()) see(std::bit_cast<abi::Completion>(std::array{c.rdi, c.rsi, c.rdx, c.r8}));
        while (const auto completion = user.pop()) see(*completion);
    }
    // One entry, and a wait for one completion.
    void enter(const abi::Submission& e, u64 operation, const Way& way) {
        entered = true;
        if (!way.registers) {
            user.push(e);
            (void)user.enter(1, 1);
            return;
        }
        kernel::UserContext& c = user.thread().context;
        c.r8 = operation == abi::kEnterCall ? e.capability : e.argument;
        c.r9 = e.interface_id;
        c.r10 = e.params_offset | u64{e.params_length} << 32;
        c.r12 = e.reply_offset | u64{e.reply_capacity} << 32;
        c.r13 = e.user_data;
        c.r14 = e.method;
        (void)user.enter_raw(operation, 1, ~u64{0});
    }
};

struct Outcome {
    std::vector<u64> client, server;
    bool operator==(const Outcome&) const = default;
};

void act_as_client(Side& s, abi::CapId facet, const Way& way) {
    const u64 what = s.script.number(1);
    u32 length = static_cast<u32>(s.script.number(1)) % 257, offset = 8 * (static_cast<u32>(s.script.number(1)) % 64);
    u32 reply = kReplyAt, capacity = 96 + static_cast<u32>(s.script.number(1));
    if (what == 1) offset = 12'288 - 8;    // leaves the arena unless it is short
    if (what == 2) offset += 4;
    if (what == 3) capacity = 95;
    if (what == 4) reply = 12'288 - 96;
    std::memset(s.user.arena(offset % 12'000), static_cast<int>(what), std::min<u32>(length, 12'288 - offset % 12'288));
    const abi::CapId target = what == 5 ? abi::CapId{77} : facet;
    s.enter(
        entry::tagged(entry::call(target, what, static_cast<u16>(what * 3), {{offset, length}, 0, 0}, {{reply, capacity}, 0}),
                      what + 1),
        abi::kEnterCall, way);
}

void act_as_server(Side& s, const Way& way) {
    const u64 what = s.script.number(1);
    const u32 length = static_cast<u32>(s.script.number(1)) % 257;
    std::memset(s.user.arena(256), static_cast<int>(what), length);
    const u64 token = what == 1 ? s.token + 1 : s.token;
    s.enter(entry::tagged(entry::reply(token, {{what == 2 ? 12'280u : 256u, length}, 0, 0}), what + 1000), abi::kEnterReturn,
            way);
}

Outcome play(Bytes input, const Way& way) {
    World w{{.machine = {.cpus = 2, .frames = 300, .nodes = 100, .objects = 60}}};
    const abi::CapId endpoint = w.make_endpoint(), receiver = w.make_receiver(endpoint), facet = w.make_facet(endpoint, 5);
    Spawned server = w.spawn("server", {.cpu = 1});
    const usize half = input.size() / 2;
    Side server_side{server.user, {input.subspan(half)}, {}}, client_side;
    const u8 setup = input.empty() ? u8{0} : static_cast<u8>(input.front());
    server.user.push(receive_entry(w.grant(server, receiver), {.count = static_cast<u8>(1 + setup % 3),
                                                               .bytes = (setup & 4) != 0 ? 256u : 376u,
                                                               .slots_each = static_cast<u8>(setup >> 3 & 1),
                                                               .first = kBuffersAt}));
    (void)server.user.enter(1, 1);
    server_side.entered = true;
    Spawned client = w.spawn("client", {.cpu = 1});
    client_side = {client.user, {input.first(half)}, {}};
    const abi::CapId own = w.grant(client, facet);
    w.machine.shortcuts = !way.general;
    for (int i = 0; i < kActionsMax; ++i) {
        Side* side = client_side.user.running() ? &client_side : server_side.user.running() ? &server_side : nullptr;
        if (side == nullptr) break;  // both wait: the script is over, or one has nothing to answer
        if (side->entered) side->collect();
        if (side->script.rest.empty()) {
            side->entered = true;
            (void)side->user.enter(0, 1);
        } else if (side == &client_side) {
            act_as_client(*side, own, way);
        } else {
            act_as_server(*side, way);
        }
        w.inspect.check();
    }
    return {client_side.seen, server_side.seen};
}

}  // namespace

void run(Bytes input) {
    try {
        const Outcome registers = play(input, {.registers = true, .general = false});
        const Outcome direct = play(input, {.registers = false, .general = false});
        const Outcome general = play(input, {.registers = false, .general = true});
        const Outcome slow_registers = play(input, {.registers = true, .general = true});
        check(direct == general, "a direct hand-over looks like the general way");
        check(registers == direct, "registers look like the ring");
        check(slow_registers == general, "registers look like the ring, the general way too");
    } catch (const std::exception& problem) {
        check(false, problem.what());
    }
}

std::vector<ByteVector> seeds() {
    std::vector<ByteVector> all;
    for (u8 setup = 0; setup < 16; ++setup) {
        ByteWriter bytes;
        bytes.put(setup);
        for (u8 i = 0; i < 12; ++i) {
            for (const u8 b : {static_cast<u8>(i + setup), static_cast<u8>(i * 20), u8{3}, static_cast<u8>(setup * 16)})
                bytes.put(b);
        }
        for (u8 i = 0; i < 24; ++i) {
            for (const u8 b : {static_cast<u8>(i == 7 ? 1 : i == 9 ? 2 : 30 + i), static_cast<u8>(i * 11)}) bytes.put(b);
        }
        all.push_back(bytes.take());
    }
    return all;
}

}  // namespace capos::fuzz
