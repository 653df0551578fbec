#include "core/shared.h"

namespace capos::kernel {

namespace {

// Above this, `rep movsq` beats a loop: it costs a fixed start and then one instruction a word.
constexpr u32 kRepeatBytes = 128;

void copy_words(u64* to, const u64* from, usize words) {
#if defined(__x86_64__)
    asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
#else
    for (usize i = 0; i < words; ++i) to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
#endif
}

}  // namespace

void copy_message(std::byte* to, const std::byte* from, u32 bytes) {
    port::before_shared_read(from, bytes);
    auto* target = reinterpret_cast<u64*>(to);
    const auto* source = reinterpret_cast<const u64*>(from);
    usize words = bytes / 8;
    if (bytes > kRepeatBytes) {
        copy_words(target, source, words);
        target += words;
        source += words;
    } else {
        for (; words >= 4; words -= 4, target += 4, source += 4) {
            const u64 a = __atomic_load_n(&source[0], __ATOMIC_RELAXED), b = __atomic_load_n(&source[1], __ATOMIC_RELAXED);
            const u64 c = __atomic_load_n(&source[2], __ATOMIC_RELAXED), d = __atomic_load_n(&source[3], __ATOMIC_RELAXED);
            target[0] = a, target[1] = b, target[2] = c, target[3] = d;
        }
        for (; words != 0; --words) *target++ = __atomic_load_n(source++, __ATOMIC_RELAXED);
    }
    if (const u32 rest = bytes % 8; rest != 0) {
        *target = __atomic_load_n(source, __ATOMIC_RELAXED) & ((u64{1} << (rest * 8)) - 1);
    }
}

}  // namespace capos::kernel
