// text.h - taking strings apart and putting them together. libstdc++ 12, which libcapnp ties us to, has no std::format.
#pragma once

#include <sstream>
#include <string>
#include <string_view>

#include "abi/types.h"

namespace capos::codegen {

template <typename... Parts>
std::string concat(const Parts&... parts) {
    std::ostringstream stream;
    (stream << ... << parts);
    return stream.str();
}

bool is_word(char c);  // of a name: letter, digit, underscore

// Without blanks at both ends.
std::string_view trimmed(std::string_view text);

// An id as schemas write it: 0x and 16 digits.
std::string hex(u64 id);

}  // namespace capos::codegen
