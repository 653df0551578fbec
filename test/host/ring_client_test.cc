// The user's side of a ring: indices, completions out of order, one-entry helpers, typed calls. The kernel is a fake.
#include <new>

#include <catch2/catch.hpp>

#include "host/support/fake_kernel.h"
#include "runtime/ring/caller.h"
#include "runtime/ring/log.h"

using namespace capos;
using namespace capos::runtime;
using namespace capos::test;
using abi::CapId;

namespace {

Ring attach(FakeKernel& kernel) {
    Result<Ring, Status> ring = Ring::attach(kernel.region());
    REQUIRE(ring);
    return *std::move(ring);
}

// Plays a kernel object: writes a reply in front of which the capabilities stand, and completes the call.
template <typename Results>
void reply(FakeKernel& kernel, const abi::Submission& call, const Results& results,
           std::initializer_list<u64> capabilities = {}) {
    abi::MessageHeader header{};
    std::copy(capabilities.begin(), capabilities.end(), header.capabilities);
    std::memcpy(kernel.arena(call.reply_offset), &header, sizeof(header));
    const usize room = call.reply_capacity - sizeof(header);
    const usize length = results.encode({kernel.arena(call.reply_offset) + sizeof(header), room});
    kernel.post({.user_data = call.user_data,
                 .length = static_cast<u32>(length),
                 .offset = call.reply_offset,
                 .capability_count = static_cast<u8>(capabilities.size())});
}

}  // namespace

TEST_CASE("a ring client attaches only to a ring region that is one") {
    FakeKernel kernel;
    CHECK(Ring::attach(kernel.region()));
    const auto refused = [&](auto change) {
        FakeKernel broken;
        change(broken.header());
        return !Ring::attach(broken.region());
    };
    CHECK(refused([](abi::RingHeader& header) { header.magic ^= 1; }));
    CHECK(refused([](abi::RingHeader& header) { header.version = 2; }));
    CHECK(refused([](abi::RingHeader& header) { header.sq_entries = 3; }));
    CHECK(refused([](abi::RingHeader& header) { header.cq_entries = 0; }));
    CHECK(refused([](abi::RingHeader& header) { header.cq_offset = header.region_bytes; }));
    CHECK(refused([](abi::RingHeader& header) { header.arena_bytes += 8; }));
    CHECK(refused([](abi::RingHeader& header) { header.start_length = header.arena_bytes + 1; }));
    CHECK(refused([](abi::RingHeader& header) { header.start_offset = 8, header.start_length = header.arena_bytes; }));
}

TEST_CASE("a full submission queue refuses an entry until the kernel took some") {
    FakeKernel kernel;
    Ring ring = attach(kernel);
    for (u32 i = 0; i < FakeKernel::kSubmissions; ++i) CHECK(ring.push(entry::nop()));
    CHECK_FALSE(ring.push(entry::nop()));
    CHECK(ring.enter(FakeKernel::kSubmissions) == Status::ok);
    CHECK(ring.unsubmitted() == 0);
    CHECK(ring.push(entry::nop()));
}

TEST_CASE("indices wrap at 2^32") {
    FakeKernel kernel;
    Ring ring = attach(kernel);
    for (u64 i = 0; i < 100; ++i) {  // the fake's slots wrap many times; the order stays
        for (u64 n = 0; n < 3; ++n) REQUIRE(ring.push(entry::tagged(entry::nop(), 3 * i + n)));
        REQUIRE(ring.enter(3) == Status::ok);
        for (u64 n = 0; n < 3; ++n) REQUIRE(ring.next()->user_data == 3 * i + n);
        REQUIRE_FALSE(ring.next());
    }
}

TEST_CASE("entries that the kernel has no record for stay in the queue and are offered again") {
    FakeKernel kernel;
    Ring ring = attach(kernel);
    kernel.records = 1;
    REQUIRE(ring.push(entry::tagged(entry::nop(), 1)));
    REQUIRE(ring.push(entry::tagged(entry::nop(), 2)));
    CHECK(ring.enter(1) == Status::ok);
    CHECK(ring.unsubmitted() == 1);
    kernel.records = 1;
    CHECK(ring.enter(2) == Status::ok);
    CHECK(ring.unsubmitted() == 0);
    CHECK(ring.next()->user_data == 1);
    CHECK(ring.next()->user_data == 2);
}

