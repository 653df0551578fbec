// Figures of rings and calls (issue budgets: test/bench/figures.toml). Client and server are two processes in different address
// spaces; what both sides do with their rings is part of each figure.

#include "runtime/ring/registers.h"
#include "support/child.h"
#include "support/figures.h"

namespace capos::test {

namespace {

namespace entry = runtime::entry;
using runtime::ArenaRange;

constexpr u64 kInterface = 0x8f3a'90c1'd2e4'5b67;  // any: the endpoint passes it on
constexpr u32 kHeader = sizeof(abi::MessageHeader);
constexpr u32 kSmall = 64, kPage = 4096;
constexpr u32 kBatch = 32;
constexpr u64 kQuit = 1;  // badge of the facet that ends a server

// --- servers ---

struct Receiving {
    ArenaRange answer;
    bool good;
};

Receiving start_receiving(Environment& environment, u32 payload, u8 buffers) {
    Ring& ring = environment.ring;
    const u32 each = kHeader + payload;
    const auto area = ring.reserve(each * buffers), answer = ring.reserve(payload);
    if (!area || !answer) return {{}, false};
    ring.push(entry::receive_calls(capability<idl::Receiver>(environment, "receiver"),
                                   {.count = buffers, .first_offset = area->offset, .bytes_each = each}));
    return {{answer->offset, payload}, true};
}

u64 serve_by_ring(Environment& environment, u32 payload, u8 buffers) {
    Ring& ring = environment.ring;
    const Receiving receiving = start_receiving(environment, payload, buffers);
    if (!receiving.good) return 1;
    while (true) {
        (void)ring.enter(1);
        while (const auto call = ring.next()) {
            if (call->kind != static_cast<u8>(abi::CompletionKind::call)) return 2;
            const bool quit = ring.message_header(*call).badge == kQuit;
            ring.push(entry::reply(call->token, {.payload = {receiving.answer.offset, call->length}}));
            if (quit) {
                (void)ring.enter();
                return 0;
            }
        }
    }
}

u64 small_server(Environment& environment) { return serve_by_ring(environment, kSmall, 8); }
u64 page_server(Environment& environment) { return serve_by_ring(environment, kPage, 2); }
u64 batch_server(Environment& environment) { return serve_by_ring(environment, kSmall, kBatch); }

u64 register_server(Environment& environment) {
    Ring& ring = environment.ring;
    const Receiving receiving = start_receiving(environment, kSmall, 8);
    if (!receiving.good) return 1;
    (void)ring.enter(1);
    auto call = ring.next();
    while (call && call->kind == static_cast<u8>(abi::CompletionKind::call)) {
        if (ring.message_header(*call).badge == kQuit) {
            ring.push(entry::reply(call->token, {}));
            (void)ring.enter();
            return 0;
        }
        call = runtime::reply_in_registers(ring, call->token, {receiving.answer.offset, call->length});
    }
    return 2;
}

// Answers each signal with one.
u64 signal_server(Environment& environment) {
    Ring& ring = environment.ring;
    const CapId answer = capability<idl::Notification>(environment, "answer");
    ring.push(entry::receive_signals(capability<idl::Notification>(environment, "question")));
    while (true) {
        (void)ring.enter(1);
        while (const auto signal = ring.next()) {
            if (signal->kind != static_cast<u8>(abi::CompletionKind::signal)) return 1;
            ring.push(entry::signal(answer, 1));
            if ((signal->token & 2) != 0) {
                (void)ring.enter();
                return 0;
            }
        }
    }
}

// Notes the time without end, where the program can read it.
constexpr u64 kClockPage = 0x6000'0000;
u64 hog(Environment&) {
    auto* word = reinterpret_cast<u64*>(kClockPage);
    while (true) __atomic_store_n(word, read_tsc(), __ATOMIC_RELAXED);
}

// --- the client ---

struct Connection {
    Child server;
    CapId endpoint, facet, quit;
};

Expected<Connection> connect(World& world, const Image& image, std::string_view name, ChildFunction function, ChildOptions options) {
    const CapId endpoint = TRY(create_endpoint(world.caller, world.account));
    const CapId facet = TRY(mint(world.caller, endpoint, 7)), quit = TRY(mint(world.caller, endpoint, kQuit));
    const CapId receiver = TRY(make_receiver(world.caller, endpoint));
    Child server = TRY(Child::create(world, image, name, function, {{"receiver", idl::Receiver::kInterfaceId, receiver}}, options));
    release(world.caller, receiver);
    return Connection{std::move(server), endpoint, facet, quit};
}

class Bench {
public:
    Bench(World& world, const Image& image, ArenaRange params, ArenaRange reply)
        : world_{world}, ring_{world.ring}, image_{image}, figures_{world}, params_{params}, reply_{reply} {}

    Expected<void> run() {
        rings();
        figures_.measure("ipc.object_call", [&] { (void)now(world_.caller, world_.clock); });
        TRY(calls("ipc.call_64", "small", small_server, kSmall));
        TRY(calls("ipc.call_4096", "page", page_server, kPage));
        TRY(batch());
        TRY(in_registers());
        TRY(signals());
        TRY(interrupts());
        return done;
    }

private:
    static constexpr ChildOptions kServer{.priority = 20, .region_bytes = 64 << 10, .submission_entries = 64, .completion_entries = 128};

