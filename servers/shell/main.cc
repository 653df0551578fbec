// shell - the capability shell on a console: what a person can do is what this process holds.
//
// Grants: `console` (Console), and, each if it is there: `supervisor` (Supervisor), `logs` (LogReader), `schemas` (Schemas),
// `platform` (PlatformInfo), and anything else for `call` and `trace`. Without one of them its commands say so.
#include "runtime/program/server.h"
#include "servers/shell/session.h"
#include "servers/shell/tracer.h"

capos::runtime::Task<void> capos::runtime::program_main(Grants& grants) {
    using namespace capos::shell;
    Terminal terminal{grants.loop(), co_await grants.find<idl::Console>("console")};
    Tracer tracer{grants};
    Session session{grants, terminal, tracer};
    terminal.start();
    co_await ready(grants);
    co_await session.run();
    co_return done;
}