TEST_CASE("perform finds its completion behind those of others, which stay in order") {
    FakeKernel kernel;
    Ring ring = attach(kernel);
    kernel.on_submission = [&](const abi::Submission& entry) {
        kernel.post({.user_data = 11});
        kernel.post({.user_data = 12});
        kernel.complete(entry, Status::bad_capability);
        kernel.post({.user_data = 13});
    };
    const auto completion = ring.perform(entry::nop());
    REQUIRE(completion);
    CHECK(completion->status == static_cast<u16>(Status::bad_capability));
    CHECK(ring.unread() == 4);  // the taken one keeps its slot until those before it are read
    CHECK(ring.next()->user_data == 11);
    CHECK(ring.next()->user_data == 12);
    CHECK(ring.unread() == 1);
    CHECK(ring.next()->user_data == 13);
    CHECK_FALSE(ring.next());
}

TEST_CASE("several completions taken out of order are passed over once, also around the end of the queue") {
    FakeKernel kernel;
    Ring ring = attach(kernel);
    for (u32 round = 0; round < 3 * FakeKernel::kCompletions; ++round) {
        for (u64 i = 1; i <= 5; ++i) kernel.post({.user_data = i});
        REQUIRE(ring.take(4));
        REQUIRE(ring.take(2));
        REQUIRE_FALSE(ring.take(2));
        REQUIRE(ring.take(1));
        REQUIRE(ring.next()->user_data == 3);
        REQUIRE(ring.next()->user_data == 5);
        REQUIRE(ring.unread() == 0);
    }
}

TEST_CASE("perform waits for its own completion although others are unread") {
    FakeKernel kernel;
    Ring ring = attach(kernel);
    kernel.post({.user_data = 7});
    u64 waited_for{};
    kernel.on_submission = [&](const abi::Submission& entry) { waited_for = entry.user_data; };
    kernel.on_wait = [&] { return kernel.post({.user_data = waited_for}), true; };
    CHECK(ring.perform(entry::timer(5)));
    CHECK(kernel.enters == 1);
    CHECK(ring.next()->user_data == 7);
}

TEST_CASE("perform takes its entry back when the kernel has no record for it") {
    FakeKernel kernel;
    Ring ring = attach(kernel);
    kernel.records = 0;
    const auto completion = ring.perform(entry::nop());
    REQUIRE_FALSE(completion);
    CHECK(completion.error() == Status::overloaded);
    CHECK(ring.unsubmitted() == 0);
    kernel.records = 1;
    CHECK(ring.perform(entry::nop()));
    CHECK(kernel.submissions.size() == 1);
}

TEST_CASE("a deadline cancels the entry and leaves nothing of it behind") {
    FakeKernel kernel;
    Ring ring = attach(kernel);
    abi::Submission call{};
    kernel.on_submission = [&](const abi::Submission& entry) {
        if (entry.opcode == entry::code(abi::Opcode::call)) {
            call = entry;
            return;
        }
        CHECK(entry.opcode == entry::code(abi::Opcode::cancel));
        CHECK(entry.argument == call.user_data);
        kernel.complete(call, Status::cancelled);
        kernel.complete(entry);
    };
    const auto completion = ring.perform(entry::call(CapId{1}, 2, 3, {}, {}), 1000);
    REQUIRE_FALSE(completion);
    CHECK(completion.error() == Status::timed_out);
    CHECK(ring.unread() == 0);
}

TEST_CASE("an entry in registers leaves the queue alone and gives the oldest completion") {
    FakeKernel kernel;
    Ring ring = attach(kernel);
    REQUIRE(ring.push(entry::tagged(entry::nop(), 1)));
    const auto completion = ring.call_in_registers(entry::tagged(entry::call(CapId{1}, 2, 3, {}, {}), 9));
    REQUIRE(completion);
    CHECK(completion->user_data == 9);
    CHECK(ring.unsubmitted() == 1);
    kernel.records = 0;
    CHECK_FALSE(ring.reply_in_registers(entry::reply(4, {})));
}

