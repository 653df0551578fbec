#include "codegen/schema_table.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <map>

#include <capnp/message.h>
#include <capnp/schema.capnp.h>
#include <capnp/serialize.h>

#include "abi/schema_table.h"
#include "codegen/defaults.h"
#include "codegen/text.h"

namespace capos::codegen {

namespace {

using abi::SchemaKind;
using capnp::schema::Node;
namespace schema = capnp::schema;

constexpr u64 kSecretAnnotation = 0x8085439449f8282a;  // `secret` of idl/annotations.capnp
constexpr usize kNameBytesMax = 255;

using Nodes = std::map<u64, Node::Reader>;

std::string name_of(capnp::Text::Reader value) { return {value.begin(), value.size()}; }

SchemaKind scalar_kind(schema::Type::Which type) {
    switch (type) {
        case schema::Type::BOOL: return SchemaKind::boolean;
        case schema::Type::INT8: return SchemaKind::int8;
        case schema::Type::INT16: return SchemaKind::int16;
        case schema::Type::INT32: return SchemaKind::int32;
        case schema::Type::INT64: return SchemaKind::int64;
        case schema::Type::UINT8: return SchemaKind::uint8;
        case schema::Type::UINT16: return SchemaKind::uint16;
        case schema::Type::UINT32: return SchemaKind::uint32;
        case schema::Type::UINT64: return SchemaKind::uint64;
        case schema::Type::TEXT: return SchemaKind::text;
        case schema::Type::DATA: return SchemaKind::data;
        default: return {};
    }
}

// Builds the table of one interface. Structs and enums are numbered when they are first met and filled in afterwards, as they
// may contain themselves.
class Builder {
public:
    // `refuse` takes each reason why there can be no table.
    template <typename Refuse>
    Builder(const Nodes& nodes, Refuse refuse) : nodes_{nodes}, refuse_{refuse} {}

    SchemaTable build(Node::Reader interface) {
        intern("");
        std::vector<Node::Reader> with_methods;
        collect(interface, with_methods);
        for (const Node::Reader one : with_methods) interface_index(one.getId());
        for (u16 i = 0; i < with_methods.size(); ++i) {
            u16 ordinal = 0;
            for (const auto method : with_methods[i].getInterface().getMethods()) add_method(i, ordinal++, method);
        }
        while (!unfinished_.empty()) {
            const u64 id = unfinished_.front();
            unfinished_.pop_front();
            fill_struct(id);
        }
        return encode(static_cast<u16>(with_methods.size() - 1));
    }

private:
    const Node::Reader* node(u64 id) {
        const auto found = nodes_.find(id);
        if (found != nodes_.end()) return &found->second;
        refuse_("a type that the compiler did not pass on");
        return nullptr;
    }

    // Breadth first, so that what is declared nearer comes first.
    void collect(Node::Reader interface, std::vector<Node::Reader>& found) {
        found.push_back(interface);
        for (usize next = 0; next < found.size(); ++next) {
            for (const auto base : found[next].getInterface().getSuperclasses()) {
                const Node::Reader* const one = node(base.getId());
                const auto is_same = [&](Node::Reader other) { return other.getId() == base.getId(); };
                if (one != nullptr && std::ranges::none_of(found, is_same)) found.push_back(*one);
            }
        }
    }

    void add_method(u16 interface, u16 ordinal, schema::Method::Reader method) {
        const std::string name = name_of(method.getName());
        if (method.getImplicitParameters().size() != 0) refuse_("the method " + name + " is generic");
        methods_.push_back({.name = intern(name),
                            .interface = interface,
                            .ordinal = ordinal,
                            .params = struct_index(method.getParamStructType()),
                            .results = struct_index(method.getResultStructType())});
    }

    u16 intern(const std::string& name) {
        const auto [at, is_new] = names_.try_emplace(name, static_cast<u16>(strings_.size()));
        if (is_new) {
            if (name.size() > kNameBytesMax) refuse_("a name of more than 255 letters");
            strings_ += static_cast<char>(name.size());
            strings_ += name;
        }
        return at->second;
    }

    // As a schema file of its own would call it: without the names of file and scope.
    std::string short_name(Node::Reader one) const {
        return name_of(one.getDisplayName()).substr(one.getDisplayNamePrefixLength());
    }

    u16 interface_index(u64 id) {
        const auto [at, is_new] = interface_indices_.try_emplace(id, static_cast<u16>(interfaces_.size()));
        if (is_new) {
            const Node::Reader* const one = node(id);
            interfaces_.push_back({.id = id, .name = intern(one == nullptr ? "" : short_name(*one))});
        }
        return at->second;
    }

