// kj_cxx20.h - makes the headers of Cap'n Proto 0.9.2 compile as C++20 and later with clang; force-included before them.
//
// In C++20 mode kj leaves out these two operators and relies on reversed operator== candidates, which clang from version 16 on
// does not form when a matching operator!= exists (P2468).
#pragma once

#include <kj/string.h>

#if __cplusplus >= 202000L
namespace kj {

inline bool operator==(const char* a, const StringPtr& b) { return b.operator==(StringPtr(a)); }
inline bool operator!=(const char* a, const StringPtr& b) { return !b.operator==(StringPtr(a)); }

}  // namespace kj
#endif