TEST_CASE("collect waits for bits, ends its RECEIVE, and loses none") {
    FakeKernel kernel;
    Ring ring = attach(kernel);
    u64 receive{};
    kernel.on_submission = [&](const abi::Submission& entry) {
        if (entry.opcode == entry::code(abi::Opcode::receive)) {
            receive = entry.user_data;
            return;
        }
        CHECK(entry.argument == receive);
        kernel.post({.user_data = receive, .token = 4, .kind = static_cast<u8>(abi::CompletionKind::signal)});
        kernel.post({.user_data = receive, .status = static_cast<u16>(Status::cancelled)});
        kernel.complete(entry);
    };
    kernel.on_wait = [&] {
        return kernel.post({.user_data = receive, .token = 1, .kind = static_cast<u8>(abi::CompletionKind::signal)}), true;
    };
    CHECK(ring.collect(CapId{3}).value_or(0) == 5);
    CHECK(ring.unread() == 0);

    kernel.on_submission = [&](const abi::Submission& entry) { kernel.complete(entry, Status::wrong_interface); };
    CHECK(ring.collect(CapId{3}).error() == Status::wrong_interface);
}

TEST_CASE("collect leaves nothing behind when the deadline passes") {
    FakeKernel kernel;
    Ring ring = attach(kernel);
    abi::Submission receive{};
    kernel.on_submission = [&](const abi::Submission& entry) {
        if (entry.opcode == entry::code(abi::Opcode::receive)) {
            receive = entry;
            return;
        }
        kernel.complete(receive, Status::cancelled);
        kernel.complete(entry);
    };
    CHECK(ring.collect(CapId{3}, 1000).error() == Status::timed_out);
    CHECK(ring.unread() == 0);
}

TEST_CASE("an entry that is silent on success reports its failure") {
    FakeKernel kernel;
    Ring ring = attach(kernel);
    kernel.on_submission = [](const abi::Submission&) {};
    CHECK(ring.post(entry::release(CapId{5})));
    kernel.on_submission = [&](const abi::Submission& entry) { kernel.complete(entry, Status::stale); };
    const auto result = ring.post(entry::reply(9, {}));
    REQUIRE_FALSE(result);
    CHECK(result.error() == Status::stale);
    CHECK(ring.unread() == 0);
}

TEST_CASE("the arena is given out from behind the start-up message, aligned, and ends") {
    FakeKernel kernel;
    kernel.header().start_offset = 0;
    kernel.header().start_length = 13;
    Ring ring = attach(kernel);
    const auto first = ring.reserve(5), second = ring.reserve(8);
    REQUIRE((first && second));
    CHECK(first->offset == 16);
    CHECK(second->offset == 24);
    const u32 rest = ring.arena_bytes() - 32;
    CHECK(ring.reserve(rest + 1).error() == Status::quota);
    CHECK(ring.reserve(rest));
    CHECK(ring.reserve(1).error() == Status::quota);
}

TEST_CASE("a message is built where it is sent from, aligned, and never moves [R25]") {
    FakeKernel kernel;
    Ring ring = attach(kernel);
    auto caller = Caller::create(ring, 1024);
    REQUIRE(caller);
    const std::byte* before = caller->params().data();
    CHECK(reinterpret_cast<std::uintptr_t>(before) % 8 == 0);
    // Whatever is reserved later, the buffer that parameters are encoded into is the one that the entry names.
    for (u32 bytes = 1; bytes < 64; ++bytes) REQUIRE(ring.reserve(bytes));
    CHECK(caller->params().data() == before);
    const runtime::Message message = caller->message(16, {CapId{7}, CapId{9}});
    CHECK(kernel.arena(message.payload.offset) == before);
    CHECK(message.payload.offset % 8 == 0);
    CHECK(message.capabilities_offset % 8 == 0);
    u64 ids[2];
    std::memcpy(ids, kernel.arena(message.capabilities_offset), sizeof(ids));
    CHECK(ids[0] == 7);
    CHECK(ids[1] == 9);
    // Parameters and list do not overlap, nor do they and the reply.
    CHECK(message.capabilities_offset >= message.payload.offset + Caller::kParamsBytes);
    CHECK(caller->reply_buffer(0).buffer.offset >= message.capabilities_offset + 8 * abi::kCapabilitiesMax);
}

