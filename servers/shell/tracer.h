// tracer.h - Tracer: serves the capabilities that `trace` makes. Each passes its calls on to the one behind it, and prints the
// messages of both directions. Calls are under way side by side; one whose caller goes away is cancelled behind it too.
#pragma once

#include <memory>

#include "runtime/loop/service.h"
#include "servers/shell/session.h"

namespace capos::shell {

class Tracer {
public:
    explicit Tracer(runtime::Grants& grants) : grants_{grants} {}

    // A capability that stands for `target` and is called `name`. The endpoint is made with the first one. The session, and
    // the table, outlive it. Errors: those of Account.createEndpoint, Endpoint.receiver and Receiver.mint.
    runtime::Task<runtime::Client> interpose(Session& session, std::string name, const Holding& target,
                                             const dynamic::Table& table);

private:
    runtime::Grants& grants_;
    runtime::Client endpoint_;
    std::unique_ptr<runtime::Service> service_;
};

}  // namespace capos::shell
