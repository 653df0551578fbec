// shared.h - reading memory that a user thread can write at the same time. Every such read happens exactly once, through
// these functions, and what was read is checked afterwards, never read again (requirement R18, design 4.1).
//
// On the host, port::before_shared_read lets a simulated adversary change the memory first; on the machine it is empty.
#pragma once

#include <cstring>
#include <type_traits>

#include "core/types.h"

namespace capos::kernel {

namespace port {
void before_shared_read(const void* address, usize bytes);
}

// One aligned word. The acquire pairs with the user's release of a queue index: entries below it are visible.
inline u32 read_shared_acquire(const u32& word) {
    port::before_shared_read(&word, sizeof word);
    return __atomic_load_n(&word, __ATOMIC_ACQUIRE);
}

// One word of a list in the arena, aligned to 8.
inline u64 read_shared_word(const std::byte* address) {
    port::before_shared_read(address, sizeof(u64));
    return __atomic_load_n(reinterpret_cast<const u64*>(address), __ATOMIC_RELAXED);
}

// Pairs with the user's acquire before it reads the completions, or reuses the submission slots, below the index.
inline void write_shared_release(u32& word, u32 value) { __atomic_store_n(&word, value, __ATOMIC_RELEASE); }

// A private copy of a structure, word by word; the words may be of different moments.
template <typename T>
    requires(std::is_trivially_copyable_v<T> && sizeof(T) % 8 == 0)
T snapshot_shared(const std::byte* address) {
    port::before_shared_read(address, sizeof(T));
    T value;
    for (usize i = 0; i < sizeof(T); i += 8) {
        const u64 word = __atomic_load_n(reinterpret_cast<const u64*>(address + i), __ATOMIC_RELAXED);
        __builtin_memcpy(reinterpret_cast<std::byte*>(&value) + i, &word, sizeof word);
    }
    return value;
}

// Copies a message between arenas: whole words, and the last one padded with zeros. Both sides are 8-byte aligned and have
// room for `bytes` rounded up to words.
void copy_message(std::byte* to, const std::byte* from, u32 bytes);

}  // namespace capos::kernel
