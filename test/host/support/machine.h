// machine.h - the host's side of the core's ports: physical memory in ordinary storage, page-table writes that a test can
// watch, an adversary before each read of shared memory, a console that remembers, and assertions that throw.
//
// One Machine exists at a time and lives in the test that needs it; the ports act on it.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <new>
#include <string>

#include "core/log.h"
#include "core/types.h"

namespace capos::test {

// Thrown by a failed KERNEL_ASSERT, so that a test can check that a bug of ours would stop the kernel.
struct AssertionFailed {
    std::string expression;
};

struct TableWrite {
    kernel::PhysicalAddress table;
    unsigned index;
    u64 before, after;
};

class Machine {
public:
    Machine();
    ~Machine();
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    // Frames hold 512 words and exist once added; a port that touches another is a failed test.
    void add_frame(kernel::PhysicalAddress frame) { frames_[frame.value] = {}; }
    void remove_frame(kernel::PhysicalAddress frame) { frames_.erase(frame.value); }
    u64& word(kernel::PhysicalAddress frame, unsigned index);

    std::function<void(const TableWrite&)> on_table_write;               // after the write
    std::function<void(void* address, usize bytes)> before_shared_read;  // may change what is read
    std::string console;
    kernel::Time time;
    kernel::LogSettings log;

private:
    std::map<u64, std::array<u64, 512>> frames_;
};

Machine& machine();

}  // namespace capos::test
