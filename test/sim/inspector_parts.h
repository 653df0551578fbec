// inspector_parts.h - what the inspector's files share. For them only.
#pragma once

#include <concepts>
#include <cstdio>
#include <string>
#include <type_traits>

#include "sim/inspector.h"

namespace capos::kernel {

inline std::string hex(u64 value) {
    char text[20];
    std::snprintf(text, sizeof text, "%llx", static_cast<unsigned long long>(value));
    return text;
}

template <typename... Parts>
void require(bool holds, const Parts&... parts) {
    if (holds) return;
    std::string text;
    auto add = [&](const auto& part) {
        if constexpr (std::integral<std::remove_cvref_t<decltype(part)>>) text += std::to_string(part);
        else text += part;
    };
    (add(parts), ...);
    throw sim::Violation{text};
}

// True if `frame` is what `region` shows at `page`, now or until CPUs have forgotten it.
inline bool shows(const Region& region, u64 page, u64 frame) {
    if (region.ring) return frame == (region.block + PageCount{page}).value;
    if (region.block.value != 0 && frame == region.block.value) return true;  // the scrap frame
    if (region.memory == nullptr) return false;
    const auto of_memory = region.memory->frame(region.first_page + page);
    return of_memory && of_memory->address.value == frame;
}

}  // namespace capos::kernel
