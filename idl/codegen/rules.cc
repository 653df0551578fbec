#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>

#include "abi/ring.h"
#include "codegen/messages.h"
#include "codegen/names.h"

namespace capos::codegen {

namespace {

// What the generated structs call their own members and locals.
constexpr auto kTakenNames = std::to_array<std::string_view>(
    {"decode", "encode", "visit", "read_from", "write_to", "encoded_bytes", "content_bytes", "out", "reader", "writer",
     "visitor", "message", "capability_count"});
// What stands in the namespace of the generated headers already.
constexpr auto kTakenTypes = std::to_array<std::string_view>({"List", "CapabilityIndex"});

bool is_nested(const std::string& name) { return name.find('.') != std::string::npos; }

// Whether a value of struct `from` holds one of struct `to`.
bool holds(u64 from, u64 to, const Model& model, std::set<u64>& seen) {
    if (from == to) return true;
    const auto found = model.structs.find(from);
    if (found == model.structs.end() || !seen.insert(from).second) return false;
    return std::ranges::any_of(found->second.fields, [&](const Field& field) {
        return field.type.kind == TypeKind::structure && holds(field.type.id, to, model, seen);
    });
}

// The file whose header a field's type needs; empty for none.
std::string needed_file(const Type& type) {
    if (type.kind == TypeKind::list) return needed_file(type.element.at(0));
    return type.kind == TypeKind::structure || type.kind == TypeKind::enumeration ? type.file : std::string{};
}

bool file_needs(const std::string& from, const std::string& to, const Model& model, std::set<std::string>& seen) {
    if (from == to) return true;
    if (!seen.insert(from).second) return false;
    return std::ranges::any_of(model.structs, [&](const auto& entry) {
        if (entry.second.file != from) return false;
        return std::ranges::any_of(entry.second.fields, [&](const Field& field) {
            const std::string needed = needed_file(field.type);
            return !needed.empty() && needed != from && file_needs(needed, to, model, seen);
        });
    });
}

struct CapabilityCount {
    u32 fields{};
    bool in_lists{};
};

// `open`: the structs that are being counted, so that one that holds itself, which is refused, ends.
void count(const Struct& one, const Model& model, std::set<u64>& open, CapabilityCount& total) {
    if (!open.insert(one.id).second) return;
    for (const Field& field : one.fields) {
        std::set<u64> seen;
        const auto found = model.structs.find(field.type.id);
        const bool is_struct = field.type.kind == TypeKind::structure && found != model.structs.end();
        if (is_struct) count(found->second, model, open, total);
        if (field.type.kind == TypeKind::capability) ++total.fields;
        if (field.type.kind == TypeKind::list && brings_capability(field.type, model, seen)) total.in_lists = true;
    }
    open.erase(one.id);
}

class Checker {
public:
    Checker(const File& file, const Source& source, const Model& model, Problems& problems)
        : file_{file}, source_{source}, model_{model}, problems_{problems} {}

    void run() {
        for (const Enum& one : file_.enums) check_name(one.name, "enum");
        for (const Struct& one : file_.structs) check_struct(one);
        for (const Interface& one : file_.interfaces) check_interface(one);
    }

private:
    void refuse(const std::string& path, const std::string& what) {
        problems_.add(file_.name, source_.line_of(path), path + ": " + what);
    }

    void check_name(const std::string& name, const std::string& role) {
        if (is_nested(name)) refuse(name, "a nested " + role + "; declare it at the top of the file");
        if (std::ranges::find(kTakenTypes, name) != kTakenTypes.end()) {
            refuse(name, "has a name that the generated code needs for itself");
        }
    }

    void check_struct(const Struct& one) {
        if (one.is_group) return;  // its struct's field is refused
        check_name(one.name, "struct");
        if (one.generic) return refuse(one.name, "a generic struct has no representation");
        for (const Field& field : one.fields) {
            const std::string path = one.name + "." + field.name;
            check_field(path, "the field ", field);
            std::set<u64> seen;
            if (field.type.kind == TypeKind::structure && holds(field.type.id, one.id, model_, seen)) {
                refuse(path, "a " + one.name + " inside a " + one.name + "; put it into a List");
            }
        }
        check_capabilities(one.name, "its fields", one);
    }

    void check_interface(const Interface& interface) {
        check_name(interface.name, "interface");
        if (interface.generic) return refuse(interface.name, "a generic interface has no representation");
        for (const Method& method : interface.methods) {
            const std::string path = interface.name + "." + method.name;
            if (pascal_case(method.name) == interface.name) refuse(path, "a method named as its interface");
            if (method.name == "client" || method.name == "server") refuse(path, "a method named as a class of its interface");
            if (method.generic) refuse(path, "a generic method has no representation");
            check_message(path, "parameter", method.params);
            check_message(path, "result", method.results);
        }
    }

