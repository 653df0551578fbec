// kernel_messages.h - the kernel's messages: the rules that a schema keeps to be representable flat, and the C++ header made of
// it.
//
// The rules are those of idl/flat.h: a message is one struct of integers, booleans, enumerants, Text, Data and capabilities,
// without defaults other than zero. They hold for every interface of the files given; the sizes too (256 bytes of parameters,
// 8192 of results, 8 capabilities).
#pragma once

#include <string>
#include <vector>

#include "codegen/model.h"
#include "codegen/problems.h"
#include "codegen/source.h"

namespace capos::codegen {

// Adds a problem, with its line, for each thing in `file` that has no flat representation. `enums`: those that will be emitted.
void check_flat(const File& file, const Source& source, const std::vector<Enum>& enums, Problems& problems);

// The header. Everything in `files` passed check_flat.
std::string emit_kernel_messages(const std::vector<File>& files);

}  // namespace capos::codegen
