// The functions that a compiler may call on its own, for programs without a libc. Copies go by words: under the emulator, where
// performance is measured in instructions, `rep movsb` counts one for every byte.

#include "abi/types.h"

using capos::u64;
using capos::usize;

extern "C" {

void* memcpy(void* to, const void* from, usize bytes) {
    void* const result = to;
    usize words = bytes / 8;
    asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words)::"memory");
    usize rest = bytes % 8;
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest)::"memory");
    return result;
}

void* memmove(void* to, const void* from, usize bytes) {
    if (to <= from || static_cast<const char*>(from) + bytes <= to) return memcpy(to, from, bytes);
    char* last = static_cast<char*>(to) + bytes;
    const char* source = static_cast<const char*>(from) + bytes;
    while (bytes-- != 0) {
        *--last = *--source;
        asm volatile("" ::: "memory");  // or the compiler sees memmove here, and calls it
    }
    return to;
}

void* memset(void* to, int value, usize bytes) {
    void* const result = to;
    const u64 pattern = static_cast<unsigned char>(value) * u64{0x0101010101010101};
    usize words = bytes / 8;
    asm volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
    usize rest = bytes % 8;
    asm volatile("rep stosb" : "+D"(to), "+c"(rest) : "a"(pattern) : "memory");
    return result;
}

int memcmp(const void* a, const void* b, usize bytes) {
    const auto* left = static_cast<const unsigned char*>(a);
    const auto* right = static_cast<const unsigned char*>(b);
    for (usize i = 0; i < bytes; ++i) {
        if (left[i] != right[i]) return left[i] < right[i] ? -1 : 1;
    }
    return 0;
}

usize strlen(const char* text) {
    usize length = 0;
    while (text[length] != '\0') {
        ++length;
        asm volatile("" ::: "memory");  // or the compiler sees strlen here, and calls it
    }
    return length;
}

void* memchr(const void* from, int value, usize bytes) {
    const auto* at = static_cast<const unsigned char*>(from);
    for (usize i = 0; i < bytes; ++i) {
        if (at[i] == static_cast<unsigned char>(value)) return const_cast<unsigned char*>(at + i);
    }
    return nullptr;
}

}  // extern "C"

// Where libc++ goes instead of throwing. The crash record says who called it.
namespace std::inline __1 {
[[noreturn, gnu::format(printf, 1, 2)]] void __libcpp_verbose_abort(const char*, ...) { __builtin_trap(); }
}  // namespace std::inline __1
