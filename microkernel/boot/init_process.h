// init_process.h - makes the first process from the boot modules. Everything else is started by it.
#pragma once

#include <string_view>

#include "core/kernel.h"
#include "formats/multiboot2.h"

namespace capos::kernel {

// Why init could not be made: "init: not an ELF file" and the like.
struct BootFailure {
    const char* subject;
    const char* reason;
};

// Loads the module `init`, grants it the roots of all authority and every other module as ReadableMemory, and makes it ready.
// The modules were never in the allocator. Called once, after the Kernel is made, before its first event. Errors: a missing
// or bad module, or no memory.
Result<void, BootFailure> start_init(Kernel& kernel, std::span<const formats::BootModule> modules) REQUIRES(kernel.lock);

}  // namespace capos::kernel
