// request.h - reads the compiler's output, a CodeGeneratorRequest (capnp/schema.capnp, Cap'n Proto 0.9.2), into the model.
#pragma once

#include "codegen/model.h"

namespace capos::codegen {

// The files named on the compiler's command line, and what they use of others. Throws kj::Exception for bytes that are no
// request: they come from the compiler next to us, so that is the end of the run.
Model read_request(int descriptor);

}  // namespace capos::codegen
