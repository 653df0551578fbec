// pair.h - what tests of calls share: a client and a server with one endpoint between them, each on a CPU of its own.
#pragma once

#include <new>

#include <catch2/catch.hpp>

#include "sim/world.h"

namespace capos::sim {

struct Pair {
    World w;
    abi::CapId endpoint = w.make_endpoint(), receiver_of_init = w.make_receiver(endpoint),
               facet_of_init = w.make_facet(endpoint, 42);
    Spawned server = w.spawn("server"), client = w.spawn("client");
    abi::CapId receiver = w.grant(server, receiver_of_init), facet = w.grant(client, facet_of_init);

    // The server waits for calls.
    void serve(const ReceiveSetup& setup = {}) {
        server.user.push(receive_entry(receiver, setup));
        REQUIRE(server.user.enter(1)->consumed() == 1);
    }
    void call(std::string_view text, u64 user_data, u8 result_slots = 0) {
        client.user.push(text_call(client.user, facet, text, user_data, result_slots));
        REQUIRE(client.user.enter(1)->consumed() == 1);
    }
    // The next completion of the server, which is a call.
    abi::Completion received() {
        const auto call = server.user.pop();
        REQUIRE(call);
        REQUIRE(call->kind == static_cast<u8>(abi::CompletionKind::call));
        return *call;
    }
    void answer(u64 token, std::string_view text) {
        server.user.write(User::kParams, text);
        server.user.push(runtime::entry::reply(token, {{User::kParams, static_cast<u32>(text.size())}, 0, 0}));
        REQUIRE(server.user.enter(1)->consumed() == 1);
    }
};

inline std::string_view text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The next completion is the terminal one of `user_data`, with that status.
inline void expect_done(const User& user, u64 user_data, Status status) {
    const auto last = user.pop();
    REQUIRE(last);
    CHECK(last->kind == static_cast<u8>(abi::CompletionKind::done));
    CHECK(last->user_data == user_data);
    CHECK(static_cast<int>(last->status) == static_cast<int>(status));
}
inline void expect_event(const User& user, abi::CompletionKind kind, u64 token) {
    const auto event = user.pop();
    REQUIRE(event);
    CHECK(event->kind == static_cast<u8>(kind));
    CHECK(event->token == token);
}
inline void expect_nothing(const User& user) { CHECK(user.unread() == 0); }

// Pushes the entries and enters once; all are taken.
template <typename... Entries>
void submit(const User& user, const Entries&... entries) {
    (user.push(entries), ...);
    REQUIRE(user.enter(sizeof...(entries))->consumed() == sizeof...(entries));
}

}  // namespace capos::sim
