// layout.h - where a program goes in its address space. Pure.
//
// A program that does not care where it lies (static PIE) is put at a random page above kProgramBase, any other where its
// headers say. The stack ends at a random page below kStackTop; the page below it is never mapped. Both ranges of chance are
// kRandomPages.
#pragma once

#include "formats/elf.h"
#include "formats/support/result.h"
#include "runtime/base/memory.h"

namespace capos::runtime {

inline constexpr u64 kProgramBase = 0x40'0000;
inline constexpr u64 kStackTop = 0x7fff'0000'0000;
inline constexpr u64 kRandomPages = u64{1} << 24;  // 64 GiB

struct SegmentPlace {
    u64 address{};     // of its first page
    u64 bytes{};       // whole pages
    u64 skip{};        // from there to the first byte of the file's contents
    bool writable{};
    bool executable{};
};

struct ProgramLayout {
    u64 base{};   // what is added to every address of the file
    u64 entry{};
    u64 stack{};  // lowest address
    u64 stack_top{};
};

// `random` decides about base and stack. `stack_bytes` is a multiple of the page size. Nothing when stack or program do not
// fit, or lie across each other.
std::optional<ProgramLayout> plan_layout(const formats::ElfImage& image, u64 stack_bytes, const u64 (&random)[2]);
SegmentPlace place(const formats::ElfSegment& segment, u64 base);

}  // namespace capos::runtime
