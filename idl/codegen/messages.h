// messages.h - the messages of served interfaces: the rules that a schema keeps to be representable, and the C++ header made of
// it. The primitives, and what decode checks, are in idl/wire.h.
//
// A struct becomes a C++ struct of values: numbers, Bool, enums, Text, Data, capabilities, structs, and List(T) of these but of
// lists and capabilities. Refused: unions, groups, generics, AnyStruct, AnyList, Void, List(List(T)), List(capability),
// defaults other than zero, a struct that contains itself other than in a list, declarations inside declarations, more than 8
// capabilities in a message, files that need each other.
#pragma once

#include <set>
#include <string>

#include "codegen/model.h"
#include "codegen/problems.h"
#include "codegen/source.h"

namespace capos::codegen {

// Adds a problem, with its line, for each thing in `file` that has no representation.
void check_messages(const File& file, const Source& source, const Model& model, Problems& problems);

// All declarations end up in one namespace, so their names differ across files. `sources`: of model.files, in their order.
void check_unique(const Model& model, const std::vector<Source>& sources, Problems& problems);

// Whether a message with such a value in it can bring capabilities. `seen`: the structs that were looked at.
bool brings_capability(const Type& type, const Model& model, std::set<u64>& seen);

// How many capabilities a message with this struct in it brings at most; more than 8 when its fields alone are more.
u32 capabilities_of(const Struct& one, const Model& model);

// The header. `file` passed check_messages.
std::string emit_messages(const File& file, const Model& model);

}  // namespace capos::codegen