    void check_message(const std::string& path, const std::string& role, const Struct& message) {
        if (message.generic) return refuse(path, role + "s of a generic type have no representation");
        if (message.is_implicit) {
            for (const Field& field : message.fields) check_field(path, role + " `" + field.name + "` ", field);
            check_capabilities(path, role + "s", message);
        } else if (!message.is_stream) {
            check_file(path, role + "s are " + message.name, message.file);
        }
    }

    void check_capabilities(const std::string& path, const std::string& what, const Struct& one) {
        if (capabilities_of(one, model_) <= abi::kCapabilitiesMax) return;
        refuse(path, what + " hold more than 8 capabilities");
    }

    void check_field(const std::string& path, const std::string& what, const Field& field) {
        if (field.is_in_union) return refuse(path, what + "is in a union, which has no representation");
        if (field.is_group) return refuse(path, what + "is a group, which has no representation");
        if (!field.is_default_zero) refuse(path, what + "has a default other than zero");
        if (std::ranges::find(kTakenNames, snake_case(field.name)) != kTakenNames.end()) {
            refuse(path, what + "has a name that the generated code needs for itself");
        }
        check_type(path, what, field.type);
    }

    void check_type(const std::string& path, const std::string& what, const Type& type) {
        if (type.generic) return refuse(path, what + "is " + type.name + ", which is generic");
        switch (type.kind) {
            case TypeKind::nothing:
            case TypeKind::any_other: return refuse(path, what + "is " + type.name + ", which has no representation");
            case TypeKind::list: return check_element(path, what, type);
            case TypeKind::structure:
            case TypeKind::enumeration: return check_declared(path, what, type);
            default: return;
        }
    }

    void check_element(const std::string& path, const std::string& what, const Type& list) {
        const Type& element = list.element.at(0);
        switch (element.kind) {
            case TypeKind::nothing:
            case TypeKind::any_other:
            case TypeKind::list:
            case TypeKind::capability:
                return refuse(path, what + "is " + list.name + "; a list holds numbers, Bool, enums, Text, Data or structs");
            default: return check_type(path, what, element);
        }
    }

    void check_declared(const std::string& path, const std::string& what, const Type& type) {
        const bool is_foreign = type.file != file_.name;
        if (is_foreign && type.nested) refuse(path, what + "is " + type.name + ", a nested declaration of " + type.file);
        check_file(path, what + "is " + type.name, type.file);
    }

    void check_file(const std::string& path, const std::string& what, const std::string& file) {
        std::set<std::string> seen;
        if (file == file_.name || !file_needs(file, file_.name, model_, seen)) return;
        refuse(path, what + " of " + file + ", which needs this file; headers can't include each other");
    }

    const File& file_;
    const Source& source_;
    const Model& model_;
    Problems& problems_;
};

}  // namespace

bool brings_capability(const Type& type, const Model& model, std::set<u64>& seen) {
    if (type.kind == TypeKind::list) return brings_capability(type.element.at(0), model, seen);
    if (type.kind != TypeKind::structure) return type.kind == TypeKind::capability;
    const auto found = model.structs.find(type.id);
    if (found == model.structs.end() || !seen.insert(type.id).second) return false;
    return std::ranges::any_of(found->second.fields,
                               [&](const Field& field) { return brings_capability(field.type, model, seen); });
}

u32 capabilities_of(const Struct& one, const Model& model) {
    CapabilityCount total;
    std::set<u64> open;
    count(one, model, open, total);
    return total.in_lists ? std::max<u32>(total.fields, abi::kCapabilitiesMax) : total.fields;
}

void check_messages(const File& file, const Source& source, const Model& model, Problems& problems) {
    Checker{file, source, model, problems}.run();
}

void check_unique(const Model& model, const std::vector<Source>& sources, Problems& problems) {
    std::map<std::string, std::string> declared;
    for (usize i = 0; i < model.files.size(); ++i) {
        const File& file = model.files[i];
        const auto add = [&](const std::string& name) {
            const auto [first, is_new] = declared.emplace(name, file.name);
            if (is_new || first->second == file.name) return;
            problems.add(file.name, sources[i].line_of(name), name + ": " + first->second + " declares that name too");
        };
        for (const Interface& one : file.interfaces) add(one.name);
        for (const Struct& one : file.structs) add(one.name);
        for (const Enum& one : file.enums) add(one.name);
    }
}

}  // namespace capos::codegen
