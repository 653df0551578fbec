#include "sim/user.h"

#include <stdexcept>

namespace capos::sim {

using namespace kernel;

namespace {

constexpr u64 kUserData = 0x7e57'0000'0000'0001;

u64 syscall_number(abi::SystemCall call) { return static_cast<u64>(call); }

}  // namespace

abi::Submission& User::submission(u32 index) const {
    const RingGeometry& g = thread_->ring.geometry();
    return reinterpret_cast<abi::Submission*>(region() + g.sq_offset())[index & (g.sq_entries - 1)];
}

void User::push(const abi::Submission& entry) const {
    submission(header().sq_tail) = entry;
    ++header().sq_tail;
}

std::optional<abi::Completion> User::pop() const {
    if (unread() == 0) return std::nullopt;
    const RingGeometry& g = thread_->ring.geometry();
    const auto* entries = reinterpret_cast<const abi::Completion*>(region() + g.cq_offset());
    return entries[header().cq_head++ & (g.cq_entries - 1)];
}

std::optional<u32> User::where() const {
    for (u32 n = 0; n < machine_->cpu_count(); ++n) {
        const SimCpu& cpu = machine_->cpu(n);
        if (cpu.where == Where::user && cpu.context == &thread_->context) return n;
    }
    return std::nullopt;
}

void User::begin_enter(u32 to_submit, u32 min_complete, u64 deadline) const {
    const auto cpu = where();
    if (!cpu) throw std::logic_error("a thread enters that does not run");
    thread_->context.rax = syscall_number(abi::SystemCall::enter);
    thread_->context.rdi = to_submit;
    thread_->context.rsi = min_complete;
    thread_->context.rdx = deadline;
    machine_->system_call(*cpu);
}

std::optional<abi::EnterResult> User::enter(u32 to_submit, u32 min_complete, u64 deadline) const {
    return enter_raw(to_submit, min_complete, deadline);
}

std::optional<abi::EnterResult> User::enter_raw(u64 rdi, u64 rsi, u64 rdx) const {
    const auto cpu = where();
    if (!cpu) throw std::logic_error("a thread enters that does not run");
    thread_->context.rax = syscall_number(abi::SystemCall::enter);
    thread_->context.rdi = rdi;
    thread_->context.rsi = rsi;
    thread_->context.rdx = rdx;
    machine_->system_call(*cpu);
    machine_->settle();
    if (!running()) return std::nullopt;
    return result();
}

void User::exit(u64 code) const {
    const auto cpu = where();
    if (!cpu) throw std::logic_error("a thread exits that does not run");
    thread_->context.rax = syscall_number(abi::SystemCall::exit);
    thread_->context.rdi = code;
    machine_->system_call(*cpu);
    machine_->settle();
}

std::optional<abi::Completion> User::perform(abi::Submission entry) const {
    entry.user_data = kUserData;
    push(entry);
    if (!enter(1, unread() + 1)) return std::nullopt;
    while (const auto last = pop()) {
        if (last->user_data == kUserData) return last;
    }
    return std::nullopt;
}

Status User::release(abi::CapId id) const {
    push(runtime::entry::release(id));
    if (!enter(1)) return Status::timed_out;
    if (const auto last = pop()) return static_cast<Status>(last->status);
    return Status::ok;
}

bool User::access(u64 address, AccessKind kind, u64& value) const {
    constexpr int kFaultsMax = 8;
    for (int i = 0; i < kFaultsMax; ++i) {
        const auto cpu = where();
        if (!cpu) return false;
        Fault fault;
        if (const auto physical = machine_->translate(*cpu, address, kind, fault)) {
            std::byte* at = machine_->memory(*physical);
            if (kind == AccessKind::write) std::memcpy(at, &value, sizeof value);
            else std::memcpy(&value, at, sizeof value);
            return true;
        }
        machine_->fault(*cpu, fault);
        machine_->settle();
    }
    return false;
}

bool User::load(u64 address, u64& value) const { return access(address, AccessKind::read, value); }
bool User::store(u64 address, u64 value) const { return access(address, AccessKind::write, value); }
bool User::execute(u64 address) const {
    u64 ignored = 0;
    return access(address, AccessKind::execute, ignored);
}

}  // namespace capos::sim
