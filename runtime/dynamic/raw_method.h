// raw_method.h - calls and served objects whose methods are known only at run time: the message goes through as bytes. For
// programs with an event loop; the rest of this folder needs none.
//
// `raw_call` makes a call like any other; a served object passes RawMethod to Incoming::serve and answers RawMethod::Answer.
#pragma once

#include <vector>

#include "runtime/loop/call.h"
#include "runtime/loop/service.h"

namespace capos::dynamic {

// A message of its own: private bytes, and the capabilities that came with it.
struct RawMessage {
    std::vector<std::byte> bytes{};
    std::vector<runtime::Client> capabilities{};

    static RawMessage of(std::span<const std::byte> message, runtime::ReceivedCapabilities& received, u8 count) {
        RawMessage result{.bytes = {message.begin(), message.end()}};
        for (u8 i = 0; i < count; ++i) result.capabilities.push_back(received.take(i));
        return result;
    }
};

struct RawMethod {
    struct Params {
        std::span<const std::byte> message;
        u8 capability_count{};
        static std::optional<Params> decode(std::span<const std::byte> message, u8 capability_count) {
            return Params{message, capability_count};
        }
    };
    using Results = Params;

    struct Reply : RawMessage {
        Reply(const Results& results, runtime::ReceivedCapabilities& capabilities, runtime::ReplyHold)
            : RawMessage{RawMessage::of(results.message, capabilities, results.capability_count)} {}
    };
    struct Answer : RawMessage {
        usize encoded_bytes() const { return bytes.size(); }
        usize encode(std::span<std::byte> out, runtime::CapabilityList& list) {
            for (runtime::Client& one : capabilities) list.add(runtime::Pass<>{std::move(one)});
            std::copy(bytes.begin(), bytes.end(), out.begin());
            return bytes.size();
        }
    };
};

// `reply_bytes` bounds the results. All of the capabilities in the list go with the message.
inline runtime::Call<RawMethod> raw_call(const runtime::Client& target, u64 interface_id, u16 ordinal,
                                         std::span<const std::byte> message, runtime::CapabilityList& capabilities,
                                         u32 reply_bytes) {
    using runtime::Error;
    if (target.loop() == nullptr) return runtime::Call<RawMethod>{Error{Status::bad_capability}};
    runtime::PendingCall* const call = target.loop()->take_call();
    const auto bytes = static_cast<u32>(message.size());
    if (!call->prepare(target, interface_id, ordinal, bytes, reply_bytes, abi::kCapabilitiesMax)) {
        target.loop()->give_back(*call);
        return runtime::Call<RawMethod>{Error{Status::overloaded, 0, "no room in the ring's arena for this call"}};
    }
    std::copy(message.begin(), message.end(), call->params().begin());
    call->attach(capabilities, message.size());
    return runtime::Call<RawMethod>{*call};
}

}  // namespace capos::dynamic
