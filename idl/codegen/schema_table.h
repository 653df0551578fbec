// schema_table.h - writes the schema tables (abi/schema_table.h) of a request's interfaces. Host tool.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "codegen/problems.h"
#include "codegen/source.h"

namespace capos::codegen {

using SchemaTable = std::vector<u8>;

// One table for each interface of the requested files, in the order of the text. What a table can't hold (unions, groups,
// generics, floating-point numbers, lists of lists, defaults) is a problem, and so is a table that is too large.
// Throws kj::Exception as read_request does.
std::vector<SchemaTable> make_schema_tables(int descriptor, std::span<const Source> sources, Problems& problems);

// The section's contents, and the assembler file that puts them there. Nothing loads the section: it takes no memory of the
// running program.
std::string schema_bytes(std::span<const SchemaTable> tables);
std::string emit_schema_section(std::span<const SchemaTable> tables);
// The same contents for a program that reads them: from capos_schema_tables to capos_schema_tables_end.
std::string emit_schema_data(std::span<const SchemaTable> tables);

}  // namespace capos::codegen
