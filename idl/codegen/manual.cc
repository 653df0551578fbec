#include "codegen/manual.h"

#include <algorithm>
#include <set>
#include <vector>

#include "codegen/cpp.h"
#include "codegen/docs.h"
#include "codegen/text.h"

namespace capos::codegen {

namespace {

// Comments are plain text; what Markdown or a table would take for its own is escaped, code in backquotes is left alone.
std::string escaped(const std::string& text) {
    std::string result;
    bool in_code = false;
    for (const char c : text) {
        if (c == '`') in_code = !in_code;
        if (c == '|' || (!in_code && (c == '<' || c == '>' || c == '*' || c == '[' || c == ']'))) result += '\\';
        result += c;
    }
    return result;
}

std::string one_line(const std::string& doc) {
    std::string text = escaped(comment_text(doc));
    std::ranges::replace(text, '\n', ' ');
    return text;
}

class Page {
public:
    Page(const Model& model, const File& file, const Interface& interface)
        : model_{model}, file_{file}, interface_{interface} {}

    std::string run() {
        line("# " + interface_.name);
        line(concat("Interface `", hex(interface_.id), "` of `", file_.name, "`. Generated from the schema; not edited."));
        if (!interface_.bases.empty()) line("Extends " + bases() + ": its methods are methods of this one too.");
        line(escaped(comment_text(interface_.doc)));
        for (const Method& method : interface_.methods) this->method(method);
        types();
        return text_;
    }

private:
    // A paragraph.
    void line(const std::string& text) { text_ += (text_.empty() ? "" : "\n") + text + '\n'; }

    std::string bases() const {
        std::string list;
        for (const Type& base : interface_.bases) {
            list += concat(list.empty() ? "" : ", ", "[", base.name, "](", base.name, ".md)");
        }
        return list;
    }

    void method(const Method& one) {
        line("## " + one.name);
        const std::string results = one.results.is_stream ? "stream" : signature(one.results);
        line(concat("    ", one.name, " @", one.ordinal, " ", signature(one.params), " -> ", results));
        const std::string doc = escaped(comment_text(one.doc));
        const usize errors = std::min(doc.find("Errors: "), doc.size());
        if (errors > 0) line(std::string{trimmed(doc.substr(0, errors))});
        if (errors < doc.size()) line("**Errors**: " + doc.substr(errors + 8));
        for (const Struct* message : {&one.params, &one.results}) {
            if (message->is_stream) continue;
            if (!message->is_implicit) members(*message, message == &one.params ? "Parameter" : "Result");
            for (const Field& field : message->fields) use(field.type);
        }
    }

    void members(const Struct& one, const std::string& role) {
        if (one.fields.empty()) return;
        std::string table = concat("| ", role, " | Type | |\n|---|---|---|");
        for (const Field& field : one.fields) {
            table += concat("\n| ", field.name, " | ", field.type.name, " | ", one_line(field.doc), " |");
        }
        line(table);
    }

    // Remembers a struct or enum, and what it holds.
    void use(const Type& type) {
        if (type.kind == TypeKind::list) return use(type.element.at(0));
        const bool is_declared = type.kind == TypeKind::structure || type.kind == TypeKind::enumeration;
        if (!is_declared || !used_.insert(type.id).second) return;
        order_.push_back(type.id);
        const auto found = model_.structs.find(type.id);
        if (found == model_.structs.end()) return;
        for (const Field& field : found->second.fields) use(field.type);
    }

    void types() {
        for (const u64 id : order_) {
            for (const File& file : model_.files) {
                for (const Struct& one : file.structs) {
                    if (one.id == id) structure(one);
                }
                for (const Enum& one : file.enums) {
                    if (one.id == id) enumeration(one);
                }
            }
        }
    }

    void structure(const Struct& one) {
        line("### " + one.name);
        line(escaped(comment_text(one.doc)));
        members(one, "Field");
    }

    void enumeration(const Enum& one) {
        line("### " + one.name);
        line(escaped(comment_text(one.doc)));
        std::string table = "| Value | | |\n|---|---|---|";
        for (const Enumerant& entry : one.enumerants) {
            table += concat("\n| ", entry.value, " | ", entry.name, " | ", one_line(entry.doc), " |");
        }
        line(table);
    }

    const Model& model_;
    const File& file_;
    const Interface& interface_;
    std::set<u64> used_;
    std::vector<u64> order_;  // as they come up
    std::string text_;
};

}  // namespace

std::map<std::string, std::string> emit_manual(const Model& model) {
    std::map<std::string, std::string> pages;
    std::string index = "# Interfaces\n\nGenerated from the schemas; not edited.\n";
    for (const File& file : model.files) {
        if (file.interfaces.empty()) continue;
        index += concat("\n## ", file.name, "\n\n", escaped(comment_text(file.doc)), "\n\n");
        for (const Interface& one : file.interfaces) {
            const std::string doc = one_line(one.doc);
            index += concat("- [", one.name, "](", one.name, ".md): ", doc.substr(0, doc.find(". ")), '\n');
            pages.emplace(one.name + ".md", Page{model, file, one}.run());
        }
    }
    pages.emplace("index.md", index);
    return pages;
}

}  // namespace capos::codegen