    void rings() {
        figures_.measure("ipc.enter", [&] { (void)ring_.enter(); });
        figures_.measure("ipc.nop", [&] {
            ring_.push(entry::nop());
            (void)ring_.enter(1);
            (void)ring_.next();
        });
        figures_.measure("ipc.nop_batch32", [&] {
            for (u32 i = 0; i < kBatch; ++i) ring_.push(entry::nop());
            (void)ring_.enter(kBatch);
            for (u32 i = 0; i < kBatch; ++i) (void)ring_.next();
        }, kBatch);
    }

    void call(CapId facet, u32 bytes) {
        ring_.push(entry::call(facet, kInterface, 3, {.payload = {params_.offset, bytes}}, {.buffer = {reply_.offset, kHeader + bytes}}));
    }

    void one_call(CapId facet, u32 bytes) {
        call(facet, bytes);
        (void)ring_.enter(1);
        (void)ring_.next();
    }

    void end(Connection& connection, std::string_view name) {
        one_call(connection.quit, 0);
        world_.check(name, connection.server.wait_for_end(world_) && !connection.server.state(world_).crashed);
        connection.server.release(world_);
    }

    Expected<void> calls(std::string_view figure, std::string_view name, ChildFunction server, u32 bytes) {
        Connection connection = TRY(connect(world_, image_, name, server, kServer));
        figures_.measure(figure, [&] { one_call(connection.facet, bytes); });
        end(connection, name);
        return done;
    }

    Expected<void> batch() {
        Connection connection = TRY(connect(world_, image_, "batch", batch_server, kServer));
        figures_.measure("ipc.call_batch32", [&] {
            for (u32 i = 0; i < kBatch; ++i) call(connection.facet, kSmall);
            (void)ring_.enter(kBatch);
            for (u32 i = 0; i < kBatch; ++i) (void)ring_.next();
        }, kBatch);
        end(connection, "batch");
        return done;
    }

    Expected<void> in_registers() {
        Connection connection = TRY(connect(world_, image_, "registers", register_server, kServer));
        const runtime::RegisterCall one{.target = connection.facet,
                                        .interface_id = kInterface,
                                        .method = 3,
                                        .params = {params_.offset, kSmall},
                                        .reply = {reply_.offset, kHeader + kSmall}};
        figures_.measure("ipc.call_64_registers", [&] { (void)runtime::call_in_registers(ring_, one); });
        end(connection, "registers");
        return done;
    }

    Expected<void> signals() {
        const CapId question = TRY(create_notification(world_.caller, world_.account));
        const CapId answer = TRY(create_notification(world_.caller, world_.account));
        Child server = TRY(Child::create(world_, image_, "signals", signal_server,
                                         {{"question", idl::Notification::kInterfaceId, question},
                                          {"answer", idl::Notification::kInterfaceId, answer}}, kServer));
        constexpr u64 kTag = 77;
        ring_.push(entry::tagged(entry::receive_signals(answer), kTag));
        (void)ring_.enter();
        const auto round = [&](u64 bits) {
            ring_.push(entry::signal(question, bits));
            (void)ring_.enter(1);
            (void)ring_.next();
        };
        figures_.measure("ipc.wake_roundtrip", [&] { round(1); });
        round(2);
        world_.check("signals", server.wait_for_end(world_) && !server.state(world_).crashed);
        (void)ring_.perform(entry::cancel(kTag));
        (void)ring_.next();
        server.release(world_);
        return done;
    }

    // From the last instruction of a lower thread of another process that the timer interrupted, to this one.
    Expected<void> interrupts() {
        const CapId memory = TRY(create_memory(world_.caller, world_.account, kPageBytes));
        TRY(map(world_.caller, world_.space, memory, 0, kPageBytes, kClockPage, kRead | kWrite));
        const auto* word = reinterpret_cast<const u64*>(kClockPage);
        Child child = TRY(Child::create(world_, image_, "hog", hog, {}, {.priority = 1, .shared_memory = memory, .shared_address = kClockPage}));
        figures_.measure_self("irq.to_user", [&] {
            ring_.push(entry::timer(world_.now() + 200'000));
            (void)ring_.enter(1);
            const u64 woken = read_tsc();
            const u64 before = __atomic_load_n(word, __ATOMIC_RELAXED);
            (void)ring_.next();
            return woken - before;
        });
        (void)kill(world_.caller, child.process);
        child.release(world_);
        return done;
    }

    World& world_;
    Ring& ring_;
    const Image& image_;
    Figures figures_;
    ArenaRange params_, reply_;
};

}  // namespace

void test_main(World& world) {
    const auto image = Image::create(world);
    const auto params = world.ring.reserve(kPage), reply = world.ring.reserve(kHeader + kPage);
    if (!image || !params || !reply) return world.check("set-up", false);
    world.check_ok("bench", Bench{world, *image, *params, *reply}.run());
}

}  // namespace capos::test
