#include "codegen/cpp.h"

#include <algorithm>

#include "codegen/docs.h"
#include "codegen/names.h"
#include "codegen/text.h"

namespace capos::codegen {

namespace {

std::string without_extension(const std::string& path) { return path.substr(0, path.rfind('.')); }

}  // namespace

void Lines::line(u32 indent, const std::string& text) {
    if (!text.empty()) text_.append(usize{indent} * 4, ' ');
    text_ += text;
    text_ += '\n';
}

void Lines::comment(u32 indent, const std::string& doc) {
    const std::string text = comment_text(doc);
    for (usize at = 0; at < text.size();) {
        const usize end = std::min(text.find('\n', at), text.size());
        line(indent, concat("// ", text.substr(at, end - at)));
        at = end + 1;
    }
}

u32 scalar_bytes(const Type& type) {
    switch (type.kind) {
        case TypeKind::int8:
        case TypeKind::uint8: return 1;
        case TypeKind::int16:
        case TypeKind::uint16:
        case TypeKind::enumeration: return 2;
        case TypeKind::int32:
        case TypeKind::uint32:
        case TypeKind::float32: return 4;
        case TypeKind::int64:
        case TypeKind::uint64:
        case TypeKind::float64: return 8;
        default: return 0;
    }
}

std::string cpp_type(const Type& type) {
    switch (type.kind) {
        case TypeKind::boolean: return "bool";
        case TypeKind::int8: return "i8";
        case TypeKind::int16: return "i16";
        case TypeKind::int32: return "i32";
        case TypeKind::int64: return "i64";
        case TypeKind::uint8: return "u8";
        case TypeKind::uint16: return "u16";
        case TypeKind::uint32: return "u32";
        case TypeKind::uint64: return "u64";
        case TypeKind::float32: return "float";
        case TypeKind::float64: return "double";
        case TypeKind::text: return "std::string_view";
        case TypeKind::data: return "std::span<const std::byte>";
        case TypeKind::capability: return "CapabilityIndex";
        case TypeKind::list: return concat("idl::List<", cpp_type(type.element.at(0)), ">");
        default: return "idl::" + type.name;
    }
}

void emit_enum(Lines& out, const Enum& one) {
    out.line(0, "");
    out.comment(0, one.doc);
    out.line(0, concat("enum class ", one.name, " : u16 {"));
    for (const Enumerant& enumerant : one.enumerants) {
        out.line(1, concat(snake_case(enumerant.name), " = ", enumerant.value, ","));
    }
    out.line(0, "};");
}

std::string signature(const Struct& message) {
    std::string text;
    for (const Field& field : message.fields) {
        text += concat(text.empty() ? "" : ", ", field.name, " :", field.type.name);
    }
    return "(" + text + ")";
}

void emit_reply_types(Lines& out, const Method& one, bool is_served) {
    const auto is_capability = [](const Field& field) { return field.type.kind == TypeKind::capability; };
    const bool is_empty = one.results.fields.empty();
    out.line(0, "");
    out.line(2, is_empty ? "using Reply = void;" : "struct Reply;");
    if (!is_served) return;
    if (is_empty) return out.line(2, "using Answer = void;");
    out.line(2, std::ranges::any_of(one.results.fields, is_capability) ? "struct Answer;" : "using Answer = Results;");
}

std::string messages_header(const std::string& schema) { return without_extension(schema) + "_messages.h"; }

std::string stubs_header(const std::string& schema) { return without_extension(schema) + ".h"; }

std::string schema_name(const std::string& schema) {
    const std::string stem = without_extension(schema.substr(schema.rfind('/') + 1));
    std::string name;
    for (usize at = 0; at < stem.size();) {
        const usize end = std::min(stem.find_first_of("_-", at), stem.size());
        name += pascal_case(stem.substr(at, end - at));
        at = end + 1;
    }
    return name;
}

}  // namespace capos::codegen
