// caller.h - typed calls, one at a time, with generated messages (idl/kernel_messages.h): encode, call, wait, decode.
//
// A Caller owns two buffers of its ring's arena, one for parameters and one for the reply. What a reply points at (Text, Data)
// lies in the second and is valid until the next call through the same Caller.
#pragma once

#include <initializer_list>
#include <optional>

#include "idl/kernel_messages.h"
#include "runtime/ring/ring.h"

namespace capos::runtime {

inline constexpr u32 kReplyBytesDefault = 4608;  // a page of data with everything around it

template <typename Results>
struct Reply {
    Results fields{};
    u64 capabilities[abi::kCapabilitiesMax]{};

    // The capability that a field of the results names. One that was left out names nothing: calls on it end bad_capability.
    abi::CapId capability(idl::CapabilityIndex index) const {
        return index.value < abi::kCapabilitiesMax ? abi::CapId{capabilities[index.value]} : abi::kNoCapability;
    }
};

class Caller {
public:
    // Errors: quota when the arena is used up.
    static Result<Caller, Status> create(Ring& ring, u32 reply_bytes = kReplyBytesDefault);

    // Calls a method and waits for its reply. `capabilities` are what the CapabilityIndex fields of `params` count. Errors: the
    // status with which the call ended; bad_message when the reply is none of this method; what Ring::perform says.
    template <typename Method>
    Result<Reply<typename Method::Results>, Status> call(abi::CapId target, const typename Method::Params& params = {},
                                                         std::initializer_list<abi::CapId> capabilities = {},
                                                         u64 deadline_ns = kNoDeadline) {
        const usize length = params.encode(ring_->bytes({params_.offset, kParamsBytes}));
        if (length == 0 || capabilities.size() > abi::kCapabilitiesMax) return fail(Status::bad_argument);
        const abi::Completion completion = TRY(
            perform(entry::call(target, Method::kInterfaceId, Method::kOrdinal, message(static_cast<u32>(length), capabilities),
                                reply_buffer(Method::Results::kCapabilities)),
                    deadline_ns));
        const auto results = Method::Results::decode(ring_->payload(completion), completion.capability_count);
        if (!results) return fail(Status::bad_message);
        Reply<typename Method::Results> reply{.fields = *results};
        const std::span<const u64> received = ring_->capabilities(completion);
        for (usize i = 0; i < received.size(); ++i) reply.capabilities[i] = received[i];
        return reply;
    }

    Ring& ring() const { return *ring_; }
    // For calls that are put together by hand: where parameters of at most kParamsBytes go, and where the reply arrives.
    static constexpr u32 kParamsBytes = 256;
    std::span<std::byte> params() const { return ring_->bytes({params_.offset, kParamsBytes}); }
    Message message(u32 length, std::initializer_list<abi::CapId> capabilities) const;
    ReplyBuffer reply_buffer(u8 slots) const { return {reply_, slots}; }
    // Performs a call; a status other than ok is the error.
    Result<abi::Completion, Status> perform(const abi::Submission& call, u64 deadline_ns = kNoDeadline) const;

private:
    Caller(Ring& ring, ArenaRange params, ArenaRange reply) : ring_{&ring}, params_{params}, reply_{reply} {}

    Ring* ring_;
    ArenaRange params_;  // kParamsBytes, then the capability list
    ArenaRange reply_;
};

}  // namespace capos::runtime
