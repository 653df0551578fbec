// assert.h - KERNEL_ASSERT states what only a bug of ours could break. It stays on in release kernels: a kernel that has lost
// an invariant stops rather than guesses. Nothing that a process, device or disk sends may ever trip one.
#pragma once

namespace capos::kernel {

// Stops the machine (arch/x86_64: panic; host: aborts the test). Defined by the machine.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

}  // namespace capos::kernel

#define KERNEL_ASSERT(expression)                       \
    (__builtin_expect(static_cast<bool>(expression), 1) \
         ? void()                                       \
         : ::capos::kernel::assertion_failed(#expression, __FILE_NAME__, __LINE__))
