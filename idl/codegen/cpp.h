// cpp.h - writing C++: what the emitters of headers share.
#pragma once

#include <string>

#include "codegen/model.h"

namespace capos::codegen {

// The lines of a file.
class Lines {
public:
    std::string take() { return std::move(text_); }

    // One line at a depth of `indent`; without text an empty one.
    void line(u32 indent, const std::string& text);
    // A comment of as many lines as `doc` has.
    void comment(u32 indent, const std::string& doc);

private:
    std::string text_;
};

// Bytes of a number or enum in the data section; 0 for any other type.
u32 scalar_bytes(const Type& type);

// `bool`, `u32`, `std::string_view`, `idl::List<idl::Entry>`.
std::string cpp_type(const Type& type);

// `enum class NAME`, with its comment.
void emit_enum(Lines& out, const Enum& one);

// As the schema writes it: (offset :UInt64, length :UInt32).
std::string signature(const Struct& message);

// What a caller of the method gets, and what a server gives: types that the header of the stubs defines, or what stands for
// them.
void emit_reply_types(Lines& out, const Method& one, bool is_served);

// The path of the header with the messages of a schema: idl/block.capnp -> idl/block_messages.h.
std::string messages_header(const std::string& schema);

// The path of the header with its stubs: idl/block.capnp -> idl/block.h.
std::string stubs_header(const std::string& schema);

// idl/block_queue.capnp -> BlockQueue.
std::string schema_name(const std::string& schema);

}  // namespace capos::codegen
