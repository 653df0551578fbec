#include "codegen/description.h"

#include "codegen/docs.h"
#include "codegen/text.h"

namespace capos::codegen {

namespace {

const char* kind_of(const Field& field) {
    switch (field.type.kind) {
        case TypeKind::nothing: return "void";
        case TypeKind::boolean: return "bool";
        case TypeKind::float32:
        case TypeKind::float64: return "real";
        case TypeKind::text: return "text";
        case TypeKind::data: return "data";
        case TypeKind::list: return "list";
        case TypeKind::enumeration: return "enum";
        case TypeKind::structure: return field.is_group ? "group" : "struct";
        case TypeKind::capability: return "capability";
        case TypeKind::any_other: return "any";
        default: return "integer";
    }
}

// Writes JSON with one object or list element per line. The caller opens and closes in pairs.
class Json {
public:
    std::string take() { return std::move(out_) + '\n'; }

    void open(char bracket) {
        separate();
        out_ += bracket;
        ++depth_;
        first_ = true;
    }
    void close(char bracket) {
        --depth_;
        if (!first_) new_line();
        out_ += bracket;
        first_ = false;
    }
    void key(const char* name) {
        separate();
        out_ += concat('"', name, "\": ");
        after_key_ = true;
    }
    void text(const char* name, const std::string& value) {
        key(name);
        after_key_ = false;
        out_ += quoted(value);
    }
    void number(const char* name, u64 value) {
        key(name);
        after_key_ = false;
        out_ += std::to_string(value);
    }

private:
    void separate() {
        if (!after_key_) {
            if (!first_) out_ += ',';
            if (depth_ > 0) new_line();
        }
        after_key_ = false;
        first_ = false;
    }
    void new_line() {
        out_ += '\n';
        out_.append(depth_, ' ');
    }

    static std::string quoted(const std::string& value) {
        std::string result = "\"";
        for (const char c : value) {
            if (c == '"' || c == '\\') result += '\\';
            if (c == '\n') {
                result += "\\n";
            } else if (static_cast<unsigned char>(c) < 0x20) {
                result += concat("\\u00", "0123456789abcdef"[c >> 4], "0123456789abcdef"[c & 15]);
            } else {
                result += c;
            }
        }
        return result + '"';
    }

    std::string out_;
    usize depth_{};
    bool first_{true};
    bool after_key_{};
};

class Description {
public:
    std::string run(const std::vector<File>& files) {
        json_.open('{');
        list("files", files, [this](const File& one) { file(one); });
        json_.close('}');
        return json_.take();
    }

private:
    template <typename Items, typename Each>
    void list(const char* name, const Items& items, Each each) {
        json_.key(name);
        json_.open('[');
        for (const auto& item : items) {
            json_.open('{');
            each(item);
            json_.close('}');
        }
        json_.close(']');
    }

    template <typename Declared>
    void heading(const Declared& one) {
        json_.text("name", one.name);
        json_.text("id", hex(one.id));
        json_.text("doc", comment_text(one.doc));
    }

    void file(const File& one) {
        heading(one);
        list("interfaces", one.interfaces, [this](const Interface& item) { interface(item); });
        list("structs", one.structs, [this](const Struct& item) { structure(item); });
        list("enums", one.enums, [this](const Enum& item) { enumeration(item); });
    }

    void interface(const Interface& one) {
        heading(one);
        list("extends", one.bases, [this](const Type& base) {
            json_.text("name", base.name);
            json_.text("id", hex(base.id));
        });
        list("methods", one.methods, [this](const Method& method) {
            json_.text("name", method.name);
            json_.number("ordinal", method.ordinal);
            json_.text("doc", comment_text(method.doc));
            message("params", method.params);
            message("results", method.results);
        });
    }

    void message(const char* name, const Struct& one) {
        json_.key(name);
        json_.open('{');
        structure(one);
        json_.close('}');
    }

    void structure(const Struct& one) {
        json_.text("name", one.is_implicit ? std::string{} : one.name);
        json_.text("id", hex(one.id));
        json_.text("doc", comment_text(one.doc));
        json_.number("dataWords", one.data_words);
        json_.number("pointers", one.pointers);
        list("fields", one.fields, [this](const Field& field) {
            json_.text("name", field.name);
            json_.text("type", field.type.name);
            json_.text("kind", kind_of(field));
            const u64 id = field.type.element.empty() ? field.type.id : field.type.element[0].id;
            if (id != 0) json_.text("typeId", hex(id));
            if (!field.is_group) json_.number("offset", field.offset);
            json_.text("doc", comment_text(field.doc));
        });
    }

    void enumeration(const Enum& one) {
        heading(one);
        list("enumerants", one.enumerants, [this](const Enumerant& enumerant) {
            json_.text("name", enumerant.name);
            json_.number("value", enumerant.value);
            json_.text("doc", comment_text(enumerant.doc));
        });
    }

    Json json_;
};

}  // namespace

std::string emit_description(const std::vector<File>& files) { return Description{}.run(files); }

}  // namespace capos::codegen