    u16 struct_index(u64 id) {
        const auto [at, is_new] = struct_indices_.try_emplace(id, static_cast<u16>(structs_.size()));
        if (is_new) {
            structs_.emplace_back();
            unfinished_.push_back(id);
        }
        return at->second;
    }

    u16 enum_index(u64 id) {
        const auto [at, is_new] = enum_indices_.try_emplace(id, static_cast<u16>(enums_.size()));
        if (!is_new) return at->second;
        abi::SchemaEnum& added = enums_.emplace_back();
        if (const Node::Reader* const one = node(id)) {
            added.name = intern(short_name(*one));
            added.first_enumerant = static_cast<u16>(enumerants_.size());
            added.enumerants = static_cast<u16>(one->getEnum().getEnumerants().size());
            for (const auto enumerant : one->getEnum().getEnumerants()) {
                enumerants_.push_back(intern(name_of(enumerant.getName())));
            }
        }
        return at->second;
    }

    void fill_struct(u64 id) {
        const Node::Reader* const found = node(id);
        if (found == nullptr) return;
        const auto from = found->getStruct();
        const bool is_implicit = found->getScopeId() == 0;
        abi::SchemaStruct filled{.data_words = from.getDataWordCount(), .pointers = from.getPointerCount()};
        filled.name = intern(is_implicit ? "" : short_name(*found));
        filled.first_field = static_cast<u16>(fields_.size());
        filled.fields = static_cast<u16>(from.getFields().size());
        if (found->getIsGeneric()) refuse_("the struct " + short_name(*found) + " is generic");
        if (from.getDiscriminantCount() != 0) refuse_("the struct " + short_name(*found) + " holds a union");

        std::vector<schema::Field::Reader> in_order;
        for (const auto field : from.getFields()) in_order.push_back(field);
        std::ranges::stable_sort(in_order, {}, [](schema::Field::Reader field) { return field.getCodeOrder(); });
        for (const auto field : in_order) fields_.push_back(make_field(field));
        structs_[struct_indices_.at(id)] = filled;
    }

    abi::SchemaField make_field(schema::Field::Reader from) {
        const std::string name = name_of(from.getName());
        abi::SchemaField field{.name = intern(name), .type = abi::kSchemaAnyInterface};
        if (from.isGroup()) {
            refuse_("the field " + name + " is a group");
            return field;
        }
        const auto slot = from.getSlot();
        if (has_other_default(slot)) refuse_("the field " + name + " has a default other than zero");
        if (slot.getOffset() > 0xffff) refuse_("the field " + name + " lies too far behind");
        field.offset = static_cast<u16>(slot.getOffset());
        set_type(field, field.kind, slot.getType(), name);
        for (const auto annotation : from.getAnnotations()) {
            if (annotation.getId() == kSecretAnnotation) field.flags |= abi::kSchemaFieldSecret;
        }
        return field;
    }

    // Sets `kind`, which is the field's or that of its elements.
    void set_type(abi::SchemaField& field, SchemaKind& kind, schema::Type::Reader type, const std::string& name) {
        const auto has_bindings = [](schema::Brand::Reader brand) { return brand.getScopes().size() != 0; };
        bool generic = false;
        switch (type.which()) {
            case schema::Type::LIST:
                if (&kind == &field.element) return refuse_("the field " + name + " is a list of lists");
                kind = SchemaKind::list;
                return set_type(field, field.element, type.getList().getElementType(), name);
            case schema::Type::ENUM:
                kind = SchemaKind::enumeration;
                field.type = enum_index(type.getEnum().getTypeId());
                break;
            case schema::Type::STRUCT:
                kind = SchemaKind::structure;
                generic = has_bindings(type.getStruct().getBrand());
                field.type = struct_index(type.getStruct().getTypeId());
                break;
            case schema::Type::INTERFACE:
                kind = SchemaKind::capability;
                generic = has_bindings(type.getInterface().getBrand());
                field.type = interface_index(type.getInterface().getTypeId());
                break;
            case schema::Type::ANY_POINTER: {
                const auto any = type.getAnyPointer();
                kind = SchemaKind::capability;
                generic = !any.isUnconstrained();
                if (!generic && !any.getUnconstrained().isAnyKind() && !any.getUnconstrained().isCapability()) {
                    refuse_("the field " + name + " is of a struct or list that is not named");
                }
                break;
            }
            default:
                kind = scalar_kind(type.which());
                if (kind == SchemaKind{}) refuse_("the field " + name + " is of a type that tables don't know");
        }
        if (generic) refuse_("the field " + name + " is of a generic type");
    }

    template <typename Record>
    static void append(SchemaTable& table, const Record& record) {
        const auto* bytes = reinterpret_cast<const u8*>(&record);
        table.insert(table.end(), bytes, bytes + sizeof record);
    }
    template <typename Record>
    static void append_all(SchemaTable& table, const std::vector<Record>& records) {
        for (const Record& record : records) append(table, record);
    }

