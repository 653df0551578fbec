// One hostile thread: bytes in its ring's header, queues and arena, changed while the kernel reads them, next to a server
// and its other client, who must not notice. The input is a list of moves:
//     0 write: offset u16, length u8, bytes     1 entry: 64 bytes of the queue, its capability a slot of the table
//     2 enter: count, wait                      3 the server answers what it has
//     4 the bytes that follow are written at the n-th shared read from now: n, offset u16, length, bytes
//     5 enter with three registers              6 an access to memory          7 the honest client calls
#include "sim/world.h"

#include "support/target.h"

namespace capos::fuzz {

namespace {

using namespace sim;
namespace entry = runtime::entry;

constexpr int kMovesMax = 64;

class Moves {
public:
    explicit Moves(Bytes input) : rest_{input} {}
    bool empty() const { return rest_.empty(); }
    u64 number(usize bytes) {
        u64 value = 0;
        for (; bytes > 0; --bytes) {
            value = value << 8 | (rest_.empty() ? 0 : static_cast<u64>(rest_.front()));
            if (!rest_.empty()) rest_ = rest_.subspan(1);
        }
        return value;
    }
    Bytes bytes(usize count) {
        const Bytes taken = rest_.first(std::min(count, rest_.size()));
        rest_ = rest_.subspan(taken.size());
        return taken;
    }

private:
    Bytes rest_;
};

struct Scene {
    World w{{.machine = {.cpus = 4, .frames = 400, .nodes = 200, .objects = 120}}};
    abi::CapId endpoint = w.make_endpoint(), receiver = w.make_receiver(endpoint), facet = w.make_facet(endpoint, 1);
    Spawned server = w.spawn("server"), hostile, honest = w.spawn("honest", {.cpu = 3});
    abi::CapId facet_of_honest = w.grant(honest, facet);
    u64 called = 0, answered = 0;

    Scene() {
        server.user.push(receive_entry(w.grant(server, receiver), {.count = 4, .bytes = 512, .slots_each = 2}));
        (void)server.user.enter(1);
        const abi::CapId account = w.make_account(120, 24, 40);
        hostile = w.spawn("hostile", {.cpu = 2, .account = account});
        const abi::CapId notification = w.make_notification(), memory = w.make_memory(2), own = w.make_endpoint();
        for (const abi::CapId id :
             {account, facet, facet, hostile.process, hostile.space, hostile.thread, notification, memory, own,
              w.make_receiver(own), w.make_facet(own, 7), w.clock, w.entropy, w.kernel_log, w.platform}) {
            w.grant(hostile, id);
        }
    }

