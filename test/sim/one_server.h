// one_server.h - a served object in one process of the simulated machine, and a client in another:
//
//      sim::OneServer<Counter> test;
//      test.run([](Loop& loop, idl::Counter::Client& counter) -> Task<void> { ...; co_return done; });
#pragma once

#include "runtime/loop/service.h"
#include "sim/live.h"

namespace capos::sim {

template <typename Object>
class OneServer {
public:
    using Client = typename Object::Interface::Client;
    using Body = runtime::Task<void> (*)(runtime::Loop&, Client&);

    // Until the body has ended; throws when it fails or waits for ever.
    void run(Body body) {
        live_.start(server_, [this](runtime::Loop& loop) { serve(loop); });
        live_.start(client_, [this, body](runtime::Loop& loop) {
            Client client{runtime::Client{loop, facet_}};
            const runtime::Outcome<void> ended = loop.run(body(loop, client));
            if (!ended) problem_ = std::string{runtime::name_of(ended.error().status)} + " " + ended.error().text;
            over_ = true;
        });
        live_.finish();
        if (!problem_.empty()) throw std::runtime_error(problem_);
    }

private:
    static constexpr u64 kLookNs = 1'000'000;

    void serve(runtime::Loop& loop) {
        auto service = runtime::Service::create(loop, runtime::Client{loop, receiver_}, {});
        if (!service) throw std::runtime_error("no service");
        Object object;
        (*service)->set_root(object);
        (void)loop.run(until_over(loop));
    }
    runtime::Task<void> until_over(runtime::Loop& loop) {
        while (!over_) co_await runtime::sleep_for(loop, kLookNs);
        co_return done;
    }

    Live live_;
    abi::CapId endpoint_ = live_.world.make_endpoint();
    Spawned server_ = live_.world.spawn("server"), client_ = live_.world.spawn("client");
    abi::CapId receiver_ = live_.world.grant(server_, live_.world.make_receiver(endpoint_));
    abi::CapId facet_ = live_.world.grant(client_, live_.world.make_facet(endpoint_, 1));
    bool over_{};
    std::string problem_;
};

}  // namespace capos::sim
