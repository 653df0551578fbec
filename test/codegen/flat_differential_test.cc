// The same for the fixture, which has fields of every type.
#include "differential_test.h"
#include "flat_messages.h"
#include "flat_request.h"

using namespace capos::test;

TEST_CASE("flat messages of every type read as libcapnp reads them, or are refused for a documented reason", "[R30]") {
    const Oracle oracle{kFlatRequest};
    compare_drawn(oracle, capos::idl::AllMethods<CaseList>::all(), 2, 1000);
}
