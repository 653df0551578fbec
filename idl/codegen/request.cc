#include "codegen/request.h"

#include <algorithm>
#include <map>
#include <string_view>

#include <capnp/message.h>
#include <capnp/schema.capnp.h>
#include <capnp/serialize.h>

#include "codegen/defaults.h"

namespace capos::codegen {

namespace {

using capnp::schema::Node;
namespace schema = capnp::schema;

constexpr u64 kStreamResultId = 0x995f9a3377c0b16e;  // StreamResult of /capnp/stream.capnp

std::string text(capnp::Text::Reader value) { return {value.begin(), value.size()}; }

class Loader {
public:
    explicit Loader(schema::CodeGeneratorRequest::Reader request) : request_{request} {
        for (const Node::Reader node : request.getNodes()) nodes_.emplace(node.getId(), node);
        for (const Node::SourceInfo::Reader info : request.getSourceInfo()) sources_.emplace(info.getId(), info);
    }

    Model model() const {
        Model model;
        for (const auto requested : request_.getRequestedFiles()) {
            File file{.id = requested.getId(), .name = text(requested.getFilename()), .doc = doc(requested.getId())};
            add_nested(file, nodes_.at(file.id), "");
            model.files.push_back(std::move(file));
        }
        for (const auto& [id, node] : nodes_) {
            if (node.isStruct()) model.structs.emplace(id, structure(node, short_name(id)));
        }
        return model;
    }

private:
    std::string doc(u64 id) const {
        const auto info = sources_.find(id);
        return info == sources_.end() ? std::string{} : text(info->second.getDocComment());
    }

    std::string member_doc(u64 id, u32 index) const {
        const auto info = sources_.find(id);
        if (info == sources_.end() || index >= info->second.getMembers().size()) return {};
        return text(info->second.getMembers()[index].getDocComment());
    }

    // What stands before the colon of a display name.
    std::string file_of(u64 id) const {
        const auto node = nodes_.find(id);
        if (node == nodes_.end()) return {};
        const std::string display = text(node->second.getDisplayName());
        return display.substr(0, display.find(':'));
    }

    // The name inside its file: Outer.Inner.
    std::string short_name(u64 id) const {
        const auto node = nodes_.find(id);
        if (node == nodes_.end()) return "?";
        const std::string display = text(node->second.getDisplayName());
        return display.substr(display.find(':') + 1);
    }

    void add_nested(File& file, Node::Reader parent, const std::string& prefix) const {
        for (const auto nested : parent.getNestedNodes()) {
            const auto found = nodes_.find(nested.getId());
            if (found == nodes_.end()) continue;
            const Node::Reader node = found->second;
            const std::string name = prefix + text(nested.getName());
            switch (node.which()) {
                case Node::INTERFACE: file.interfaces.push_back(interface(node, name)); break;
                case Node::STRUCT: add_struct(file, node, name); break;
                case Node::ENUM: file.enums.push_back(enumeration(node, name)); break;
                default: break;  // annotations and constants have no representation of ours
            }
            add_nested(file, node, name + ".");
        }
    }

    // Groups follow the struct that holds them, as structs of their own: their fields are declarations like any other.
    void add_struct(File& file, Node::Reader node, const std::string& name) const {
        file.structs.push_back(structure(node, name));
        for (const auto field : node.getStruct().getFields()) {
            const auto group = field.isGroup() ? nodes_.find(field.getGroup().getTypeId()) : nodes_.end();
            if (group != nodes_.end()) add_struct(file, group->second, name + "." + text(field.getName()));
        }
    }

    static bool has_bindings(schema::Brand::Reader brand) { return brand.getScopes().size() != 0; }

    template <typename Reference>
    Type declared(TypeKind kind, Reference to, u64 id) const {
        const std::string name = short_name(id);
        return {.kind = kind,
                .id = id,
                .name = name,
                .file = file_of(id),
                .nested = name.find('.') != std::string::npos,
                .generic = has_bindings(to.getBrand())};
    }

    static Type any_pointer(schema::Type::AnyPointer::Reader any) {
        if (!any.isUnconstrained()) return {.kind = TypeKind::any_other, .name = "a type parameter", .generic = true};
        const auto kind = any.getUnconstrained();
        if (kind.isAnyKind()) return {.kind = TypeKind::capability, .name = "AnyPointer"};
        if (kind.isCapability()) return {.kind = TypeKind::capability, .name = "Capability"};
        return {.kind = TypeKind::any_other, .name = kind.isStruct() ? "AnyStruct" : "AnyList"};
    }