    std::byte* at(u64 offset) { return hostile.user.region() + offset % 16'384; }
    void write(u64 offset, Bytes bytes) {
        for (usize i = 0; i < bytes.size(); ++i) *at(offset + i) = bytes[i];
    }
    void push(Bytes bytes) {
        abi::Submission e{};
        std::memcpy(&e, bytes.data(), std::min(bytes.size(), sizeof e));
        e.opcode %= 12;
        e.flags &= 31;
        const auto slots = w.inspect.slots(*hostile.object);
        if (!slots.empty() && (e.flags & abi::kPipelined) == 0) e.capability = slots[e.capability % slots.size()].first.value;
        if (e.opcode == 1 && e.params_length > 512) e.params_length %= 512;
        e.reserved = e.reserved == 1 ? 1 : 0;
        hostile.user.push(e);
    }
    void serve() {
        while (const auto c = server.user.pop()) {
            if (static_cast<abi::CompletionKind>(c->kind) != abi::CompletionKind::call) continue;
            check(c->length <= 512 && c->offset >= User::kFree && c->offset < User::kFree + 4 * 512,
                  "a call lies in its buffer");
            server.user.push(entry::reply(c->token, {{c->offset + u32{sizeof(abi::MessageHeader)}, c->length}, 0, 0}));
            (void)server.user.enter(1);
        }
        (void)server.user.enter(0);
    }
    void call_honestly() {
        honest.user.push(text_call(honest.user, facet_of_honest, "honest", ++called));
        (void)honest.user.enter(1);
        serve();
        const auto c = honest.user.pop();
        check(c && c->user_data == called && c->status == 0, "another client's call is answered");
        check(c->length == 6 && std::memcmp(honest.user.payload(*c).data(), "honest", 6) == 0, "with what it sent");
    }
};

void play(Scene& s, Moves& moves) {
    Machine& m = s.w.machine;
    u64 reads_left = 0;
    u64 offset = 0;
    Bytes late;
    m.before_shared_read = [&](void*, usize) {
        // Once the hostile thread has ended, its ring is no one's; the honest thread's reads go on.
        if (s.hostile.user.thread().region == nullptr) return;
        if (reads_left != 0 && --reads_left == 0) s.write(offset, late);
    };
    for (int i = 0; i < kMovesMax && !moves.empty(); ++i) {
        const u64 move = moves.number(1) % 8;
        if (move == 3) {
            s.serve();
        } else if (move == 7) {
            s.call_honestly();
        } else if (!s.hostile.user.running()) {
            m.pass(kernel::Duration{1'000'000});
            m.settle();
            if (s.hostile.object->state != kernel::Process::State::alive) break;
        } else if (move == 0) {
            const u64 where = moves.number(2);
            s.write(where, moves.bytes(moves.number(1)));
        } else if (move == 1) {
            s.push(moves.bytes(sizeof(abi::Submission)));
        } else if (move == 2) {
            while (s.hostile.user.unread() - 1 < 64 && (moves.number(1) & 1) != 0) (void)s.hostile.user.pop();
            const u32 count = static_cast<u32>(moves.number(1) % 18), wait = static_cast<u32>(moves.number(1) % 4);
            (void)s.hostile.user.enter(count, wait, m.time.ns + 100'000);
        } else if (move == 4) {
            reads_left = moves.number(1) % 16 + 1;
            offset = moves.number(2);
            late = moves.bytes(moves.number(1) % 16);
        } else if (move == 5) {
            const u64 rdi = moves.number(1), rsi = moves.number(1);
            kernel::UserContext& c = s.hostile.user.thread().context;
            c.r8 = moves.number(2), c.r9 = moves.number(1), c.r10 = moves.number(2) << 32 | moves.number(2) << 3;
            c.r12 = moves.number(2) << 32 | moves.number(2) << 3, c.r13 = 1, c.r14 = moves.number(1);
            const auto slots = s.w.inspect.slots(*s.hostile.object);
            if (!slots.empty() && (rdi & 3) == 1) c.r8 = slots[c.r8 % slots.size()].first.value;
            (void)s.hostile.user.enter_raw((rdi & 3) == 1 ? abi::kEnterCall : (rdi & 3) == 2 ? abi::kEnterReturn : rdi, rsi % 3,
                                           m.time.ns + 100'000);
        } else {
            u64 value = 0;
            const auto regions = s.w.inspect.regions(*s.hostile.object);
            const u64 page = regions.empty() ? 0 : regions[moves.number(1) % regions.size()].start;
            (void)s.hostile.user.load(page + 8 * moves.number(1), value);
        }
        s.w.inspect.check();
    }
    m.before_shared_read = nullptr;
    s.call_honestly();
}

}  // namespace

void run(Bytes input) {
    try {
        Scene scene;
        Moves moves{input};
        play(scene, moves);
        scene.w.drain();
        scene.w.inspect.check();
    } catch (const std::exception& problem) {
        check(false, problem.what());
    }
}

std::vector<ByteVector> seeds() {
    std::vector<ByteVector> all;
    auto move = [](ByteWriter& bytes, const abi::Submission& e) {
        bytes.put(u8{1});
        const auto* raw = reinterpret_cast<const u8*>(&e);
        for (usize i = 0; i < sizeof e; ++i) bytes.put(raw[i]);
    };
    const abi::Submission entries[] = {
        entry::nop(),
        entry::call(abi::CapId{1}, 9, 1, {{0, 40}, 512, 0}, {{640, 256}, 1}),
        entry::call(abi::CapId{1}, 9, 1, {{0, 40}, 512, 2}, {{640, 256}, 1}),
        entry::fills(entry::call(abi::CapId{1}, 9, 1, {{0, 40}, 512, 0}, {{640, 256}, 1}), 2),
        entry::pipelined_call({2, 0}, 5, 6, {{0, 4}, 0, 0}, {{1024, 512}, 0}),
        entry::call(abi::CapId{0}, idl::Account::kInterfaceId, 5, {}, {{640, 256}, 0}),
        entry::call(abi::CapId{0}, idl::Account::kInterfaceId, 3, {}, {{640, 256}, 1}),
        entry::call(abi::CapId{11}, idl::Clock::kInterfaceId, 0, {}, {{640, 256}, 0}),
        entry::receive_signals(abi::CapId{6}),
        entry::receive_calls(abi::CapId{9}, {.group = 1, .count = 2, .first_offset = 8192, .bytes_each = 512, .slots_each = 1}),
        entry::call(abi::CapId{10}, 9, 1, {{0, 40}, 512, 0}, {{640, 256}, 1}),
        entry::signal(abi::CapId{6}, 5),
        entry::timer(2'000'000),
        entry::release(abi::CapId{2}),
        entry::cancel(0),
        entry::finish(2),
        entry::wait(0x10'0000'0000, 0),
        entry::wake(0x10'0000'0000, 2),
        entry::provide(1, 0),
        entry::reply(1 << 16, {{0, 40}, 0, 0}),
    };
    for (const abi::Submission& e : entries) {
        ByteWriter bytes;
        for (int i = 0; i < 3; ++i) {
            move(bytes, e);
            for (const int b : {2, 0, 1, 0, 3, 7}) bytes.put(static_cast<u8>(b));
        }
        all.push_back(bytes.take());
    }
    ByteWriter together;
    for (const abi::Submission& e : entries) move(together, e);
    for (const int b :
         {2, 0, 16, 1, 3, 2, 0, 4, 0, 4, 2, 0, 64, 4, 9, 9, 9, 9, 2, 0, 1, 0, 5, 1, 1, 0, 1, 9, 0, 8, 0, 0, 1, 0, 0, 80, 1})
        together.put(static_cast<u8>(b));
    all.push_back(together.take());
    return all;
}

}  // namespace capos::fuzz
