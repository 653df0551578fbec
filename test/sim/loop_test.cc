// The event loop, calls and services over the real kernel core: each program is a process of the simulated machine.
#include <new>

#include <catch2/catch.hpp>

#include "counter.h"
#include "runtime/base/counted.h"
#include "sim/live.h"

using namespace capos;
using namespace capos::runtime;
using capos::sim::Live;
using capos::idl::Counter;

namespace {

constexpr u64 kMs = 1'000'000;
constexpr u16 kTooLarge = 7;

class Counting final : public Counter::Server {
public:
    explicit Counting(Loop& loop) : loop_{loop} {}
    Task<Counter::Add::Answer> add(u64 value) override {
        if (value > 1000) co_return fail(Error{Status::failed, kTooLarge, "too large"});
        co_return {.value = sum_ += value};
    }
    Task<Counter::Wait::Answer> wait(u64 ns) override {
        const Counted inside{waiting};
        co_await sleep_for(loop_, ns);
        co_return {.value = ns};
    }
    Task<Counter::Child::Answer> child() override {
        auto made = std::make_unique<Counting>(loop_);
        made->service = service;
        co_return {.counter = co_await service->offer(std::move(made))};
    }
    Service* service{};
    static inline u64 waiting = 0, alive = 0;
    Counted<u64> life{alive};

private:
    Loop& loop_;
    u64 sum_{};
};

struct Fixture {
    Live live;
    abi::CapId endpoint = live.world.make_endpoint();
    sim::Spawned server = live.world.spawn("server"), client = live.world.spawn("client");
    abi::CapId receiver = live.world.grant(server, live.world.make_receiver(endpoint));
    abi::CapId facet = live.world.grant(client, live.world.make_facet(endpoint, 42));

    // Serves for `ns`.
    void serve(u64 ns) {
        live.start(server, [this, ns](Loop& loop) {
            auto service = Service::create(loop, Client{loop, receiver}, {});
            REQUIRE(service);
            Counting root{loop};
            root.service = service->get();
            (*service)->set_root(root);
            REQUIRE(loop.run(serve_for(loop, ns)));
        });
    }
    static Task<void> serve_for(Loop& loop, u64 ns) {
        co_await sleep_for(loop, ns);
        co_return done;
    }
    void run(std::function<Task<void>(Loop&, Counter::Client&)> body) {
        serve(100 * kMs);
        live.start(client, [this, body = std::move(body)](Loop& loop) {
            Counter::Client counter{Client{loop, facet}};
            const Outcome<void> ended = loop.run(body(loop, counter));
            if (!ended) UNSCOPED_INFO(name_of(ended.error().status) << ' ' << ended.error().code << ' ' << ended.error().text);
            CHECK(ended.has_value());
        });
        live.finish();
    }
};

}  // namespace

TEST_CASE("a typed call reaches the server and brings its result", "[loop]") {
    Fixture f;
    f.run([](Loop&, Counter::Client& counter) -> Task<void> {
        CHECK((co_await counter.add(40)).value == 40);
        CHECK((co_await counter.add(2)).value == 42);
        co_return done;
    });
}

TEST_CASE("an error of the server arrives with code and text, and leaves the coroutine", "[loop]") {
    static bool went_on;
    went_on = false;
    Fixture f;
    f.run([](Loop&, Counter::Client& counter) -> Task<void> {
        const auto refused = co_await attempt(counter.add(1001));
        REQUIRE_FALSE(refused);
        CHECK(refused.error() == Error{Status::failed, kTooLarge, "too large"});
        const auto leaves = [](Counter::Client& c, bool& after) -> Task<void> {
            co_await c.add(5000);
            after = true;
            co_return done;
        };
        const auto left = co_await attempt(leaves(counter, went_on));
        CHECK(left.error().code == kTooLarge);
        co_return done;
    });
    CHECK_FALSE(went_on);
}

