// The decoders and encoders of every method in kernel.capnp against libcapnp.
#include "differential_test.h"
#include "idl/kernel_messages.h"
#include "kernel_request.h"

using namespace capos::test;

TEST_CASE("every kernel message reads as libcapnp reads it, or is refused for a documented reason", "[R30]") {
    const Oracle oracle{kKernelRequest};
    compare_drawn(oracle, capos::idl::AllMethods<CaseList>::all(), 1, 250);
}
