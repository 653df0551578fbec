#include "codegen/source.h"

#include <cctype>

#include "codegen/text.h"

namespace capos::codegen {

namespace {

struct Token {
    enum class Kind : u8 { word, string, comment, symbol, end };
    Kind kind{};
    std::string_view text;
    u32 line{};

    bool is(std::string_view symbol) const { return kind != Kind::string && kind != Kind::comment && text == symbol; }
};

class Lexer {
public:
    explicit Lexer(std::string_view text) : text_{text} {}

    Token next() {
        while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) {
            if (text_[at_++] == '\n') ++line_;
        }
        if (at_ == text_.size()) return {Token::Kind::end, {}, line_};
        const usize start = at_;
        const char first = text_[at_];
        if (first == '#') {
            while (at_ < text_.size() && text_[at_] != '\n') ++at_;
            return {Token::Kind::comment, text_.substr(start + 1, at_ - start - 1), line_};
        }
        if (first == '"' || first == '`') return string(first);
        if (!is_word(first)) return {Token::Kind::symbol, text_.substr(at_++, 1), line_};
        while (at_ < text_.size() && is_word(text_[at_])) ++at_;
        return {Token::Kind::word, text_.substr(start, at_ - start), line_};
    }

private:
    Token string(char quote) {
        const usize start = at_++;
        while (at_ < text_.size() && text_[at_] != quote && text_[at_] != '\n') {
            at_ += text_[at_] == '\\' && quote == '"' ? 2 : 1;
        }
        at_ = at_ < text_.size() ? at_ + 1 : text_.size();
        return {Token::Kind::string, text_.substr(start, at_ - start), line_};
    }

    std::string_view text_;
    usize at_{};
    u32 line_{1};
};

// Walks the statements of a file and hands each declaration and comment to the list of its caller.
class Scanner {
public:
    Scanner(std::string_view text, const std::string& file, std::vector<Declaration>& out, Problems& problems)
        : lexer_{text}, file_{file}, out_{out}, problems_{problems} {
        advance();
    }

    void run() {
        scopes_.emplace_back();
        while (token_.kind != Token::Kind::end) {
            if (token_.kind == Token::Kind::comment) {
                misplaced("no declaration is directly above this comment; a comment follows what it describes");
            } else if (token_.is("}")) {
                if (scopes_.size() > 1) scopes_.pop_back();
                advance();
            } else {
                statement();
            }
        }
    }

private:
    void advance() { token_ = lexer_.next(); }

    void misplaced(std::string text) {
        problems_.add(file_, token_.line, std::move(text));
        skip_comments();
    }

    void skip_comments() {
        for (u32 last = token_.line; token_.kind == Token::Kind::comment && token_.line <= last + 1; advance()) {
            last = token_.line;
        }
    }

    // Everything up to `;` or `{`, then the comment that belongs to it.
    void statement() {
        const u32 line = token_.line;
        std::vector<Token> tokens;
        u32 depth = 0;
        while (token_.kind != Token::Kind::end && !(depth == 0 && (token_.is(";") || token_.is("{")))) {
            if (token_.kind == Token::Kind::comment) {
                misplaced("a comment inside a declaration is lost; put it behind the declaration");
                continue;
            }
            if (token_.is("(") || token_.is("[")) ++depth;
            if (depth > 0 && (token_.is(")") || token_.is("]"))) --depth;
            tokens.push_back(token_);
            advance();
        }
        const bool opens = token_.is("{");
        const u32 end_line = token_.line;
        if (token_.kind != Token::Kind::end) advance();
        Declaration declaration = describe(tokens, line);
        declaration.doc = doc_after(end_line);
        if (opens) scopes_.push_back(declaration.path.empty() ? scopes_.back() : declaration.path + ".");
        if (declaration.kind != Declaration::Kind::other) out_.push_back(std::move(declaration));
    }

    Declaration describe(const std::vector<Token>& tokens, u32 line) const {
        using Kind = Declaration::Kind;
        if (tokens.empty()) return {Kind::other, {}, line, {}};
        const Token& first = tokens[0];
        if (first.is("@")) return {Kind::file, {}, line, {}};
        if (tokens.size() < 2) return {Kind::other, {}, line, {}};
        if (tokens[1].is("@") || tokens[1].is(":")) return {Kind::member, scopes_.back() + std::string{first.text}, line, {}};
        const std::string path = scopes_.back() + std::string{tokens[1].text};
        if (first.is("interface")) return {Kind::interface, path, line, {}};
        if (first.is("struct")) return {Kind::structure, path, line, {}};
        if (first.is("enum")) return {Kind::enumeration, path, line, {}};
        return {Kind::other, {}, line, {}};
    }

    std::string doc_after(u32 line) {
        std::string doc;
        bool own_line = false;
        for (u32 last = line; token_.kind == Token::Kind::comment && token_.line <= last + 1; advance()) {
            own_line = own_line || token_.line != line;
            last = token_.line;
            if (!doc.empty()) doc += '\n';
            doc += trimmed(token_.text);
            last_comment_line_ = last;
        }
        const bool next_is_declaration = token_.kind == Token::Kind::word;
        if (own_line && next_is_declaration && token_.line == last_comment_line_ + 1) {
            problems_.add(file_, last_comment_line_,
                          "this comment stands directly above a declaration, but the compiler attaches it to the one before; "
                          "put a blank line below it, or move it behind the declaration that it describes");
        }
        return doc;
    }

    Lexer lexer_;
    const std::string& file_;
    std::vector<Declaration>& out_;
    Problems& problems_;
    Token token_;
    u32 last_comment_line_{};
    std::vector<std::string> scopes_;  // prefix of the names declared in each open block
};

}  // namespace

Source::Source(std::string file, std::string_view text, Problems& problems) : file_{std::move(file)} {
    Scanner{text, file_, declarations_, problems}.run();
    for (usize i = 0; i < declarations_.size(); ++i) by_path_.emplace(declarations_[i].path, i);
}

const Declaration* Source::find(std::string_view path) const {
    const auto found = by_path_.find(path);
    return found == by_path_.end() ? nullptr : &declarations_[found->second];
}

u32 Source::line_of(std::string_view path) const {
    for (;;) {
        if (const Declaration* declaration = find(path)) return declaration->line;
        const auto dot = path.rfind('.');
        if (dot == std::string_view::npos) return 0;
        path = path.substr(0, dot);
    }
}

}  // namespace capos::codegen
