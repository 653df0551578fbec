#include "runtime/dynamic/print.h"

#include "runtime/dynamic/text.h"
#include "runtime/dynamic/words.h"

namespace capos::dynamic {

namespace {

i64 sign_extended(u64 value, u32 bits) { return static_cast<i64>(value << (64 - bits)) >> (64 - bits); }

class Printer {
public:
    Printer(const Table& table, Bytes message, u8 capability_count, const PrintOptions& options)
        : table_{table}, words_{message}, capability_count_{capability_count}, options_{options} {}

    Printed run(u16 structure) {
        if (const auto root = words_.root()) {
            print_struct(structure, *root, 0);
        } else {
            invalid();
        }
        if (result_.text.size() > options_.bytes_max) {
            result_.is_complete = false;
            cut();
        }
        return std::move(result_);
    }

private:
    // All loops end when this says so. The text is at most one value longer than the limit then.
    bool full() const { return result_.text.size() > options_.bytes_max; }

    // To the limit, but not in the middle of a character.
    void cut() {
        usize end = options_.bytes_max;
        while (end > 0 && (static_cast<unsigned char>(result_.text[end]) & 0xc0) == 0x80) --end;
        result_.text.resize(end);
        result_.text += "...";
    }

    void add(std::string_view text) { result_.text += text; }
    void invalid() {
        add("<invalid>");
        result_.is_valid = false;
    }

    void print_struct(u16 index, const StructAt& at, u32 depth) {
        if (depth == kNestingMax) return invalid();
        const Structure structure = table_.structure(index);
        add("(");
        bool is_first = true;
        for (u16 i = 0; i < structure.fields && !full(); ++i) {
            const Field field = table_.field(static_cast<u16>(structure.first_field + i));
            const std::optional<u64> pointer = is_pointer(field.kind) ? words_.pointer(at, field.offset) : std::nullopt;
            const bool is_blob = field.kind == SchemaKind::text || field.kind == SchemaKind::data;
            if (is_pointer(field.kind) && !is_blob && !pointer) continue;
            add(is_first ? "" : ", ");
            is_first = false;
            add(field.name);
            add(" = ");
            if (field.is_secret) {
                add("<secret>");
            } else if (!is_pointer(field.kind)) {
                const u32 bits = bits_of(field.kind);
                print_scalar(field.kind, field.type, words_.data(at, u64{field.offset} * bits, bits));
            } else if (!pointer) {
                add("\"\"");
            } else if (field.kind == SchemaKind::list) {
                print_list(field, *pointer, depth);
            } else {
                print_pointer(field.kind, field, *pointer, depth);
            }
        }
        add(")");
    }

    void print_scalar(SchemaKind kind, u16 type, u64 value) {
        switch (kind) {
            case SchemaKind::boolean: return add(value != 0 ? "true" : "false");
            case SchemaKind::int8:
            case SchemaKind::int16:
            case SchemaKind::int32:
            case SchemaKind::int64: return add(std::to_string(sign_extended(value, bits_of(kind))));
            case SchemaKind::enumeration:
                if (const auto name = table_.enumerant(type, static_cast<u16>(value))) return add(*name);
                return add(std::to_string(value));
            default: return add(std::to_string(value));
        }
    }

    // A value of `kind`, which is the field's or that of its elements.
    void print_pointer(SchemaKind kind, const Field& field, u64 pointer, u32 depth) {
        switch (kind) {
            case SchemaKind::text: return print_text(pointer);
            case SchemaKind::data: return print_data(pointer);
            case SchemaKind::capability: return print_capability(field, pointer);
            default: {
                const auto at = words_.structure(pointer);
                return at ? print_struct(field.type, *at, depth + 1) : invalid();
            }
        }
    }

    void print_text(u64 pointer) {
        const auto list = words_.list(pointer, 8);
        if (!list || list->count == 0 || words_.bytes(*list).back() != std::byte{0}) return invalid();
        const Bytes bytes = words_.bytes(*list).first(list->count - 1);
        add("\"");
        append_escaped(result_.text, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
        add("\"");
    }

    void print_data(u64 pointer) {
        const auto list = words_.list(pointer, 8);
        if (!list) return invalid();
        if (list->count == 0) return add("\"\"");  // 0x"" is not known to libcapnp
        add("0x\"");
        bool is_first = true;
        for (const std::byte byte : words_.bytes(*list)) {
            if (full()) break;
            constexpr const char* kHexDigits = "0123456789abcdef";
            const auto value = static_cast<u8>(byte);
            const char spelled[] = {' ', kHexDigits[value >> 4], kHexDigits[value & 15]};
            add(std::string_view{spelled, 3}.substr(is_first ? 1 : 0));
            is_first = false;
        }
        add("\"");
    }

    void print_capability(const Field& field, u64 pointer) {
        const auto index = words_.capability(pointer);
        if (!index || *index >= capability_count_) return invalid();
        const u64 interface_id = field.type == abi::kSchemaAnyInterface ? 0 : table_.interface(field.type).id;
        result_.capabilities.push_back({static_cast<u8>(*index), field.name, interface_id});
        if (*index < options_.capabilities.size()) return add(options_.capabilities[*index]);
        add("<cap ");
        add(std::to_string(*index));
        add(">");
    }

    void print_list(const Field& field, u64 pointer, u32 depth) {
        const bool is_struct = field.element == SchemaKind::structure;
        const u32 bits = bits_of(field.element);
        const auto list = is_struct ? words_.struct_list(pointer) : words_.list(pointer, bits);
        if (!list) return invalid();
        add("[");
        for (u64 i = 0; i < list->count && !full(); ++i) {
            add(i == 0 ? "" : ", ");
            if (is_struct) {
                print_struct(field.type, list->structure(i), depth + 1);
            } else if (bits != 0) {
                print_scalar(field.element, field.type, words_.element(*list, i, bits));
            } else if (words_.is_null(list->start + i)) {
                add(field.element == SchemaKind::capability ? "null" : "\"\"");
            } else {
                print_pointer(field.element, field, list->start + i, depth);
            }
        }
        add("]");
    }

    const Table& table_;
    Words words_;
    u8 capability_count_;
    PrintOptions options_;
    Printed result_;
};

void append_parameters(std::string& out, const Table& table, u16 index) {
    const Structure structure = table.structure(index);
    out += '(';
    for (u16 i = 0; i < structure.fields; ++i) {
        const Field field = table.field(static_cast<u16>(structure.first_field + i));
        const Table::TypeName type = table.type_name(field);
        if (i != 0) out += ", ";
        out += field.name;
        out += " :";
        out += type.prefix;
        out += type.name;
        out += type.suffix;
    }
    out += ')';
}

}  // namespace

Printed print(const Table& table, u16 structure, Bytes message, u8 capability_count, const PrintOptions& options) {
    return Printer{table, message, capability_count, options}.run(structure);
}

std::string signature(const Table& table, const Method& method) {
    std::string out{method.name};
    out += ' ';
    append_parameters(out, table, method.params);
    out += " -> ";
    append_parameters(out, table, method.results);
    return out;
}

}  // namespace capos::dynamic
