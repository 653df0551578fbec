#include "servers/shell/tracer.h"

#include "runtime/dynamic/print.h"
#include "runtime/dynamic/raw_method.h"

namespace capos::shell {

namespace {

using dynamic::RawMessage;
using dynamic::RawMethod;
using runtime::Task;
using runtime::attempt;

constexpr u32 kReplyBytes = 5120;
constexpr runtime::ServiceOptions kOptions{.buffers = 4, .buffer_bytes = 4608, .slots = abi::kCapabilitiesMax};

// Stands for whatever interface the target has.
struct AnyInterface {
    using Client = runtime::Client;
};

class Traced final : public runtime::Object {
public:
    using Interface = AnyInterface;

    Traced(Session& session, std::string name, runtime::Client target, const dynamic::Table& table)
        : session_{session}, name_{std::move(name)}, target_{std::move(target)}, table_{table} {}

    void dispatch(runtime::Incoming call) override {
        const u64 interface_id = call.interface_id();
        const u16 ordinal = call.method();
        call.serve<RawMethod>([&](const RawMethod::Params& params, runtime::ReceivedCapabilities& capabilities) {
            return forward(interface_id, ordinal, RawMessage::of(params.message, capabilities, params.capability_count));
        });
    }

private:
    Task<RawMethod::Answer> forward(u64 interface_id, u16 ordinal, RawMessage message) {
        const u64 number = ++calls_;
        const auto method = table_.find_method(interface_id, ordinal);
        const std::string head = name_ + " #" + std::to_string(number);
        session_.announce(head + " " + (method ? std::string{method->name} : "method " + std::to_string(ordinal)) + " " +
                          (method ? spelled(method->params, message) : "") + "\n");
        runtime::CapabilityList list;
        for (runtime::Client& one : message.capabilities) list.add(runtime::Pass<>{std::move(one)});
        auto reply =
            co_await attempt(dynamic::raw_call(target_, interface_id, ordinal, message.bytes, list, kReplyBytes).unbounded());
        if (!reply) {
            session_.announce(head + " failed, " + text_of(reply.error()) + "\n");
            co_return fail(std::move(reply.error()));
        }
        session_.announce(head + " = " + (method ? spelled(method->results, *reply) : "") + "\n");
        co_return RawMethod::Answer{std::move(*reply)};
    }

    std::string spelled(u16 structure, const RawMessage& message) const {
        return dynamic::print(table_, structure, message.bytes, static_cast<u8>(message.capabilities.size())).text;
    }

    Session& session_;
    std::string name_;
    runtime::Client target_;
    const dynamic::Table& table_;
    u64 calls_{};
};

}  // namespace

Task<runtime::Client> Tracer::interpose(Session& session, std::string name, const Holding& target,
                                        const dynamic::Table& table) {
    // The traced capability keeps one of its own: the shell may drop the other meanwhile.
    const auto account = co_await grants_.find<idl::Account>("account");
    auto own = co_await account.derive(target.client);
    if (service_ == nullptr) {
        auto made = co_await account.create_endpoint("trace");
        auto received = co_await made.endpoint.receiver();
        service_ = co_await runtime::Service::create(grants_.loop(), std::move(received.receiver), kOptions);
        endpoint_ = std::move(made.endpoint);
    }
    co_return co_await service_->offer(std::make_unique<Traced>(session, std::move(name), std::move(own.capability), table));
}

}  // namespace capos::shell
