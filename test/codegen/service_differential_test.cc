// Messages of a served interface, with every kind of field, against libcapnp.
#include "differential_test.h"
#include "service_messages.h"
#include "service_request.h"

using namespace capos::test;

namespace {

const std::vector<Case>& cases() {
    static const std::vector<Case> all = capos::idl::ServiceMethods<CaseList>::all();
    return all;
}

}  // namespace

TEST_CASE("service messages of every type read as libcapnp reads them, or are refused for a documented reason", "[R30]") {
    const Oracle oracle{kServiceRequest};
    compare_drawn(oracle, cases(), 3, 400);
}

TEST_CASE("a service message of another version of its struct reads as libcapnp reads it") {
    const Oracle oracle{kServiceRequest};
    Mutator mutator{4};
    capos::usize accepted = 0;
    for (const Case& writer : cases()) {
        for (const Case& reader : cases()) {
            for (unsigned round = 0; round < 5; ++round) {
                const std::vector<std::byte> message = oracle.draw(writer.message, 2, Mutator::next, &mutator);
                bool ours = false;
                const std::string difference = compare(oracle, reader, message, 2, &ours);
                accepted += ours ? 1 : 0;
                INFO("written for method " << writer.message.method << ", read for " << reader.message.method << ", round "
                                           << round);
                if (!difference.empty()) FAIL(difference);
            }
        }
    }
    CHECK(accepted > cases().size() * cases().size());
}
