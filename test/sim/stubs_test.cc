// Generated stubs (idl/codegen/stubs.h), client against server, over the real kernel core.
#include <new>

#include <array>
#include <catch2/catch.hpp>
#include <string>

#include "sample.h"
#include "sim/live.h"

using namespace capos;
using namespace capos::runtime;
using capos::sim::Live;

namespace {

constexpr u64 kMs = 1'000'000;

class Note final : public idl::Writable::Server {
public:
    Task<idl::Item::Read::Answer> read(u64 offset, u32 max) override {
        const std::string_view part = std::string_view{text_}.substr(offset, max);
        co_return {.data = std::as_bytes(std::span{part}), .stamp = {7, idl::Level::bad}};
    }
    Task<void> write(std::span<const std::byte> data) override {
        text_.append(reinterpret_cast<const char*>(data.data()), data.size());
        co_return done;
    }
    Task<void> reset() override {
        text_.clear();
        co_return done;
    }

private:
    std::string text_;
};

class Library final : public idl::Shelf::Server {
public:
    Task<idl::Shelf::Open::Answer> open(std::string_view name, idl::Level level) override {
        const u64 size = name.size() + static_cast<u64>(level);
        co_return {.size = size, .item = co_await service->offer(std::make_unique<Note>())};
    }
    Task<idl::Shelf::Put::Answer> put(std::string_view name, idl::Stamp when) override {
        co_return {.replaced = name == "old" && when.level == idl::Level::bad};
    }
    Task<idl::Shelf::List::Answer> list(idl::List<std::string_view> names, bool all) override {
        static std::array<idl::Entry, 3> entries;
        usize count = 0;
        for (const std::string_view name : names) {
            entries[count] = {.name = name, .when = {.ns = 10 + count}};
            ++count;
        }
        if (all) entries[count++] = {.name = "all"};
        co_return {.entries = std::span{entries}.first(count)};
    }
    Task<idl::Shelf::Share::Answer> share(idl::Item::Client item, idl::ReadableMemory::Client memory, Client results) override {
        const u32 present = (item.present() ? 1u : 0u) + (memory.present() ? 2u : 0u) + (results.present() ? 4u : 0u);
        co_return {.capabilities = co_await service->offer(std::make_unique<Note>()), .hold = present};
    }
    Service* service{};
};

Task<void> serve_for(Loop& loop, u64 ns) {
    co_await sleep_for(loop, ns);
    co_return done;
}

void with_library(Task<void> (*body)(idl::Shelf::Client&)) {
    Live live;
    const abi::CapId endpoint = live.world.make_endpoint();
    sim::Spawned server = live.world.spawn("server"), client = live.world.spawn("client");
    const abi::CapId receiver = live.world.grant(server, live.world.make_receiver(endpoint));
    const abi::CapId facet = live.world.grant(client, live.world.make_facet(endpoint, 1));
    live.start(server, [&](Loop& loop) {
        Library library;
        auto service = Service::create(loop, Client{loop, receiver}, {});
        REQUIRE(service);
        library.service = service->get();
        (*service)->set_root(library);
        REQUIRE(loop.run(serve_for(loop, 100 * kMs)));
    });
    live.start(client, [&](Loop& loop) {
        idl::Shelf::Client shelf{Client{loop, facet}};
        const Outcome<void> ended = loop.run(body(shelf));
        if (!ended) UNSCOPED_INFO(static_cast<u16>(ended.error().status) << ' ' << ended.error().text);
        CHECK(ended.has_value());
    });
    live.finish();
}

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span{text}); }

}  // namespace

TEST_CASE("stubs carry texts, data, enums, structs and capabilities both ways", "[stubs]") {
    with_library([](idl::Shelf::Client& shelf) -> Task<void> {
        const auto opened = co_await shelf.open("four", idl::Level::bad);
        CHECK(opened.size == 5);
        CHECK_FALSE(opened.owner.present());
        co_await opened.item.write(bytes("hello"));
        const auto read = co_await opened.item.read(1, 3);  // of the base interface
        CHECK(std::string_view{reinterpret_cast<const char*>(read.data.data()), read.data.size()} == "ell");
        CHECK(read.stamp.level == idl::Level::bad);
        co_await opened.item.reset();
        CHECK((co_await opened.item.read(0, 9)).data.empty());
        CHECK((co_await shelf.put("old", {.level = idl::Level::bad})).replaced);
        co_return done;
    });
}

TEST_CASE("stubs carry lists of texts and structs", "[stubs]") {
    with_library([](idl::Shelf::Client& shelf) -> Task<void> {
        const std::array<std::string_view, 2> names = {"a", "bc"};
        const auto reply = co_await shelf.list(names, true);
        REQUIRE(reply.entries.size() == 3);
        CHECK(reply.entries[1].name == "bc");
        CHECK(reply.entries[1].when.ns == 11);
        CHECK(reply.entries[2].name == "all");
        CHECK((co_await shelf.list({}, false)).entries.empty());
        co_return done;
    });
}

TEST_CASE("a capability that is left out of a stub's message is absent, and the others keep their places", "[stubs]") {
    with_library([](idl::Shelf::Client& shelf) -> Task<void> {
        const auto opened = co_await shelf.open("x", idl::Level::fine);
        const auto two = co_await shelf.share(opened.item, {}, opened.item);
        CHECK(two.hold == 5);
        CHECK(two.capabilities.present());
        CHECK((co_await shelf.share({}, {}, {})).hold == 0);
        co_return done;
    });
}

TEST_CASE("a stub calls what another call will return, before it has", "[stubs]") {
    with_library([](idl::Shelf::Client& shelf) -> Task<void> {
        auto opening = shelf.open("x", idl::Level::fine);
        const idl::Writable::Client item = item_of(opening);
        co_await item.write(bytes("early"));
        CHECK((co_await item.read(0, 9)).data.size() == 5);
        CHECK((co_await opening).size == 1);
        co_return done;
    });
}
