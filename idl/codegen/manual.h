// manual.h - the reference pages of the manual, made of the schemas: one Markdown page for each interface, and an index.
//
// A page has the interface's comment; each method with its signature, comment and, as a paragraph of its own, its errors; and
// what the structs and enums are that its messages hold, with the comment of each field and enumerant.
#pragma once

#include <map>
#include <string>

#include "codegen/model.h"

namespace capos::codegen {

// File name -> text: index.md and INTERFACE.md for each interface of model.files.
std::map<std::string, std::string> emit_manual(const Model& model);

}  // namespace capos::codegen
