// The C functions that the compiler, or libc++'s headers, call on their own. Written with string instructions of 8 bytes:
// `rep movsb` costs an instruction for every byte where the processor does not promise fast short copies. The loops are
// marked so that the compiler does not recognise in them the very function that they are.

#include "core/types.h"

using capos::u8;
using capos::usize;

extern "C" {

void* memcpy(void* __restrict to, const void* __restrict from, usize bytes) {
    void* target = to;
    usize words = bytes / 8, rest = bytes % 8;
    asm volatile("rep movsq" : "+D"(target), "+S"(from), "+c"(words) : : "memory");
    asm volatile("rep movsb" : "+D"(target), "+S"(from), "+c"(rest) : : "memory");
    return to;
}

void* memset(void* to, int value, usize bytes) {
    void* target = to;
    usize words = bytes / 8, rest = bytes % 8;
    asm volatile("rep stosq" : "+D"(target), "+c"(words) : "a"(static_cast<u8>(value) * 0x0101'0101'0101'0101ull) : "memory");
    asm volatile("rep stosb" : "+D"(target), "+c"(rest) : "a"(value) : "memory");
    return to;
}

[[clang::no_builtin]] void* memmove(void* to, const void* from, usize bytes) {
    auto* target = static_cast<u8*>(to);
    const auto* source = static_cast<const u8*>(from);
    if (target <= source || target >= source + bytes) return memcpy(to, from, bytes);
    for (usize i = bytes; i > 0; --i) target[i - 1] = source[i - 1];
    return to;
}

[[clang::no_builtin]] int memcmp(const void* a, const void* b, usize bytes) {
    const auto* x = static_cast<const u8*>(a);
    const auto* y = static_cast<const u8*>(b);
    for (usize i = 0; i < bytes; ++i) {
        if (x[i] != y[i]) return x[i] < y[i] ? -1 : 1;
    }
    return 0;
}

[[clang::no_builtin]] void* memchr(const void* in, int value, usize bytes) {
    const auto* at = static_cast<const u8*>(in);
    for (usize i = 0; i < bytes; ++i) {
        if (at[i] == static_cast<u8>(value)) return const_cast<u8*>(at + i);
    }
    return nullptr;
}

[[clang::no_builtin]] usize strlen(const char* text) {
    usize length = 0;
    while (text[length] != 0) ++length;
    return length;
}

}  // extern "C"
