#include "servers/shell/terminal.h"

#include <algorithm>
#include <span>

namespace capos::shell {

namespace {

using runtime::Task;
using runtime::attempt;

constexpr usize kWriteBytes = 1024;
constexpr u32 kReadBytes = 256;
constexpr u64 kRetryNs = 50'000'000;  // while the console's server is away
constexpr char kCtrlC = 3;

}  // namespace

void Terminal::put(std::string_view bytes) {
    output_ += bytes;
    queued_.notify();
}

void Terminal::print(std::string_view text) {
    std::string bytes;
    for (const char c : text) {
        if (c == '\n') bytes += '\r';
        bytes += c;
    }
    put(bytes);
}

Task<void> Terminal::room() {
    while (output_.size() > kQueuedMax) co_await wrote_.wait();
    co_return done;
}

Task<void> Terminal::written() {
    while (!output_.empty()) co_await wrote_.wait();
    co_return done;
}

Task<void> Terminal::write_all() {
    while (true) {
        while (output_.empty()) co_await queued_.wait();
        const std::string bytes = output_.substr(0, kWriteBytes);
        // Written again after `disconnected`: a line that stands there twice is better than one that is missing.
        const auto written = co_await attempt(console_.write(std::as_bytes(std::span{bytes})).unbounded());
        if (!written) {
            co_await runtime::sleep_for(loop_, kRetryNs);
            continue;
        }
        output_.erase(0, bytes.size());
        wrote_.notify();
    }
}

Task<void> Terminal::read_all() {
    while (true) {
        const auto read = co_await attempt(console_.read(kReadBytes).unbounded());
        if (!read) {
            co_await runtime::sleep_for(loop_, kRetryNs);
            continue;
        }
        take_input({reinterpret_cast<const char*>(read->data.data()), read->data.size()});
    }
}

void Terminal::take_input(std::string_view bytes) {
    if (interruptee_ != nullptr) {
        const usize last = bytes.find_last_of(kCtrlC);
        if (last != std::string_view::npos) {
            input_.clear();
            input_taken_ = 0;
            bytes.remove_prefix(last + 1);
            std::exchange(interruptee_, nullptr)->interrupt();
        }
    }
    input_.erase(0, input_taken_);
    input_taken_ = 0;
    input_ += bytes.substr(0, kTypedAheadMax - std::min(kTypedAheadMax, input_.size()));
    typed_.notify();
}

bool Terminal::take_interrupt() {
    const usize last = input_.find_last_of(kCtrlC);
    if (last == std::string::npos || last < input_taken_) return false;
    input_taken_ = last + 1;
    return true;
}

Task<char> Terminal::next() {
    while (input_taken_ == input_.size()) co_await typed_.wait();
    co_return input_[input_taken_++];
}

}  // namespace capos::shell
