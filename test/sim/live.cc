#include "sim/live.h"

#include <stdexcept>

#include "runtime/ring/system_call.h"

namespace capos::sim {

namespace {

Live* live{};  // the system calls have no other way to it

}  // namespace

Live::Live() { live = this; }

Live::~Live() {
    for (auto& one : programs_) {
        if (one->thread.joinable()) one->thread.join();
    }
    live = nullptr;
}

void Live::start(Spawned& process, Program program) {
    programs_.push_back(std::make_unique<Running>());
    Running& one = *programs_.back();
    one.user = process.user;
    one.thread = std::thread{[this, &one, program = std::move(program)] { run(one, program); }};
}

void Live::run(Running& self, const Program& program) {
    try {
        {
            std::unique_lock lock{mutex_};
            turn_.wait(lock, [&] { return current_ == &self; });
        }
        auto ring = runtime::Ring::attach(self.user.region());
        if (!ring) throw std::runtime_error("no ring");
        runtime::Loop loop{*ring};
        program(loop);
    } catch (const Killed&) {
    }
    std::unique_lock lock{mutex_};
    if (self.user.running()) self.user.exit(0);
    self.ended = true;
    pass_baton();
}

// The next program in turn whose thread runs; when there is none, time passes until one does.
void Live::pass_baton() {
    constexpr int kTimersMax = 10'000;
    for (int i = 0; i < kTimersMax; ++i) {
        usize first = 0;
        while (first < programs_.size() && programs_[first].get() != current_) ++first;
        for (usize n = 1; n <= programs_.size(); ++n) {
            Running& one = *programs_[(first + n) % programs_.size()];
            if (!can_run(one)) continue;
            current_ = &one;
            turn_.notify_all();
            return;
        }
        const kernel::Time next = world.machine.next_timer();
        if (next == kernel::kNever) break;
        world.machine.pass(kernel::Duration{next.ns > now() ? next.ns - now() : 1});
        world.machine.settle();
    }
    current_ = nullptr;
    turn_.notify_all();
}

void Live::wait_for_turn(Running& self) {
    std::unique_lock lock{mutex_};
    pass_baton();
    turn_.wait(lock, [&] { return current_ == &self || stuck_; });
    if (self.killed || stuck_) throw Killed{};
}

runtime::RegisterResult Live::system_call(u64 rdi, u64 rsi, u64 rdx, const abi::Submission* entry) {
    Running& self = *current_;
    ++system_calls;
    kernel::UserContext& context = self.user.thread().context;
    if (entry != nullptr) {
        const bool is_call = entry->opcode == static_cast<u8>(abi::Opcode::call);
        const auto pair = [](u32 low, u32 high) { return low | u64{high} << 32; };
        context.r8 = is_call ? entry->capability : entry->argument;
        context.r9 = entry->interface_id;
        context.r10 = pair(entry->params_offset, entry->params_length);
        context.r12 = pair(entry->reply_offset, entry->reply_capacity);
        context.r13 = entry->user_data;
        context.r14 = entry->method;
    }
    (void)self.user.enter_raw(rdi, rsi, rdx);
    while (!self.user.running()) wait_for_turn(self);
    const u64 words[] = {context.rdi, context.rsi, context.rdx, context.r8};
    return {abi::EnterResult{context.rax}, __builtin_bit_cast(abi::Completion, words)};
}

void Live::kill(Spawned& process) {
    for (auto& one : programs_) {
        if (&one->user.thread() == &process.user.thread()) one->killed = true;
    }
    (void)world.init.call<idl::Process::Kill>(process.process);
    world.machine.settle();
}

void Live::finish() {
    {
        std::unique_lock lock{mutex_};
        pass_baton();
        turn_.wait(lock, [&] { return current_ == nullptr; });
        bool all = true;
        for (const auto& one : programs_) all = all && one->ended;
        stuck_ = !all;
        turn_.notify_all();
    }
    for (auto& one : programs_) one->thread.join();
    if (stuck_) throw std::runtime_error("the programs wait for ever");
}

}  // namespace capos::sim

namespace capos::runtime {

abi::EnterResult enter(u32 to_submit, u32 min_complete, u64 deadline_ns) {
    return sim::live->system_call(to_submit, min_complete, deadline_ns, nullptr).result;
}
RegisterResult enter_with_call(const abi::Submission& call, u64 deadline_ns) {
    return sim::live->system_call(abi::kEnterCall, 1, deadline_ns, &call);
}
RegisterResult enter_with_reply(const abi::Submission& reply, u64 deadline_ns) {
    return sim::live->system_call(abi::kEnterReturn, 1, deadline_ns, &reply);
}
u64 now_ns(const abi::RingHeader&) { return sim::live->now(); }
[[noreturn]] void exit(u64) { throw std::logic_error("a program of the host exits"); }

}  // namespace capos::runtime