    Type type(schema::Type::Reader from) const {
        switch (from.which()) {
            case schema::Type::VOID: return {.kind = TypeKind::nothing, .name = "Void"};
            case schema::Type::BOOL: return {.kind = TypeKind::boolean, .name = "Bool"};
            case schema::Type::INT8: return {.kind = TypeKind::int8, .name = "Int8"};
            case schema::Type::INT16: return {.kind = TypeKind::int16, .name = "Int16"};
            case schema::Type::INT32: return {.kind = TypeKind::int32, .name = "Int32"};
            case schema::Type::INT64: return {.kind = TypeKind::int64, .name = "Int64"};
            case schema::Type::UINT8: return {.kind = TypeKind::uint8, .name = "UInt8"};
            case schema::Type::UINT16: return {.kind = TypeKind::uint16, .name = "UInt16"};
            case schema::Type::UINT32: return {.kind = TypeKind::uint32, .name = "UInt32"};
            case schema::Type::UINT64: return {.kind = TypeKind::uint64, .name = "UInt64"};
            case schema::Type::FLOAT32: return {.kind = TypeKind::float32, .name = "Float32"};
            case schema::Type::FLOAT64: return {.kind = TypeKind::float64, .name = "Float64"};
            case schema::Type::TEXT: return {.kind = TypeKind::text, .name = "Text"};
            case schema::Type::DATA: return {.kind = TypeKind::data, .name = "Data"};
            case schema::Type::LIST: {
                const Type element = type(from.getList().getElementType());
                return {.kind = TypeKind::list,
                        .name = "List(" + element.name + ")",
                        .generic = element.generic,
                        .element = {element}};
            }
            case schema::Type::ENUM: return declared(TypeKind::enumeration, from.getEnum(), from.getEnum().getTypeId());
            case schema::Type::STRUCT: return declared(TypeKind::structure, from.getStruct(), from.getStruct().getTypeId());
            case schema::Type::INTERFACE:
                return declared(TypeKind::capability, from.getInterface(), from.getInterface().getTypeId());
            case schema::Type::ANY_POINTER: return any_pointer(from.getAnyPointer());
        }
        return {.kind = TypeKind::any_other, .name = "an unknown type"};
    }

    Field field(schema::Field::Reader from, u64 struct_id, u32 index) const {
        Field field{.name = text(from.getName()), .doc = member_doc(struct_id, index)};
        field.is_in_union = from.getDiscriminantValue() != schema::Field::NO_DISCRIMINANT;
        if (from.isGroup()) {
            field.is_group = true;
            field.type = {.kind = TypeKind::structure, .id = from.getGroup().getTypeId(), .name = "group"};
            return field;
        }
        const auto slot = from.getSlot();
        field.type = type(slot.getType());
        field.offset = slot.getOffset();
        field.is_default_zero = !has_other_default(slot);
        return field;
    }

    Struct structure(Node::Reader node, std::string name) const {
        const auto from = node.getStruct();
        Struct result{.id = node.getId(), .file = file_of(node.getId()), .name = std::move(name), .doc = doc(node.getId())};
        result.data_words = from.getDataWordCount();
        result.pointers = from.getPointerCount();
        result.generic = node.getIsGeneric();
        result.is_group = from.getIsGroup();
        result.is_implicit = node.getScopeId() == 0;
        result.is_stream = node.getId() == kStreamResultId;
        std::vector<std::pair<u16, Field>> in_order;
        for (u32 i = 0; i < from.getFields().size(); ++i) {
            const auto one = from.getFields()[i];
            in_order.emplace_back(one.getCodeOrder(), field(one, node.getId(), i));
        }
        std::ranges::stable_sort(in_order, {}, [](const auto& entry) { return entry.first; });
        for (auto& [order, one] : in_order) result.fields.push_back(std::move(one));
        return result;
    }

    Enum enumeration(Node::Reader node, std::string name) const {
        Enum result{.id = node.getId(), .name = std::move(name), .doc = doc(node.getId())};
        u16 value = 0;
        for (const auto enumerant : node.getEnum().getEnumerants()) {
            result.enumerants.push_back({text(enumerant.getName()), member_doc(node.getId(), value), value});
            ++value;
        }
        return result;
    }

    Struct message(u64 id, schema::Brand::Reader brand) const {
        Struct result = structure(nodes_.at(id), short_name(id));
        result.generic = result.generic || has_bindings(brand);
        return result;
    }

    Interface interface(Node::Reader node, std::string name) const {
        const auto from = node.getInterface();
        Interface result{.id = node.getId(), .name = std::move(name), .doc = doc(node.getId()), .generic = node.getIsGeneric()};
        for (const auto base : from.getSuperclasses()) {
            const u64 id = base.getId();
            result.bases.push_back(declared(TypeKind::capability, base, id));
        }
        u16 ordinal = 0;
        for (const auto method : from.getMethods()) {
            result.methods.push_back({.name = text(method.getName()),
                                      .doc = member_doc(node.getId(), ordinal),
                                      .ordinal = ordinal,
                                      .generic = method.getImplicitParameters().size() != 0,
                                      .params = message(method.getParamStructType(), method.getParamBrand()),
                                      .results = message(method.getResultStructType(), method.getResultBrand())});
            ++ordinal;
        }
        return result;
    }

    schema::CodeGeneratorRequest::Reader request_;
    std::map<u64, Node::Reader> nodes_;
    std::map<u64, Node::SourceInfo::Reader> sources_;
};

}  // namespace

Model read_request(int descriptor) {
    capnp::ReaderOptions options;
    options.traversalLimitInWords = u64{1} << 30;  // our own compiler's output
    capnp::StreamFdMessageReader message{descriptor, options};
    return Loader{message.getRoot<schema::CodeGeneratorRequest>()}.model();
}

}  // namespace capos::codegen
