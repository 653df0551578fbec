// The decoders of served interfaces against libcapnp (test/codegen/differential.h), for a schema with every kind of field. The
// input: which message, how many capabilities came with it, its bytes.
#include "service_messages.h"

#include "support/messages.h"
#include "service_request.h"

namespace capos::fuzz {

namespace {

const Messages& messages() {
    static const Messages instance{kServiceRequest, idl::ServiceMethods<test::CaseList>::all()};
    return instance;
}

}  // namespace

void run(Bytes input) { messages().run(input); }

// Each message once, and once as if it were the next one: other versions of a struct, and things that don't fit.
std::vector<ByteVector> seeds() {
    std::vector<ByteVector> result = messages().seeds(0);
    for (ByteVector& seed : messages().seeds(1)) result.push_back(std::move(seed));
    return result;
}

}  // namespace capos::fuzz
