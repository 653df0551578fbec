#include "servers/init/crash_text.h"

#include <cstring>

#include "abi/crash.h"
#include "runtime/ring/text.h"

namespace capos::init {

namespace {

const char* name_of(abi::CrashCause cause) {
    switch (cause) {
        case abi::CrashCause::divide_error: return "division by zero";
        case abi::CrashCause::debug: return "debug exception";
        case abi::CrashCause::breakpoint: return "breakpoint";
        case abi::CrashCause::overflow: return "overflow";
        case abi::CrashCause::bound_range: return "bound range exceeded";
        case abi::CrashCause::invalid_opcode: return "invalid instruction";
        case abi::CrashCause::device_not_available: return "no FPU";
        case abi::CrashCause::stack_fault: return "stack fault";
        case abi::CrashCause::general_protection: return "general protection fault";
        case abi::CrashCause::page_fault: return "page fault";
        case abi::CrashCause::x87_error: return "x87 exception";
        case abi::CrashCause::alignment_check: return "misaligned access";
        case abi::CrashCause::simd_error: return "SIMD exception";
        case abi::CrashCause::bad_system_call: return "bad system call";
        case abi::CrashCause::bad_ring: return "bad ring index";
        case abi::CrashCause::bad_enter: return "bad arguments of enter";
    }
    return "unknown fault";
}

}  // namespace

std::string crash_text(std::span<const std::byte> record) {
    abi::CrashRecord crash{};
    if (record.size() < sizeof crash) return "no record";
    std::memcpy(&crash, record.data(), sizeof crash);
    const auto cause = static_cast<abi::CrashCause>(crash.cause);
    runtime::TextBuffer<120> text{name_of(cause)};
    if (cause == abi::CrashCause::page_fault) {
        text.add(" at ");
        text.add(runtime::Hex{crash.address});
    }
    text.add(", rip ");
    text.add(runtime::Hex{crash.rip});
    return std::string{text.view()};
}

}  // namespace capos::init
