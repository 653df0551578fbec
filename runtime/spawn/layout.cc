#include "runtime/spawn/layout.h"

namespace capos::runtime {

SegmentPlace place(const formats::ElfSegment& segment, u64 base) {
    return {.address = base + segment.page_start(),
            .bytes = segment.page_end() - segment.page_start(),
            .skip = segment.address - segment.page_start(),
            .writable = segment.writable,
            .executable = segment.executable};
}

std::optional<ProgramLayout> plan_layout(const formats::ElfImage& image, u64 stack_bytes, const u64 (&random)[2]) {
    ProgramLayout layout;
    if (image.position_independent) layout.base = kProgramBase + random[0] % kRandomPages * kPageBytes;
    layout.entry = layout.base + image.entry;
    layout.stack_top = kStackTop - random[1] % kRandomPages * kPageBytes;
    if (stack_bytes == 0 || stack_bytes % kPageBytes != 0 || stack_bytes > kStackTop / 2) return std::nullopt;
    layout.stack = layout.stack_top - stack_bytes;
    for (const formats::ElfSegment& segment : image.segments()) {
        const SegmentPlace at = place(segment, layout.base);
        const bool apart = at.address + at.bytes < layout.stack || at.address >= layout.stack_top;  // and the guard page
        if (at.address + at.bytes > formats::kUserEnd || !apart) return std::nullopt;
    }
    return layout;
}

}  // namespace capos::runtime
