// server.h - what a supervised server's program_main is made of:
//
//      Task<void> capos::runtime::program_main(Grants& grants) {
//          Counter counter;
//          const auto service = co_await serve(grants, "counter", counter);   // the endpoint of that name in the manifest
//          co_await ready(grants);                                            // who depends on us may start
//          co_await forever(grants.loop());
//          co_return done;
//      }
//
// From `ready` on the supervisor also learns, once a second, that the loop is alive.
#pragma once

#include "idl/service.h"
#include "runtime/loop/event.h"
#include "runtime/loop/service.h"
#include "runtime/program/program.h"

namespace capos::runtime {

// Receives the calls of the endpoint `name` and dispatches them to `root`, which outlives the service. Errors: bad_capability
// when the process was not given its Receiver; those of Service::create.
Task<std::unique_ptr<Service>> serve(Grants& grants, std::string_view name, Object& root, ServiceOptions options = {});

// Tells the supervisor, if there is one. Errors: those of the call.
Task<void> ready(Grants& grants);

// Never ends.
Task<void> forever(Loop& loop);

}  // namespace capos::runtime