TEST_CASE("a typed call carries parameters, capabilities and results") {
    FakeKernel kernel;
    Ring ring = attach(kernel);
    Result<Caller, Status> caller = Caller::create(ring, 1024);
    REQUIRE(caller);
    kernel.on_submission = [&](const abi::Submission& entry) {
        CHECK(entry.capability == 77);
        CHECK(entry.interface_id == idl::AddressSpace::kInterfaceId);
        CHECK(entry.method == idl::AddressSpace::Map::kOrdinal);
        REQUIRE(entry.capability_count == 1);
        CHECK(idl::flat::load<u64>(kernel.arena(entry.capabilities_offset)) == 88);
        const auto params =
            idl::AddressSpace::Map::Params::decode({kernel.arena(entry.params_offset), entry.params_length}, 1);
        REQUIRE(params);
        CHECK(params->bytes == 4096);
        CHECK(params->protection == 3);
        CHECK(params->memory.value == 0);
        reply(kernel, entry, idl::AddressSpace::Map::Results{.address = 0x7000'0000});
    };
    const auto mapped =
        caller->call<idl::AddressSpace::Map>(CapId{77}, {.memory = {0}, .bytes = 4096, .protection = 3}, {CapId{88}});
    REQUIRE(mapped);
    CHECK(mapped->fields.address == 0x7000'0000);

    kernel.on_submission = [&](const abi::Submission& entry) {
        CHECK(entry.result_slots == 2);
        reply(kernel, entry, idl::Account::CreateProcess::Results{.process = {1}, .space = {0}}, {301, 302});
    };
    const auto made = caller->call<idl::Account::CreateProcess>(CapId{1}, {.slots = 16, .name = "child"});
    REQUIRE(made);
    CHECK(made->capability(made->fields.process) == CapId{302});
    CHECK(made->capability(made->fields.space) == CapId{301});
    CHECK(made->capability({}) == abi::kNoCapability);
}

TEST_CASE("a call that fails, or is answered with something else, is an error") {
    FakeKernel kernel;
    Ring ring = attach(kernel);
    Result<Caller, Status> caller = Caller::create(ring, 512);
    REQUIRE(caller);
    kernel.on_submission = [&](const abi::Submission& entry) { kernel.complete(entry, Status::quota); };
    CHECK(caller->call<idl::Clock::Now>(CapId{1}).error() == Status::quota);
    kernel.on_submission = [&](const abi::Submission& entry) {
        kernel.post({.user_data = entry.user_data, .length = 12, .offset = entry.reply_offset});
    };
    CHECK(caller->call<idl::Clock::Now>(CapId{1}).error() == Status::bad_message);
    const std::string long_name(300, 'x');
    CHECK(caller->call<idl::Account::CreateEndpoint>(CapId{1}, {.name = long_name}).error() == Status::bad_argument);
}

TEST_CASE("a log line is put together from pieces and cut at its limit") {
    CHECK(TextBuffer<64>{"took ", 12u, " of ", -3, " at ", Hex{0xdeadbeef}, " ", true, " ", Status::no_buffer}.view() ==
          "took 12 of -3 at 0xdeadbeef true no_buffer");
    CHECK(TextBuffer<64>{u64{18446744073709551615u}, " ", i64{-9223372036854775807 - 1}, " ", Hex{0}}.view() ==
          "18446744073709551615 -9223372036854775808 0x0");
    CHECK(TextBuffer<6>{"abc", 12345}.view() == "abc123");

    FakeKernel kernel;
    Ring ring = attach(kernel);
    Result<Caller, Status> caller = Caller::create(ring, 512);
    REQUIRE(caller);
    kernel.on_submission = [&](const abi::Submission& entry) {
        const auto params =
            idl::KernelLog::Write::Params::decode({kernel.arena(entry.params_offset), entry.params_length}, 0);
        REQUIRE(params);
        CHECK(params->level == 1);
        CHECK(params->text == "page 0x1000");
        reply(kernel, entry, idl::KernelLog::Write::Results{});
    };
    Log{*caller, CapId{4}}.warn("page ", Hex{0x1000});
    CHECK(kernel.submissions.size() == 1);
}
