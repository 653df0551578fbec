// source.h - reads the text of a schema file for what the compiler does not pass on: the line of each declaration, and where
// its comments stand.
//
// The compiler attaches a comment to the declaration before it: on the line of its `;` or `{`, or on the lines directly below.
// A comment after a blank line is dropped without a word, and one written in front of a declaration is glued to the one above.
// Both would leave a manual that describes the wrong thing, so both are refused here:
//  - a comment without a declaration directly above: after a blank line, before the file's id, inside a declaration, after `}`;
//  - a comment on lines of its own with a declaration on the very next line: is it about the one above or the one below?
// A comment ends with a blank line, with `}`, or, on the same line as its declaration, with the line.
//
// Only the structure is read (statements, braces, strings, comments). The compiler has accepted the file already.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/problems.h"

namespace capos::codegen {

struct Declaration {
    enum class Kind : u8 { file, interface, structure, enumeration, member, other };
    Kind kind{};
    std::string path;  // Account.createAccount; empty for the file
    u32 line{};
    std::string doc;   // lines joined by '\n', `#` and surrounding blanks removed
};

class Source {
public:
    // Scans `text`; misplaced comments are added to `problems`.
    Source(std::string file, std::string_view text, Problems& problems);

    const std::string& file() const { return file_; }
    const std::vector<Declaration>& declarations() const { return declarations_; }

    // The line of a declaration, or of the closest one around it that stands in the text; 0 when there is none.
    u32 line_of(std::string_view path) const;
    const Declaration* find(std::string_view path) const;

private:
    std::string file_;
    std::vector<Declaration> declarations_;
    std::map<std::string, usize, std::less<>> by_path_;
};

}  // namespace capos::codegen
