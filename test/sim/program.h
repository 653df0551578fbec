// program.h - what one thread of a random program does: it draws entries from everything that its process holds at the moment,
// keeps account of what it has submitted, and checks that each accepted entry has exactly one terminal completion.
#pragma once

#include <deque>
#include <map>
#include <vector>

#include "sim/inspector.h"
#include "sim/random.h"
#include "sim/user.h"

namespace capos::sim {

// Chances in the whole simulation.
struct Temper {
    u64 hostile_percent{3};   // of actions that no sane program would take
    u64 destroy_percent{12};  // of operations that end something, once drawn, to be really carried out
};

class Program {
public:
    Program(User user, Inspector& inspector, Random& random, const Temper& temper)
        : user_{user}, inspector_{inspector}, random_{random}, temper_{temper}, sq_seen_{user.thread().ring.sq_head()} {}

    // One action in user mode on `cpu`: a memory access, or a system call.
    void act(u32 cpu);
    const User& user() const { return user_; }
    // For traces: what the last action was.
    const std::string& last() const { return last_; }

private:
    struct Cap {
        abi::CapId id;
        kernel::Interface interface;
    };
    struct Submitted {
        u64 user_data;
        bool silent;  // completes only when it fails
    };

    void read_completions(u32 most);
    void notice_accepted();
    void enter(u32 cpu);
    void touch(u32 cpu);
    void misbehave(u32 cpu);
    void system_call(u32 cpu, abi::SystemCall number, u64 rdi, u64 rsi, u64 rdx);

    // Entries.
    abi::Submission draw();
    abi::Submission draw_call();
    abi::Submission draw_object_call();
    abi::Submission object_call(const Cap& c);
    abi::Submission call_machine(const Cap& c);
    abi::Submission draw_receive();
    abi::Submission draw_return();
    abi::Submission draw_garbage();
    abi::Submission call_account(abi::CapId id);
    abi::Submission call_process(abi::CapId id);
    abi::Submission call_thread(abi::CapId id);
    abi::Submission call_space(abi::CapId id);
    abi::Submission call_memory(abi::CapId id, bool readable);
    abi::Submission call_endpoint(abi::CapId id);
    abi::Submission call_ports(abi::CapId id);
    abi::Submission claim_interrupt(abi::CapId id);

    template <typename Method>
    abi::Submission encode(abi::CapId target, const typename Method::Params& params,
                           std::initializer_list<u64> capabilities = {});
    // A piece of the arena that is likely not in use.
    u32 params_area() const { return place(256 * (slot_ % 16), 256); }
    u32 list_area() const { return place(4096 + 64 * (slot_ % 16), 64); }
    u32 reply_area() const { return place(5120 + 256 * (slot_ % 16), 256); }
    // Not every arena is that large.
    u32 place(u32 offset, u32 bytes) const { return offset % (user_.thread().ring.arena_bytes() - bytes + 8); }
    static constexpr u32 kBuffers = 9216, kBufferBytes = 512;

    std::vector<Cap> holdings();
    // A capability of that kind, or any; sometimes one that is none.
    abi::CapId some(kernel::Interface interface);
    abi::CapId any();
    u64 some_address(bool inside);
    u64 capability_word(abi::CapId id) { return id.value | (random_.percent(25) ? abi::kMove : 0); }

    User user_;
    Inspector& inspector_;
    Random& random_;
    const Temper& temper_;
    std::deque<Submitted> pushed_;       // in the queue, not accepted so far
    std::map<u64, bool> accepted_;       // user data -> silent
    std::vector<u64> tokens_;
    kernel::Interface promised_[abi::kAnswersDefault]{};  // by answer: of its first capability, as far as that is known
    u32 sq_seen_;
    u32 slot_{};
    u64 next_user_data_{1};
    std::vector<Cap> held_;              // of this action
    std::string last_;
};

}  // namespace capos::sim
