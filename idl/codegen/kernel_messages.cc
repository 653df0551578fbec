#include "codegen/kernel_messages.h"

#include <algorithm>

#include "codegen/cpp.h"
#include "codegen/names.h"
#include "codegen/text.h"

namespace capos::codegen {

namespace {

constexpr const char* kPreamble[] = {
    "//",
    "// The messages of the kernel's objects: one struct for each interface and method. `decode` checks everything; idl/flat.h",
    "// says what. Its views point into the message. `encode` returns the bytes written, a multiple of 8, or 0 for no room.",
    "// kBytesMin is the size without the contents of Text and Data; kCapabilities counts the capability fields. `visit`",
    "// calls back with name and value of each field, for traces and tests. encoded_bytes is what encode will return;",
    "// kFixedSize: it is always kBytesMin. Client and Reply are defined in the header of the stubs.",
    "#pragma once",
    "",
    "#include <cstddef>",
    "#include <cstdint>",
    "#include <optional>",
    "#include <span>",
    "#include <string_view>",
    "",
    "#include \"abi/types.h\"",
    "#include \"idl/flat.h\"",
    "",
    "namespace capos::idl {",
};

std::string read_expression(const Field& field) {
    switch (field.type.kind) {
        case TypeKind::boolean: return concat("reader.boolean(", field.offset, ")");
        case TypeKind::text: return concat("reader.text(", field.offset, ")");
        case TypeKind::data: return concat("reader.data(", field.offset, ")");
        case TypeKind::capability: return concat("reader.capability(", field.offset, ")");
        default:
            return concat("reader.scalar<", cpp_type(field.type), ">(", field.offset * scalar_bytes(field.type), ")");
    }
}

std::string write_statement(const Field& field) {
    const std::string name = snake_case(field.name);
    switch (field.type.kind) {
        case TypeKind::boolean: return concat("writer.boolean(", field.offset, ", ", name, ");");
        case TypeKind::text: return concat("writer.text(", field.offset, ", ", name, ");");
        case TypeKind::data: return concat("writer.data(", field.offset, ", ", name, ");");
        case TypeKind::capability: return concat("writer.capability(", field.offset, ", ", name, ");");
        default: return concat("writer.scalar(", field.offset * scalar_bytes(field.type), ", ", name, ");");
    }
}

class Emitter {
public:
    explicit Emitter(Lines& out) : out_{out} {}

    void interface(const Interface& one) {
        line(0, "");
        line(0, concat("struct ", one.name, " {"));
        line(1, concat("static constexpr u64 kInterfaceId = ", hex(one.id), ";"));
        line(1, "class Client;");
        for (const Method& method : one.methods) this->method(one, method);
        line(0, "};");
    }

private:
    void line(u32 indent, const std::string& text) { out_.line(indent, text); }

    void method(const Interface& owner, const Method& one) {
        line(0, "");
        line(1, concat("// ", one.name, " @", one.ordinal, " ", signature(one.params)));
        line(1, concat("//     -> ", signature(one.results)));
        line(1, concat("struct ", pascal_case(one.name), " {"));
        line(2, concat("static constexpr u64 kInterfaceId = ", owner.name, "::kInterfaceId;"));
        line(2, concat("static constexpr u16 kOrdinal = ", one.ordinal, ";"));
        message("Params", one.params, "flat::kParamsBytesMax");
        message("Results", one.results, "flat::kResultsBytesMax");
        emit_reply_types(out_, one, false);
        line(1, "};");
    }

