#include <algorithm>
#include <array>
#include <string_view>

#include "codegen/kernel_messages.h"
#include "codegen/names.h"
#include "idl/flat.h"

namespace capos::codegen {

namespace {

// What the generated structs call their own members and locals.
constexpr auto kTakenNames = std::to_array<std::string_view>({"decode", "encode", "visit", "out", "writer", "visitor"});

class Checker {
public:
    Checker(const File& file, const Source& source, const std::vector<Enum>& enums, Problems& problems)
        : file_{file}, source_{source}, enums_{enums}, problems_{problems} {}

    void run() {
        for (const Interface& interface : file_.interfaces) check_interface(interface);
        for (const Enum& one : file_.enums) {
            if (is_nested(one.name)) refuse(one.name, "a nested enum; declare it at the top of the file");
        }
    }

private:
    static bool is_nested(const std::string& name) { return name.find('.') != std::string::npos; }

    void refuse(const std::string& path, const std::string& what) {
        problems_.add(file_.name, source_.line_of(path), path + ": " + what);
    }

    void check_interface(const Interface& interface) {
        if (is_nested(interface.name)) refuse(interface.name, "a nested interface; declare it at the top of the file");
        if (interface.generic) return refuse(interface.name, "a generic interface has no flat messages");
        for (const Method& method : interface.methods) {
            const std::string path = interface.name + "." + method.name;
            if (pascal_case(method.name) == interface.name) refuse(path, "a method named as its interface");
            if (method.name == "client" || method.name == "server") refuse(path, "a method named as a class of its interface");
            if (method.generic) refuse(path, "a generic method has no flat messages");
            if (method.results.is_stream) refuse(path, "streaming is for served objects; the kernel answers every call");
            check_message(path, "parameter", method.params, idl::flat::kParamsBytesMax);
            check_message(path, "result", method.results, idl::flat::kResultsBytesMax);
        }
    }

    void check_message(const std::string& path, const std::string& role, const Struct& message, usize bytes_max) {
        if (message.generic) refuse(path, role + "s of a generic type have no flat representation");
        usize capabilities = 0;
        for (const Field& field : message.fields) {
            check_field(path, role + " `" + field.name + "` ", field);
            if (field.type.kind == TypeKind::capability) ++capabilities;
        }
        const idl::flat::Layout layout{message.data_words, message.pointers, bytes_max};
        if (layout.bytes_min() > bytes_max) {
            refuse(path, role + "s take " + std::to_string(layout.bytes_min()) + " bytes; a message has at most " +
                             std::to_string(bytes_max));
        }
        if (capabilities > abi::kCapabilitiesMax) refuse(path, role + "s hold more than 8 capabilities");
    }

    void check_field(const std::string& path, const std::string& what, const Field& field) {
        if (field.is_in_union) return refuse(path, what + "is in a union, which has no flat representation");
        if (field.is_group) return refuse(path, what + "is a group, which has no flat representation");
        if (!field.is_default_zero) refuse(path, what + "has a default other than zero");
        if (std::ranges::find(kTakenNames, snake_case(field.name)) != kTakenNames.end()) {
            refuse(path, what + "has a name that the generated code needs for itself");
        }
        switch (field.type.kind) {
            case TypeKind::nothing:
            case TypeKind::float32:
            case TypeKind::float64:
            case TypeKind::list:
            case TypeKind::structure:
            case TypeKind::any_other:
                return refuse(path, what + "is " + field.type.name +
                                        "; a flat message holds only integers, Bool, enums, Text, Data and capabilities");
            case TypeKind::enumeration:
                if (std::ranges::find(enums_, field.type.id, &Enum::id) == enums_.end()) {
                    refuse(path, what + "is " + field.type.name + ", an enum of a file that is not among those given");
                }
                return;
            default:
                if (field.type.generic) refuse(path, what + "is an instance of the generic " + field.type.name);
        }
    }

    const File& file_;
    const Source& source_;
    const std::vector<Enum>& enums_;
    Problems& problems_;
};

}  // namespace

void check_flat(const File& file, const Source& source, const std::vector<Enum>& enums, Problems& problems) {
    Checker{file, source, enums, problems}.run();
}

}  // namespace capos::codegen
