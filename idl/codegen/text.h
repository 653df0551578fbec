// text.h - putting strings together. libstdc++ 12, which the tool shares with Debian's libcapnp, has no std::format.
#pragma once

#include <sstream>
#include <string>

#include "abi/types.h"

namespace capos::codegen {

template <typename... Parts>
std::string concat(const Parts&... parts) {
    std::ostringstream stream;
    (stream << ... << parts);
    return stream.str();
}

// An id as schemas write it: 0x and 16 digits.
std::string hex(u64 id);

}  // namespace capos::codegen
