#include "core/log.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace capos::kernel {

namespace {
constexpr std::array<std::string_view, 4> kLevelNames{"ERROR", "WARN", "INFO", "DEBUG"};
}

void LogBuffer::append(std::string_view text) {
    for (const char c : text) bytes_[written_++ % kBytes] = c;
}

LogLine::LogLine(LogLevel level, std::string_view area) : enabled_{level <= log_settings().level} {
    if (!enabled_) return;
    const u64 us = port::log_time().ns / 1000;
    put('[');
    decimal(us / 1'000'000, 4);
    put('.');
    decimal(us % 1'000'000, 6, '0');
    *this << "] " << kLevelNames[static_cast<usize>(level)] << " " << area << ": ";
}

LogLine::~LogLine() {
    if (!enabled_) return;
    line_[length_++] = '\n';  // put() keeps this place free
    const std::string_view line{line_, length_};
    log_settings().buffer.append(line);
    if (log_settings().to_console) port::console_write(line);
}

LogLine& LogLine::operator<<(std::string_view text) {
    if (enabled_) {
        for (const char c : text) put(c);
    }
    return *this;
}

LogLine& LogLine::printable(std::string_view text) {
    if (enabled_) {
        for (const char c : text) put(c >= ' ' && c < 0x7f ? c : '.');
    }
    return *this;
}

LogLine& LogLine::operator<<(Hex hex) {
    if (!enabled_) return *this;
    *this << "0x";
    unsigned digits = std::max(hex.digits, 1u);
    while (digits < 16 && hex.value >> (4 * digits) != 0) ++digits;
    while (digits-- > 0) put("0123456789abcdef"[hex.value >> (4 * digits) & 15]);
    return *this;
}

LogLine& LogLine::decimal(u64 value, unsigned width, char pad) {
    if (!enabled_) return *this;
    char digits[20];
    unsigned count = 0;
    do {
        digits[count++] = static_cast<char>('0' + value % 10);
        value /= 10;
    } while (value != 0);
    for (unsigned i = count; i < width; ++i) put(pad);
    while (count > 0) put(digits[--count]);
    return *this;
}

}  // namespace capos::kernel
