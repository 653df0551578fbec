#include "host/support/fake_kernel.h"

#include <atomic>
#include <cstdlib>

#include "runtime/ring/system_call.h"

namespace capos::test {

namespace {

FakeKernel* current{};  // the system calls have no other way to it

}  // namespace

FakeKernel::FakeKernel() : words_(kRegionBytes / sizeof(u64)) {
    current = this;
    abi::RingHeader& header = this->header();
    header.magic = abi::kRingMagic;
    header.version = abi::kRingVersion;
    header.region_bytes = kRegionBytes;
    header.sq_offset = sizeof(abi::RingHeader);
    header.sq_entries = kSubmissions;
    header.cq_offset = header.sq_offset + kSubmissions * u32{sizeof(abi::Submission)};
    header.cq_entries = kCompletions;
    header.arena_offset = header.cq_offset + kCompletions * u32{sizeof(abi::Completion)};
    header.arena_bytes = kRegionBytes - header.arena_offset;
}

FakeKernel::~FakeKernel() { current = nullptr; }

void FakeKernel::post(abi::Completion completion) {
    auto* slots = reinterpret_cast<abi::Completion*>(region() + header().cq_offset);
    slots[cq_tail_ % kCompletions] = completion;
    std::atomic_ref{header().cq_tail}.store(++cq_tail_, std::memory_order_release);
}

abi::EnterResult FakeKernel::enter(u32 to_submit, u32 min_complete) {
    ++enters;
    const auto* slots = reinterpret_cast<const abi::Submission*>(region() + header().sq_offset);
    const u32 published = std::atomic_ref{header().sq_tail}.load(std::memory_order_acquire) - sq_head_;
    if (published > kSubmissions || to_submit > published) std::abort();  // the real kernel ends the process
    u32 consumed = 0;
    while (consumed < to_submit && records > 0) {
        --records;
        const abi::Submission entry = slots[sq_head_++ % kSubmissions];
        ++consumed;
        take(entry);
    }
    std::atomic_ref{header().sq_head}.store(sq_head_, std::memory_order_release);
    if (consumed < to_submit) return abi::EnterResult::make(consumed, Status::ok);
    return wait(consumed, min_complete);
}

abi::EnterResult FakeKernel::enter_entry(const abi::Submission& entry) {
    ++enters;
    if (records == 0) return abi::EnterResult::make(0, Status::ok);
    --records;
    take(entry);
    return wait(1, 1);
}

void FakeKernel::take(const abi::Submission& entry) {
    submissions.push_back(entry);
    if (on_submission) {
        on_submission(entry);
    } else {
        complete(entry);
    }
}

abi::EnterResult FakeKernel::wait(u32 consumed, u32 min_complete) {
    while (cq_tail_ - std::atomic_ref{header().cq_head}.load(std::memory_order_acquire) < min_complete) {
        if (!on_wait || !on_wait()) return abi::EnterResult::make(consumed, Status::timed_out);
    }
    return abi::EnterResult::make(consumed, Status::ok);
}

}  // namespace capos::test

namespace capos::runtime {

abi::EnterResult enter(u32 to_submit, u32 min_complete, u64) { return test::current->enter(to_submit, min_complete); }

// The fake has no registers: like the real one when its shortest way is not open, it does what the queue would do.
RegisterResult enter_with_call(const abi::Submission& call, u64) { return {test::current->enter_entry(call), {}}; }
RegisterResult enter_with_reply(const abi::Submission& reply, u64) { return {test::current->enter_entry(reply), {}}; }

u64 now_ns(const abi::RingHeader&) { return test::current->time_ns; }

[[noreturn]] void exit(u64 code) { std::exit(static_cast<int>(code)); }

}  // namespace capos::runtime