    void message(const std::string& name, const Struct& one, const std::string& bytes_max) {
        line(0, "");
        line(2, concat("struct ", name, " {"));
        for (const Field& field : one.fields) line(3, concat(cpp_type(field.type), " ", snake_case(field.name), "{};"));
        if (!one.fields.empty()) line(0, "");
        const auto is_capability = [](const Field& field) { return field.type.kind == TypeKind::capability; };
        line(3, concat("static constexpr flat::Layout kLayout{.data_words = ", one.data_words, ", .pointers = ", one.pointers,
                       ", .bytes_max = ", bytes_max, "};"));
        line(3, "static constexpr usize kBytesMin = kLayout.bytes_min();");
        line(3, concat("static constexpr u8 kCapabilities = ", std::ranges::count_if(one.fields, is_capability), ";"));
        const bool fixed = std::ranges::none_of(one.fields, has_bytes);
        line(3, concat("static constexpr bool kFixedSize = ", fixed ? "true" : "false", ";"));
        line(0, "");
        line(3, concat("static std::optional<", name, "> decode(std::span<const std::byte> message, u8 capability_count) {"));
        line(4, one.fields.empty() ? "const flat::Reader reader{message, kLayout, capability_count};"
                                   : "flat::Reader reader{message, kLayout, capability_count};");
        line(4, concat(name, " fields;"));
        for (const Field& field : one.fields) {
            line(4, concat("fields.", snake_case(field.name), " = ", read_expression(field), ";"));
        }
        line(4, "if (!reader.valid()) return std::nullopt;");
        line(4, "return fields;");
        line(3, "}");
        line(0, "");
        encoded_bytes(one);
        line(0, "");
        line(3, "usize encode(std::span<std::byte> out) const {");
        line(4, "if (out.size() < kBytesMin) return 0;");
        line(4, "flat::Writer writer{out, kLayout};");
        for (const Field& field : one.fields) line(4, write_statement(field));
        line(4, "return writer.finish();");
        line(3, "}");
        line(0, "");
        visit(one);
        line(2, "};");
    }

    static bool has_bytes(const Field& field) {
        return field.type.kind == TypeKind::text || field.type.kind == TypeKind::data;
    }

    void encoded_bytes(const Struct& one) {
        std::string sum = "kBytesMin";
        for (const Field& field : one.fields) {
            if (field.type.kind == TypeKind::text) sum += concat(" + flat::text_bytes(", snake_case(field.name), ")");
            if (field.type.kind == TypeKind::data) sum += concat(" + flat::data_bytes(", snake_case(field.name), ")");
        }
        line(3, concat("usize encoded_bytes() const { return ", sum, "; }"));
    }

    void visit(const Struct& one) {
        line(3, "template <typename Visitor>");
        if (one.fields.empty()) return line(3, "void visit(Visitor&&) const {}");
        line(3, "void visit(Visitor&& visitor) const {");
        for (const Field& field : one.fields) line(4, concat("visitor(\"", field.name, "\", ", snake_case(field.name), ");"));
        line(3, "}");
    }

    Lines& out_;
};

// A type list, for what treats all methods alike.
std::string method_list(const std::vector<File>& files) {
    std::string list;
    for (const File& file : files) {
        for (const Interface& interface : file.interfaces) {
            for (const Method& method : interface.methods) {
                list += concat(list.empty() ? "" : ",", "\n    ", interface.name, "::", pascal_case(method.name));
            }
        }
    }
    return list;
}

}  // namespace

std::string emit_kernel_messages(const std::vector<File>& files) {
    std::string names;
    for (const File& file : files) names += (names.empty() ? "" : ", ") + file.name;
    Lines out;
    out.line(0, concat("// Generated by capnpc-capos from ", names, "; not edited."));
    for (const char* line : kPreamble) out.line(0, line);
    for (const File& file : files) {
        for (const Enum& one : file.enums) emit_enum(out, one);
    }
    Emitter emitter{out};
    for (const File& file : files) {
        for (const Interface& one : file.interfaces) emitter.interface(one);
    }
    out.line(0, "");
    out.line(0, "// Every method, for what treats all of them alike.");
    out.line(0, "template <template <typename...> typename List>");
    out.line(0, concat("using AllMethods = List<", method_list(files), ">;"));
    out.line(0, "");
    out.line(0, "}  // namespace capos::idl");
    return out.take();
}

}  // namespace capos::codegen
