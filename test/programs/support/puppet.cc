#include "support/puppet.h"

namespace capos::test {

namespace {

using namespace runtime;

constexpr u32 kHeaderBytes = sizeof(abi::MessageHeader);
constexpr u64 kReceive = 1;
constexpr u16 kErrorCode = 42;

class Server {
public:
    Server(Environment& environment, ArenaRange buffers, ArenaRange scratch)
        : environment_{environment}, ring_{environment.ring}, buffers_{buffers}, scratch_{scratch} {}

    u64 serve() {
        receiver_ = capability<idl::Receiver>(environment_, "receiver");
        (void)ring_.push(entry::tagged(entry::receive_calls(receiver_, {.count = kPuppetBuffers,
                                                                        .first_offset = buffers_.offset,
                                                                        .bytes_each = buffers_.length / kPuppetBuffers,
                                                                        .slots_each = kPuppetSlots}),
                                       kReceive));
        while (true) {
            (void)ring_.enter(1);
            while (const auto completion = ring_.next()) {
                switch (static_cast<abi::CompletionKind>(completion->kind)) {
                    case abi::CompletionKind::call: handle(*completion); break;
                    case abi::CompletionKind::cancelled:
                        ++report_.cancelled;
                        (void)ring_.post(entry::reply(completion->token, {}));
                        break;
                    case abi::CompletionKind::notice: ++report_.notices, report_.last_notice = completion->token; break;
                    case abi::CompletionKind::done:
                        if (completion->user_data == kReceive) return completion->status;  // the receiver was taken away
                        break;
                    case abi::CompletionKind::signal:
                    case abi::CompletionKind::lost: break;
                }
            }
        }
    }

private:
    void handle(const abi::Completion& call) {
        ++report_.calls;
        switch (static_cast<Puppet>(call.method)) {
            case Puppet::echo: return answer(call, describe(call));
            case Puppet::hold: kept_[report_.kept++ % kKept] = call.token; return;
            case Puppet::let_go:
                for (u64 i = 0; i < report_.kept; ++i) send(entry::reply(kept_[i % kKept], in_scratch(i)));
                report_.kept = 0;
                return answer(call, report_);
            case Puppet::fail: {
                __builtin_memcpy(ring_.at(scratch_.offset), "no", 2);
                send(entry::reply_error(call.token, Status::failed, kErrorCode, {scratch_.offset, 2}));
                return;
            }
            case Puppet::give_back: return pass_on(call, 0);
            case Puppet::hand_over: return pass_on(call, abi::kMove);
            case Puppet::answer_big: send(entry::reply(call.token, {.payload = {scratch_.offset, 200}})); return;
            case Puppet::answer_twice: answer(call, describe(call)); return answer(call, describe(call));
            case Puppet::mint: return mint(call);
            case Puppet::mint_late: wait_a_little(); return mint(call);
            case Puppet::report: return answer(call, report_);
            case Puppet::die: exit(9);
            case Puppet::crash: __builtin_trap();
        }
        send(entry::reply_error(call.token, Status::unimplemented, 0));
    }

    u64 word(const abi::Completion& call) const {
        return call.length >= 8 ? idl::flat::load<u64>(ring_.payload(call).data()) : 0;
    }

    PuppetCall describe(const abi::Completion& call) const {
        const abi::MessageHeader& header = ring_.message_header(call);
        return {header.badge, header.interface_id, call.method, header.incarnation, call.capability_count,
                header.capabilities[0], word(call)};
    }

    template <typename T>
    Message in_scratch(const T& value) {
        __builtin_memcpy(ring_.at(scratch_.offset), &value, sizeof(T));
        return {.payload = {scratch_.offset, sizeof(T)}};
    }

    template <typename T>
    void answer(const abi::Completion& call, const T& value) {
        send(entry::reply(call.token, in_scratch(value)));
    }

    bool send(const abi::Submission& reply) {
        const auto sent = ring_.post(reply);
        if (!sent) ++report_.failures, report_.last_failure = static_cast<u64>(sent.error());
        return sent.has_value();
    }

