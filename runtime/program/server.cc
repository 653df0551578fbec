#include "runtime/program/server.h"

#include <cstdlib>

#include "idl/kernel.h"

namespace capos::runtime {

namespace {

Task<void> keep_in_touch(idl::ServiceControl::Client control, Loop& loop) {
    while (!(co_await control.ping(loop.answered()).unbounded()).stop) {
    }
    std::exit(0);
}

}  // namespace

Task<std::unique_ptr<Service>> serve(Grants& grants, std::string_view name, Object& root, ServiceOptions options) {
    auto receiver = co_await grants.find<idl::Receiver>(name);
    auto service = co_await Service::create(grants.loop(), std::move(receiver), options);
    service->set_root(root);
    co_return std::move(service);
}

Task<void> ready(Grants& grants) {
    auto control = grants.find<idl::ServiceControl>("control");
    if (!control) co_return done;  // nobody supervises us
    co_await control->ready();
    grants.loop().spawn(keep_in_touch(*std::move(control), grants.loop()));
    co_return done;
}

Task<void> forever(Loop& loop) {
    co_await Sleep{loop, kNoDeadline};
    co_return done;
}

}  // namespace capos::runtime
