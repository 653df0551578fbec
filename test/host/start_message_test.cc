// The start-up message: what the builder writes is read back, and a message that lies about itself is refused.
#include <new>

#include <catch2/catch.hpp>

#include <vector>

#include "runtime/ring/start_message.h"

using namespace capos;
using namespace capos::runtime;

namespace {

std::vector<std::byte> ordinary_message() {
    std::vector<std::byte> out(512);
    StartMessageBuilder builder{out};
    builder.capability("log", 0x1111, abi::CapId{5});
    builder.capability("account", 0x2222, abi::CapId{6});
    builder.argument("init");
    builder.argument("");
    builder.environment("HOME=/");
    builder.environment("EMPTY=");
    const auto message = builder.finish();
    REQUIRE(message);
    return {message->begin(), message->end()};
}

bool refused(const std::vector<std::byte>& message) { return !StartMessage::parse(message); }

}  // namespace

TEST_CASE("a start-up message is read as it was built") {
    const std::vector<std::byte> bytes = ordinary_message();
    const auto start = StartMessage::parse(bytes);
    REQUIRE(start);
    REQUIRE(start->capability_count() == 2);
    CHECK(start->capability(1).name == "account");
    CHECK(start->capability(1).interface_id == 0x2222);
    CHECK(start->capability(2).name.empty());
    CHECK(start->find("log", 0x1111) == abi::CapId{5});
    CHECK(start->find("log", 0x2222) == abi::kNoCapability);
    CHECK(start->find("disk", 0x1111) == abi::kNoCapability);
    REQUIRE(start->argument_count() == 2);
    CHECK(start->argument(0) == "init");
    CHECK(start->argument(1).empty());
    CHECK(start->argument(2).empty());
    CHECK(start->environment("HOME") == "/");
    CHECK(start->environment("EMPTY") == "");
    CHECK_FALSE(start->environment("HOM"));
    CHECK_FALSE(start->environment("init"));
}

TEST_CASE("a start-up message that lies about itself is refused") {
    const std::vector<std::byte> good = ordinary_message();
    for (usize length = 0; length < good.size(); ++length) {
        CHECK(refused({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length)}));
    }
    const auto with = [&](usize offset, u8 value) {
        std::vector<std::byte> bytes = good;
        bytes[offset] = std::byte{value};
        return bytes;
    };
    CHECK(refused(with(0, 0)));                                   // magic
    CHECK(refused(with(4, 9)));                                   // version
    CHECK(refused(with(offsetof(abi::StartHeader, capability_count) + 1, 0xff)));
    CHECK(refused(with(offsetof(abi::StartHeader, argument_count), 3)));
    CHECK(refused(with(offsetof(abi::StartHeader, environment_count), 1)));
    CHECK(refused(with(offsetof(abi::StartHeader, text_bytes) + 3, 0xff)));
    CHECK(refused(with(sizeof(abi::StartHeader), 0)));            // a capability without a name
    CHECK(refused(with(good.size() - 1, 'x')));                   // the last text has no end
    std::vector<std::byte> tail = with(offsetof(abi::StartHeader, environment_count), 1);
    tail.back() = std::byte{'x'};                                 // as many ends as texts, but something behind the last
    CHECK(refused(tail));
    std::vector<std::byte> endless = good;
    for (usize i = 0; i < abi::kStartNameBytes; ++i) endless[sizeof(abi::StartHeader) + i] = std::byte{'x'};
    CHECK(refused(endless));
}

TEST_CASE("a start-up message that does not fit, or is put together in another order, is an error") {
    std::vector<std::byte> out(sizeof(abi::StartHeader) + sizeof(abi::StartCapability));
    StartMessageBuilder fits{out};
    fits.capability("log", 1, abi::CapId{5});
    CHECK(fits.finish());
    fits.argument("");
    CHECK(fits.finish().error() == Status::no_buffer);

    std::vector<std::byte> room(512);
    StartMessageBuilder order{room};
    order.argument("late");
    order.capability("log", 1, abi::CapId{5});
    CHECK_FALSE(order.finish());

    StartMessageBuilder swapped{room};
    swapped.environment("A=b");
    swapped.argument("late");
    CHECK_FALSE(swapped.finish());

    StartMessageBuilder name{room};
    name.capability(std::string(abi::kStartNameBytes, 'x'), 1, abi::CapId{5});
    CHECK_FALSE(name.finish());

    StartMessageBuilder none{std::span<std::byte>{}};
    CHECK_FALSE(none.finish());
}
