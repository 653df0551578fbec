// stubs.h - emits idl/NAME.h: what programs call and serve interfaces with, on top of the messages of idl/NAME_messages.h.
//
// For each interface
//  - class X::Client, derived from its base's Client: one function a method, which starts a call (runtime/loop/call.h);
//  - struct X::Method::Reply: what the caller gets. Capabilities are clients of their own; views among the results live as long
//    as the reply;
//  - FIELD_of(call) for each capability among the results: the client of what the call will return (pipelining);
//  - struct X::Method::Answer: what a server gives, where that is not the Results themselves because of capabilities;
//  - class X::Server, derived from its base's Server: one function to override a method, each a Task (runtime/loop/service.h).
// Kernel objects have no Server.
#pragma once

#include <string>

#include "codegen/model.h"
#include "codegen/problems.h"
#include "codegen/source.h"

namespace capos::codegen {

// What stubs can't represent: an interface with more than one base, capabilities inside structs or lists, methods named like
// what the classes have already, files whose interfaces need each other.
void check_stubs(const File& file, const Source& source, const Model& model, Problems& problems);

std::string emit_stubs(const File& file, bool is_served);

}  // namespace capos::codegen
