// log.h - the kernel's log: one line a record, on the serial port and in memory for later readers.
//
//     [   0.012345] INFO boot: 4 CPUs
//
// Guarded by the kernel lock once there is more than one CPU, except in a panic, which has stopped the others.
#pragma once

#include <span>
#include <string_view>

#include "core/types.h"

namespace capos::kernel {

enum class LogLevel : u8 { error, warn, info, debug };

namespace port {
void console_write(std::string_view text);
void console_reset();  // whatever a driver has made of the serial port, it can be written to again
Time log_time();
}  // namespace port

// The last kBytes of the log. Older text is overwritten.
class LogBuffer {
public:
    static constexpr usize kBytes = 16384;
    void append(std::string_view text);
    u64 written() const { return written_; }

private:
    char bytes_[kBytes];
    u64 written_{};
};

struct LogSettings {
    LogLevel level{LogLevel::info};
    bool to_console{true};
    LogBuffer buffer;
};
LogSettings& log_settings();  // the kernel's one instance; see boot/main.cc

struct Hex {
    u64 value;
    unsigned digits{0};  // 0 = as many as needed
};

// Builds one line and writes it when destroyed: log(LogLevel::info, "boot") << cpus << " CPUs";
class LogLine {
public:
    LogLine(LogLevel level, std::string_view area);
    ~LogLine();
    LogLine(const LogLine&) = delete;
    LogLine& operator=(const LogLine&) = delete;

    LogLine& operator<<(std::string_view text);
    LogLine& operator<<(const char* text) { return *this << std::string_view{text}; }
    LogLine& operator<<(Hex hex);
    template <std::unsigned_integral T>
    LogLine& operator<<(T value) {
        return decimal(value);
    }
    LogLine& operator<<(VirtualAddress address) { return *this << Hex{address.value, 16}; }
    LogLine& operator<<(PhysicalAddress address) { return *this << Hex{address.value}; }
    // Text from outside: control characters become '.', so that nobody can forge a line.
    LogLine& printable(std::string_view text);

private:
    static constexpr usize kLineMax = 320;
    LogLine& decimal(u64 value, unsigned width = 0, char pad = ' ');
    void put(char c) {
        if (length_ < kLineMax - 1) line_[length_++] = c;
    }

    bool enabled_;
    usize length_{};
    char line_[kLineMax];
};

inline LogLine log(LogLevel level, std::string_view area) { return LogLine{level, area}; }

}  // namespace capos::kernel
