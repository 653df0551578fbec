// log.h - writes lines to the kernel's log: log.info("took ", count, " pages at ", Hex{address}). One record per call, at most
// kLineBytes; what is longer is cut off. A log that cannot be reached loses the line: there is nowhere to report it.
#pragma once

#include "runtime/ring/caller.h"
#include "runtime/ring/text.h"

namespace capos::runtime {

enum class LogLevel : u8 { error = 0, warn = 1, info = 2, debug = 3 };

class Log {
public:
    static constexpr usize kLineBytes = 200;  // KernelLog.write takes no more

    Log(Caller& caller, abi::CapId kernel_log) : caller_{&caller}, kernel_log_{kernel_log} {}

    template <typename... Pieces>
    void error(const Pieces&... pieces) {
        write(LogLevel::error, TextBuffer<kLineBytes>{pieces...}.view());
    }
    template <typename... Pieces>
    void warn(const Pieces&... pieces) {
        write(LogLevel::warn, TextBuffer<kLineBytes>{pieces...}.view());
    }
    template <typename... Pieces>
    void info(const Pieces&... pieces) {
        write(LogLevel::info, TextBuffer<kLineBytes>{pieces...}.view());
    }
    template <typename... Pieces>
    void debug(const Pieces&... pieces) {
        write(LogLevel::debug, TextBuffer<kLineBytes>{pieces...}.view());
    }

    void write(LogLevel level, std::string_view line) {
        (void)caller_->call<idl::KernelLog::Write>(kernel_log_, {.level = static_cast<u8>(level), .text = line});
    }

private:
    Caller* caller_;
    abi::CapId kernel_log_;
};

}  // namespace capos::runtime
