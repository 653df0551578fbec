#include "codegen/names.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace capos::codegen {

namespace {

bool is_upper(char c) { return std::isupper(static_cast<unsigned char>(c)) != 0; }
char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

// Those that a camelCase schema name can turn into.
constexpr auto kKeywords = std::to_array<std::string_view>({
    "alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch", "char",
    "class", "compl", "concept", "const", "consteval", "constexpr", "constinit", "const_cast", "continue", "decltype",
    "default", "delete", "do", "double", "dynamic_cast", "else", "enum", "explicit", "export", "extern", "false",
    "float", "for", "friend", "goto", "if", "inline", "int", "long", "mutable", "namespace", "new", "noexcept", "not",
    "not_eq", "nullptr", "operator", "or", "or_eq", "private", "protected", "public", "register", "reinterpret_cast",
    "requires", "return", "short", "signed", "sizeof", "static", "static_assert", "static_cast", "struct", "switch",
    "template", "this", "thread_local", "throw", "true", "try", "typedef", "typeid", "typename", "union", "unsigned",
    "using", "virtual", "void", "volatile", "while", "xor", "xor_eq", "co_await", "co_return", "co_yield",
});

}  // namespace

std::string snake_case(std::string_view name) {
    std::string result;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const bool ends_acronym = i + 1 < name.size() && !is_upper(name[i + 1]);
        if (i > 0 && is_upper(name[i]) && (!is_upper(name[i - 1]) || ends_acronym)) result += '_';
        result += lower(name[i]);
    }
    if (std::ranges::find(kKeywords, std::string_view{result}) != kKeywords.end()) result += '_';
    return result;
}

std::string pascal_case(std::string_view name) {
    std::string result{name};
    if (!result.empty()) result[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(result[0])));
    return result;
}

}  // namespace capos::codegen
