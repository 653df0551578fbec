// puppet.h - a server in another process that does what its caller asks, one method per behaviour: to hold calls back, to
// answer twice, to pass capabilities on, to die. What happened to it is asked with `report`.
#pragma once

#include "support/child.h"

namespace capos::test {

inline constexpr u64 kPuppetInterface = 0xfeed'0000'0000'0001;
inline constexpr u32 kPuppetBuffers = 4;
inline constexpr u32 kPuppetMessageBytes = 256;
inline constexpr u8 kPuppetSlots = 2;  // capabilities that a message to it may bring

enum class Puppet : u16 {
    echo,         // answers with a PuppetCall, and the first payload word as it came
    hold,         // keeps the call
    let_go,       // answers all calls it keeps, oldest first, then this one
    fail,         // answers with the error `failed`, code 42, text "no"
    give_back,    // answers with the capabilities that came, copied
    hand_over,    // the same, moved
    answer_big,   // answers with 200 bytes
    answer_twice, // the second answer has to fail
    mint,         // answers with a facet whose badge is the first payload word
    mint_late,    // the same, after 5 ms
    report,       // answers with a PuppetReport
    die,          // exits with code 9, without an answer
    crash,        // UD2, without an answer
};

struct PuppetCall {
    u64 badge, interface_id, method, incarnation, capabilities, first_capability, word;
};
struct PuppetReport {
    u64 calls, cancelled, notices, last_notice, failures, last_failure, kept;
};

struct PuppetServer {
    // Errors: those of the methods it takes. `receiver` must be fresh; it is copied to the child.
    static Expected<Child> start(World& world, const Image& image, CapId receiver, ChildOptions options = {});
};

// The client's side: one call at a time, or several under way. Replies are copied out.
class Puppeteer {
public:
    // Uses a piece of the arena for one call and its reply.
    static Expected<Puppeteer> create(World& world);

    abi::Submission entry(CapId facet, Puppet method, u64 word = 0, std::initializer_list<CapId> capabilities = {},
                          u8 slots = 0);
    Expected<abi::Completion> call(CapId facet, Puppet method, u64 word = 0, std::initializer_list<CapId> capabilities = {},
                                   u8 slots = 0, u64 deadline_ns = runtime::kNoDeadline);
    // The payload of a completion, as far as it goes.
    template <typename T>
    T payload(const abi::Completion& completion) const {
        T value{};
        const auto bytes = ring_->payload(completion);
        __builtin_memcpy(&value, bytes.data(), bytes.size() < sizeof(T) ? bytes.size() : sizeof(T));
        return value;
    }
    CapId result(const abi::Completion& completion, usize index = 0) const {
        const auto ids = ring_->capabilities(completion);
        return index < ids.size() ? CapId{ids[index]} : abi::kNoCapability;
    }
    PuppetReport report(CapId facet);
    runtime::ArenaRange reply() const { return reply_; }

private:
    Puppeteer(Ring& ring, runtime::ArenaRange params, runtime::ArenaRange reply)
        : ring_{&ring}, params_{params}, reply_{reply} {}
    Ring* ring_;
    runtime::ArenaRange params_;  // two words of payload, then the capability list
    runtime::ArenaRange reply_;
};

}  // namespace capos::test