    void pass_on(const abi::Completion& call, u64 flag) {
        const auto ids = ring_.capabilities(call);
        const u32 list = scratch_.offset + 128;
        for (usize i = 0; i < ids.size(); ++i) idl::flat::store(ring_.at(list + static_cast<u32>(i) * 8), ids[i] | flag);
        Message message = in_scratch(describe(call));
        message.capabilities_offset = list;
        message.capability_count = static_cast<u8>(ids.size());
        send(entry::reply(call.token, message));
    }

    void mint(const abi::Completion& call) {
        const auto facet = environment_.caller.call<idl::Receiver::Mint>(receiver_, {.badge = word(call)});
        if (!facet) {
            send(entry::reply_error(call.token, Status::failed, static_cast<u16>(facet.error())));
            return;
        }
        const CapId minted = facet->capability(facet->fields.facet);
        const u32 list = scratch_.offset + 128;
        idl::flat::store(ring_.at(list), minted.value | abi::kMove);
        // Nobody waits for it any more: it did not leave.
        if (!send(entry::reply(call.token, {.capabilities_offset = list, .capability_count = 1}))) {
            release(environment_.caller, minted);
        }
    }

    void wait_a_little() {
        const u64 now = test::now(environment_.caller, capability<idl::Clock>(environment_, "clock")).value_or(0);
        (void)ring_.perform(entry::timer(now + 5'000'000));
    }

    static constexpr u64 kKept = 16;

    Environment& environment_;
    Ring& ring_;
    ArenaRange buffers_, scratch_;
    CapId receiver_;
    PuppetReport report_{};
    u64 kept_[kKept]{};
};

u64 serve(Environment& environment) {
    const auto buffers = environment.ring.reserve(kPuppetBuffers * (kHeaderBytes + kPuppetMessageBytes));
    const auto scratch = environment.ring.reserve(256);
    if (!buffers || !scratch) return 1;
    return Server{environment, *buffers, *scratch}.serve();
}

constexpr u32 kParamsBytes = 16;

}  // namespace

Expected<Child> PuppetServer::start(World& world, const Image& image, CapId receiver, ChildOptions options) {
    return Child::create(
        world, image, "puppet", serve,
        {{"receiver", idl::Receiver::kInterfaceId, receiver}, {"clock", idl::Clock::kInterfaceId, world.clock}}, options);
}

Expected<Puppeteer> Puppeteer::create(World& world) {
    const ArenaRange params = TRY(world.ring.reserve(kParamsBytes + abi::kCapabilitiesMax * u32{sizeof(u64)}));
    const ArenaRange reply = TRY(world.ring.reserve(kHeaderBytes + kPuppetMessageBytes));
    return Puppeteer{world.ring, params, reply};
}

abi::Submission Puppeteer::entry(CapId facet, Puppet method, u64 word, std::initializer_list<CapId> capabilities, u8 slots) {
    idl::flat::store(ring_->at(params_.offset), word);
    u32 offset = params_.offset + kParamsBytes;
    for (const CapId id : capabilities) {
        idl::flat::store(ring_->at(offset), id.value);
        offset += sizeof(u64);
    }
    return entry::call(facet, kPuppetInterface, static_cast<u16>(method),
                       {.payload = {params_.offset, sizeof(u64)},
                        .capabilities_offset = capabilities.size() == 0 ? 0 : params_.offset + kParamsBytes,
                        .capability_count = static_cast<u8>(capabilities.size())},
                       {.buffer = reply_, .slots = slots});
}

Expected<abi::Completion> Puppeteer::call(CapId facet, Puppet method, u64 word, std::initializer_list<CapId> capabilities,
                                          u8 slots, u64 deadline_ns) {
    const abi::Completion completion = TRY(ring_->perform(entry(facet, method, word, capabilities, slots), deadline_ns));
    const Status status = static_cast<Status>(completion.status);
    if (status != Status::ok) return fail(status);
    return completion;
}

PuppetReport Puppeteer::report(CapId facet) {
    const auto completion = call(facet, Puppet::report);
    return completion ? payload<PuppetReport>(*completion) : PuppetReport{};
}

}  // namespace capos::test
