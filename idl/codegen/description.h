// description.h - the JSON description of interfaces, for tools: the manual, the shell's completion, tests.
//
//      {"files": [{"name", "id", "doc",
//        "interfaces": [{"name", "id", "doc", "extends": [{"name", "id"}],
//          "methods": [{"name", "ordinal", "doc", "params": STRUCT, "results": STRUCT}]}],
//        "structs": [STRUCT], "enums": [{"name", "id", "doc", "enumerants": [{"name", "value", "doc"}]}]}]}
//      STRUCT = {"name", "id", "doc", "dataWords", "pointers", "fields": [FIELD]}
//      FIELD = {"name", "type", "kind", "typeId"?, "offset"?, "doc"}
//
// Ids are strings of 0x and 16 digits, as a JSON number does not hold 64 bits. Interfaces, structs, enums and fields stand in
// the order of the text, methods and enumerants by ordinal. `offset` counts in units of the type's size (Bool: bits; pointers:
// pointers), as in Cap'n Proto's schema.capnp; a group has none. The struct of a parameter list has an empty name. `kind` is
// void, bool, integer, real, text, data, list, enum, struct, group, capability or any; typeId names the declaration, for a list
// that of its elements.
#pragma once

#include <string>
#include <vector>

#include "codegen/model.h"

namespace capos::codegen {

std::string emit_description(const std::vector<File>& files);

}  // namespace capos::codegen
