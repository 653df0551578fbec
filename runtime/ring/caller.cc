#include "runtime/ring/caller.h"

namespace capos::runtime {

Result<Caller, Status> Caller::create(Ring& ring, u32 reply_bytes) {
    const ArenaRange params = TRY(ring.reserve(kParamsBytes + abi::kCapabilitiesMax * u32{sizeof(u64)}));
    const ArenaRange reply = TRY(ring.reserve(reply_bytes));
    return Caller{ring, params, reply};
}

Message Caller::message(u32 length, std::initializer_list<abi::CapId> capabilities) const {
    u32 offset = params_.offset + kParamsBytes;
    for (const abi::CapId id : capabilities) {
        idl::flat::store(ring_->at(offset), id.value);
        offset += sizeof(u64);
    }
    return {.payload = {params_.offset, length},
            .capabilities_offset = capabilities.size() == 0 ? 0 : params_.offset + kParamsBytes,
            .capability_count = static_cast<u8>(capabilities.size())};
}

Result<abi::Completion, Status> Caller::perform(const abi::Submission& call, u64 deadline_ns) const {
    const abi::Completion completion = TRY(ring_->perform(call, deadline_ns));
    const Status status = static_cast<Status>(completion.status);
    if (status != Status::ok) return fail(status);
    return completion;
}

}  // namespace capos::runtime
