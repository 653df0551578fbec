// fake_kernel.h - the other side of a ring for tests of the ring client: it plays the kernel of one thread. Its answers are a
// script, a function per submission; what it does to the ring follows abi/ring.h, with indices of its own.
#pragma once

#include <functional>
#include <vector>

#include "abi/ring.h"

namespace capos::test {

class FakeKernel {
public:
    static constexpr u32 kSubmissions = 4, kCompletions = 8, kRegionBytes = 8192;

    FakeKernel();
    ~FakeKernel();
    FakeKernel(const FakeKernel&) = delete;
    FakeKernel& operator=(const FakeKernel&) = delete;

    std::byte* region() { return reinterpret_cast<std::byte*>(words_.data()); }
    abi::RingHeader& header() { return *reinterpret_cast<abi::RingHeader*>(region()); }
    std::byte* arena(u32 offset) { return region() + header().arena_offset + offset; }

    // What the kernel does with a submission it takes; by default it completes `ok`.
    std::function<void(const abi::Submission&)> on_submission;
    // What happens while the thread waits for more completions than there are. False: nothing more, the deadline passes.
    std::function<bool()> on_wait;
    // Entries that it has records for; the others stay in the queue.
    u32 records{~u32{0}};

    void post(abi::Completion completion);
    void complete(const abi::Submission& entry, Status status = Status::ok) {
        post({.user_data = entry.user_data, .status = static_cast<u16>(status)});
    }

    abi::EnterResult enter(u32 to_submit, u32 min_complete);
    abi::EnterResult enter_entry(const abi::Submission& entry);  // in registers, and the wait for one completion
    std::vector<abi::Submission> submissions;  // all that were taken
    u32 enters{};
    u64 time_ns{};  // what the clock says

private:
    void take(const abi::Submission& entry);
    abi::EnterResult wait(u32 consumed, u32 min_complete);

    std::vector<u64> words_;
    u32 sq_head_{};
    u32 cq_tail_{};
};

}  // namespace capos::test
