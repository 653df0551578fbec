// text.h - puts a line of text together without allocation: what does not fit is cut off, never an error. Freestanding.
#pragma once

#include <concepts>
#include <string_view>

#include "abi/status.h"
#include "abi/types.h"

namespace capos::runtime {

// A number to be shown with 0x in front.
struct Hex {
    u64 value{};
};

std::string_view name_of(Status status);

template <usize kBytes>
class TextBuffer {
public:
    template <typename... Pieces>
    explicit TextBuffer(const Pieces&... pieces) {
        (add(pieces), ...);
    }

    std::string_view view() const { return {text_, used_}; }

    void add(std::string_view text) {
        const usize room = kBytes - used_;
        used_ += text.substr(0, room).copy(text_ + used_, room);
    }
    void add(const char* text) { add(std::string_view{text}); }
    void add(Status status) { add(name_of(status)); }
    void add(Hex number) {
        add("0x");
        add_digits(number.value, 16);
    }
    template <std::integral Number>
        requires(!std::same_as<Number, bool>)
    void add(Number number) {
        if (number < 0) add("-");
        add_digits(number < 0 ? ~static_cast<u64>(number) + 1 : static_cast<u64>(number), 10);
    }
    template <std::same_as<bool> Flag>
    void add(Flag flag) {
        add(flag ? "true" : "false");
    }

private:
    void add_digits(u64 number, u64 base) {
        char digits[20];
        usize first = sizeof(digits);
        do {
            digits[--first] = "0123456789abcdef"[number % base];
            number /= base;
        } while (number != 0);
        add(std::string_view{digits + first, sizeof(digits) - first});
    }

    char text_[kBytes];
    usize used_{};
};

}  // namespace capos::runtime