    SchemaTable encode(u16 bases) {
        SchemaTable table;
        abi::SchemaHeader header{.magic = abi::kSchemaMagic,
                                 .version = abi::kSchemaVersion,
                                 .bases = bases,
                                 .interfaces = static_cast<u16>(interfaces_.size()),
                                 .methods = static_cast<u16>(methods_.size()),
                                 .structs = static_cast<u16>(structs_.size()),
                                 .fields = static_cast<u16>(fields_.size()),
                                 .enums = static_cast<u16>(enums_.size()),
                                 .enumerants = static_cast<u16>(enumerants_.size()),
                                 .string_bytes = static_cast<u16>(strings_.size())};
        append(table, header);
        append_all(table, interfaces_);
        append_all(table, methods_);
        append_all(table, structs_);
        append_all(table, fields_);
        append_all(table, enums_);
        append_all(table, enumerants_);
        table.insert(table.end(), strings_.begin(), strings_.end());
        table.resize((table.size() + 7) / 8 * 8);
        if (table.size() > abi::kSchemaTableBytesMax) {
            refuse_(concat("its table takes ", table.size(), " bytes; ", abi::kSchemaTableBytesMax, " are the most"));
        }
        const auto bytes = static_cast<u32>(table.size());
        std::copy_n(reinterpret_cast<const u8*>(&bytes), sizeof bytes, table.begin() + offsetof(abi::SchemaHeader, bytes));
        return table;
    }

    const Nodes& nodes_;
    std::function<void(const std::string&)> refuse_;
    std::string strings_;
    std::map<std::string, u16> names_;
    std::map<u64, u16> interface_indices_, struct_indices_, enum_indices_;
    std::deque<u64> unfinished_;
    std::vector<abi::SchemaInterface> interfaces_;
    std::vector<abi::SchemaMethod> methods_;
    std::vector<abi::SchemaStruct> structs_;
    std::vector<abi::SchemaField> fields_;
    std::vector<abi::SchemaEnum> enums_;
    std::vector<u16> enumerants_;
};

constexpr const char* kHeading = "# Schema tables (abi/schema_table.h); generated by capnpc-capos.\n";

std::string byte_lines(std::span<const SchemaTable> tables) {
    constexpr usize kRowBytes = 24;
    std::string text;
    for (const SchemaTable& table : tables) {
        for (usize at = 0; at < table.size(); at += kRowBytes) {
            text += "    .byte ";
            const usize end = std::min(at + kRowBytes, table.size());
            for (usize i = at; i < end; ++i) text += concat(i == at ? "" : ",", unsigned{table[i]});
            text += '\n';
        }
    }
    return text;
}

}  // namespace

std::vector<SchemaTable> make_schema_tables(int descriptor, std::span<const Source> sources, Problems& problems) {
    capnp::ReaderOptions options;
    options.traversalLimitInWords = u64{1} << 30;  // our own compiler's output
    capnp::StreamFdMessageReader message{descriptor, options};
    const auto request = message.getRoot<schema::CodeGeneratorRequest>();
    Nodes nodes;
    for (const Node::Reader node : request.getNodes()) nodes.emplace(node.getId(), node);

    std::vector<SchemaTable> tables;
    usize index = 0;
    for (const auto file : request.getRequestedFiles()) {
        const Source& source = sources[index++];
        for (const auto nested : nodes.at(file.getId()).getNestedNodes()) {
            const auto found = nodes.find(nested.getId());
            if (found == nodes.end() || !found->second.isInterface()) continue;
            const std::string name = name_of(nested.getName());
            Builder builder{nodes, [&](const std::string& reason) {
                                problems.add(source.file(), source.line_of(name), name + ": no schema table: " + reason);
                            }};
            tables.push_back(builder.build(found->second));
        }
    }
    return tables;
}

std::string schema_bytes(std::span<const SchemaTable> tables) {
    std::string bytes;
    for (const SchemaTable& table : tables) bytes.append(table.begin(), table.end());
    return bytes;
}

std::string emit_schema_section(std::span<const SchemaTable> tables) {
    return concat(kHeading, "    .section ", abi::kSchemaSection, ",\"\",@progbits\n    .balign 8\n", byte_lines(tables));
}

std::string emit_schema_data(std::span<const SchemaTable> tables) {
    return concat(kHeading, "    .section .rodata.capos_schema_tables,\"a\",@progbits\n    .balign 8\n",
                  "    .globl capos_schema_tables, capos_schema_tables_end\ncapos_schema_tables:\n", byte_lines(tables),
                  "capos_schema_tables_end:\n    .byte 0\n    .section .note.GNU-stack,\"\",@progbits\n");
}

}  // namespace capos::codegen
