// crash_text.h - a crash record (abi/crash.h) in one line for people. Pure.
#pragma once

#include <span>
#include <string>

#include "abi/types.h"

namespace capos::init {

// "page fault at 0x10, rip 0x401234": the record may be short or empty.
std::string crash_text(std::span<const std::byte> record);

}  // namespace capos::init
