// names.h - how names of a schema are written in C++.
#pragma once

#include <string>
#include <string_view>

namespace capos::codegen {

// `framesLimit` -> `frames_limit`, `ioAPICLine` -> `io_apic_line`; a C++ keyword gets a `_` behind it, as in the ring ABI.
std::string snake_case(std::string_view name);

// `createAccount` -> `CreateAccount`.
std::string pascal_case(std::string_view name);

}  // namespace capos::codegen