TEST_CASE("calls under way run beside each other, and a deadline cancels at the server", "[loop]") {
    Fixture f;
    f.run([](Loop& loop, Counter::Client& counter) -> Task<void> {
        const u64 start = loop.now();
        auto slow = counter.wait(10 * kMs), fast = counter.wait(2 * kMs);
        slow.send();
        fast.send();
        CHECK((co_await fast).value == 2 * kMs);
        CHECK((co_await slow).value == 10 * kMs);
        CHECK(loop.now() - start < 11 * kMs);

        const auto late = co_await attempt(counter.wait(50 * kMs).within(3 * kMs));
        REQUIRE_FALSE(late);
        CHECK(late.error().status == Status::timed_out);
        co_await sleep_for(loop, kMs);
        CHECK(Counting::waiting == 0);
        co_return done;
    });
}

TEST_CASE("a call that is dropped is cancelled at the server", "[loop]") {
    Fixture f;
    f.run([](Loop& loop, Counter::Client& counter) -> Task<void> {
        {
            auto call = counter.wait(50 * kMs);
            call.send();
            co_await sleep_for(loop, kMs);
            CHECK(Counting::waiting == 1);
        }
        co_await sleep_for(loop, kMs);
        CHECK(Counting::waiting == 0);
        co_return done;
    });
}

TEST_CASE("an object of its own ends with the last holder of its facet", "[loop]") {
    Fixture f;
    f.run([](Loop& loop, Counter::Client& counter) -> Task<void> {
        co_await counter.add(0);  // the server is there
        const u64 before = Counting::alive;
        {
            auto child = co_await counter.child();
            CHECK((co_await child.counter.add(7)).value == 7);
            CHECK(Counting::alive == before + 1);
        }
        co_await sleep_for(loop, kMs);
        CHECK(Counting::alive == before);
        co_return done;
    });
}

TEST_CASE("a chain of eight pipelined calls waits once", "[loop]") {
    Fixture f;
    f.run([](Loop&, Counter::Client& counter) -> Task<void> {
        std::vector<Call<Counter::Child>> calls;
        std::vector<Counter::Client> promises;
        calls.push_back(counter.child());
        promises.push_back(calls.back().promised<Counter>(0));
        for (int i = 0; i < 6; ++i) {
            calls.push_back(promises.back().child());
            promises.push_back(calls.back().promised<Counter>(0));
        }
        CHECK((co_await promises.back().add(5)).value == 5);
        co_return done;
    });
}

TEST_CASE("a loop ends with tasks that wait for calls, and with a service in one of them", "[loop]") {
    Fixture f;
    f.live.start(f.server, [&f](Loop& loop) {
        loop.spawn([](Loop& own, abi::CapId receiver) -> Task<void> {
            Counting root{own};
            const auto service = co_await Service::create(own, Client{own, receiver}, {});
            service->set_root(root);
            co_await sleep_for(own, 500 * kMs);
            co_return done;
        }(loop, f.receiver));
        REQUIRE(loop.run(Fixture::serve_for(loop, 2 * kMs)));
    });
    f.live.start(f.client, [&f](Loop& loop) {
        loop.spawn([](Loop& own, abi::CapId facet) -> Task<void> {
            const Counter::Client counter{Client{own, facet}};
            co_await counter.wait(50 * kMs);
            co_return done;
        }(loop, f.facet));
        REQUIRE(loop.run(Fixture::serve_for(loop, kMs)));
    });
    f.live.finish();
}

TEST_CASE("a server that ends answers disconnected", "[loop]") {
    Fixture f;
    f.live.start(f.server, [&f](Loop& loop) {
        auto service = Service::create(loop, Client{loop, f.receiver}, {});
        Counting root{loop};
        (*service)->set_root(root);
        REQUIRE(loop.run(Fixture::serve_for(loop, 2 * kMs)));
    });
    f.live.start(f.client, [&f](Loop& loop) {
        Counter::Client counter{Client{loop, f.facet}};
        const auto lost = loop.run([](Counter::Client& c) -> Task<void> {
            co_await c.wait(50 * kMs);
            co_return done;
        }(counter));
        REQUIRE_FALSE(lost);
        CHECK(lost.error().status == Status::disconnected);
    });
    f.live.finish();
}
