// docs.h - the documentation gate: the comments in the schemas are the manual, so a declaration without one does not build.
//
//  - The file, each interface, method, struct, field, enum and enumerant has a comment of its own, and it is the one that the
//    compiler attached: both readings of the text must agree.
//  - A parameter or result that stands in a method's list is named, as a word, in the comment of the method, of its interface
//    or of the file (for words that mean the same everywhere). One with an interface for its type is described there. A method
//    whose parameters need more takes a struct, whose fields have comments.
//  - A method says how it fails: `Errors: ...`, or `Idempotent.` (repeat it after any failure), or that it does not return.
// Where comments may stand at all is checked in source.h.
#pragma once

#include <string>
#include <string_view>

#include "codegen/model.h"
#include "codegen/problems.h"
#include "codegen/source.h"

namespace capos::codegen {

// The text of a comment: one line for each line, without blanks around it.
std::string comment_text(std::string_view doc);

void check_docs(const File& file, const Source& source, Problems& problems);

}  // namespace capos::codegen
