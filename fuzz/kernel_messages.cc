// The kernel's flat decoders against libcapnp (test/codegen/differential.h). The input: which message, how many capabilities
// came with it, its bytes.
#include "idl/kernel_messages.h"

#include "kernel_request.h"
#include "support/messages.h"

namespace capos::fuzz {

namespace {

const Messages& messages() {
    static const Messages instance{kKernelRequest, idl::AllMethods<test::CaseList>::all()};
    return instance;
}

}  // namespace

void run(Bytes input) { messages().run(input); }

std::vector<ByteVector> seeds() { return messages().seeds(0); }

}  // namespace capos::fuzz
