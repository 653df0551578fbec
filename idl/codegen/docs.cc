#include "codegen/docs.h"

#include "codegen/text.h"

#include <initializer_list>

namespace capos::codegen {

namespace {

bool names_word(std::string_view text, std::string_view word) {
    for (auto at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
        const auto end = at + word.size();
        if ((at == 0 || !is_word(text[at - 1])) && (end == text.size() || !is_word(text[end]))) return true;
    }
    return false;
}

class Gate {
public:
    Gate(const File& file, const Source& source, Problems& problems) : file_{file}, source_{source}, problems_{problems} {}

    void run() {
        check("", "the file", file_.doc);
        for (const Interface& interface : file_.interfaces) {
            check(interface.name, "interface " + interface.name, interface.doc);
            for (const Method& method : interface.methods) check_method(interface, method);
        }
        for (const Struct& one : file_.structs) {
            check(one.name, "struct " + one.name, one.doc);
            for (const Field& field : one.fields) check_member(one.name, "field", field.name, field.doc);
        }
        for (const Enum& one : file_.enums) {
            check(one.name, "enum " + one.name, one.doc);
            for (const Enumerant& entry : one.enumerants) check_member(one.name, "enumerant", entry.name, entry.doc);
        }
    }

private:
    void refuse(const std::string& path, const std::string& what) { problems_.add(file_.name, source_.line_of(path), what); }

    void check_member(const std::string& owner, const std::string& role, const std::string& name, const std::string& doc) {
        const std::string path = owner + "." + name;
        check(path, role + " " + path, doc);
    }

    void check(const std::string& path, const std::string& what, const std::string& doc) {
        const Declaration* declaration = source_.find(path);
        if (declaration == nullptr) return refuse(path, what + " is not in the text where the compiler says it is");
        if (declaration->doc.empty()) return refuse(path, what + " has no comment behind it");
        if (comment_text(doc) == declaration->doc) return;
        refuse(path, what + " got another comment from the compiler than the text shows");
    }

    void check_method(const Interface& interface, const Method& method) {
        const std::string path = interface.name + "." + method.name;
        check(path, "method " + path, method.doc);
        bool says_how_it_fails = false;
        for (const char* phrase : {"Errors: ", "Idempotent.", "oes not return."}) {
            says_how_it_fails = says_how_it_fails || method.doc.find(phrase) != std::string::npos;
        }
        if (!method.doc.empty() && !says_how_it_fails) {
            refuse(path, "method " + path + " does not say how it fails: `Errors: ...`, `Idempotent.` or `does not return.`");
        }
        check_list(interface, method, "parameter", method.params);
        check_list(interface, method, "result", method.results);
    }

    void check_list(const Interface& interface, const Method& method, const std::string& role, const Struct& list) {
        if (!list.is_implicit) return;  // a struct of its own, or of another file, whose fields have comments
        for (const Field& field : list.fields) {
            if (field.type.kind == TypeKind::capability && field.type.id != 0) continue;
            const std::string& name = field.name;
            if (names_word(method.doc, name) || names_word(interface.doc, name) || names_word(file_.doc, name)) continue;
            const std::string path = interface.name + "." + method.name;
            refuse(path, role + " `" + name + "` of " + path +
                             " is named in no comment: neither the method's, nor the interface's, nor the file's");
        }
    }

    const File& file_;
    const Source& source_;
    Problems& problems_;
};

}  // namespace

std::string comment_text(std::string_view doc) {
    std::string result;
    while (!doc.empty()) {
        const auto end = doc.find('\n');
        std::string_view line = doc.substr(0, end);
        doc.remove_prefix(end == std::string_view::npos ? doc.size() : end + 1);
        if (!result.empty()) result += '\n';
        result += trimmed(line);
    }
    return result;
}

void check_docs(const File& file, const Source& source, Problems& problems) { Gate{file, source, problems}.run(); }

}  // namespace capos::codegen
