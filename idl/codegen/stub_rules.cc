#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "codegen/messages.h"
#include "codegen/names.h"
#include "codegen/stubs.h"

namespace capos::codegen {

namespace {

// What the bases of generated clients and servers have already.
constexpr auto kTakenMethods = std::to_array<std::string_view>({"dispatch", "dropped", "caller_badge", "as", "loop"});

class Checker {
public:
    Checker(const File& file, const Source& source, const Model& model, Problems& problems)
        : file_{file}, source_{source}, model_{model}, problems_{problems} {}

    void run() {
        for (const Interface& one : file_.interfaces) {
            if (one.bases.size() > 1) refuse(one.name, "extends more than one interface; its stubs can't");
            for (const Type& base : one.bases) check_type(one.name, base);
            for (const Method& method : one.methods) check_method(one.name + "." + method.name, method);
        }
    }

private:
    void refuse(const std::string& path, const std::string& what) {
        problems_.add(file_.name, source_.line_of(path), path + ": " + what);
    }

    void check_method(const std::string& path, const Method& method) {
        if (std::ranges::find(kTakenMethods, snake_case(method.name)) != kTakenMethods.end()) {
            refuse(path, "has a name that stubs need for themselves");
        }
        for (const Struct* message : {&method.params, &method.results}) {
            for (const Field& field : message->fields) {
                std::set<u64> seen;
                if (field.type.kind == TypeKind::capability) {
                    check_type(path, field.type);
                } else if (brings_capability(field.type, model_, seen)) {
                    refuse(path, "`" + field.name + "` has capabilities inside; stubs pass only those that are fields");
                }
            }
        }
    }

    // An interface of another file whose messages name an interface of this one.
    void check_type(const std::string& path, const Type& type) {
        if (type.id == 0 || type.file == file_.name) return;
        const bool needs_us = std::ranges::any_of(model_.structs, [&](const auto& entry) {
            return entry.second.file == type.file && std::ranges::any_of(entry.second.fields, [&](const Field& field) {
                return field.type.kind == TypeKind::capability && field.type.file == file_.name;
            });
        });
        if (!needs_us) return;
        refuse(path, type.name + " of " + type.file + ", which needs this file; headers can't include each other");
    }

    const File& file_;
    const Source& source_;
    const Model& model_;
    Problems& problems_;
};

}  // namespace

void check_stubs(const File& file, const Source& source, const Model& model, Problems& problems) {
    Checker{file, source, model, problems}.run();
}

}  // namespace capos::codegen
