// counter.h - stubs as capnpc-capos emits them, written by hand for the tests of the loop: a Counter that counts, hands out
// other counters, and waits. Their messages are flat, so the codec of kernel messages serves.
#pragma once

#include "idl/flat.h"
#include "runtime/loop/service.h"

namespace capos::test {

using idl::CapabilityIndex;
namespace flat = idl::flat;

struct Counter {
    static constexpr u64 kInterfaceId = 0xc0a7'0000'0000'0001;
    class Client;
    class Server;

    // One word of parameters, one of results.
    template <u16 Ordinal>
    struct Number {
        static constexpr u64 kInterfaceId = Counter::kInterfaceId;
        static constexpr u16 kOrdinal = Ordinal;
        struct Fields {
            u64 value{};
            static constexpr flat::Layout kLayout{.data_words = 1, .pointers = 0, .bytes_max = 256};
            static constexpr usize kBytesMin = kLayout.bytes_min();
            static constexpr u8 kCapabilities = 0;
            static constexpr bool kFixedSize = true;
            static std::optional<Fields> decode(std::span<const std::byte> message, u8 capability_count) {
                flat::Reader reader{message, kLayout, capability_count};
                Fields fields{.value = reader.scalar<u64>(0)};
                if (!reader.valid()) return std::nullopt;
                return fields;
            }
            usize encoded_bytes() const { return kBytesMin; }
            usize encode(std::span<std::byte> out) const {
                if (out.size() < kBytesMin) return 0;
                flat::Writer writer{out, kLayout};
                writer.scalar(0, value);
                return writer.finish();
            }
        };
        using Params = Fields;
        using Results = Fields;
        using Answer = Results;
        struct Reply {
            u64 value{};
            Reply(const Results& results, runtime::ReceivedCapabilities&, runtime::ReplyHold) : value{results.value} {}
        };
    };
    struct Add : Number<0> {};    // adds, answers the sum; fails with code 7 above 1000
    struct Wait : Number<1> {};   // answers after `value` ns

    // () -> (counter :Counter)
    struct Child {
        static constexpr u64 kInterfaceId = Counter::kInterfaceId;
        static constexpr u16 kOrdinal = 2;
        using Params = Number<2>::Fields;
        struct Results {
            CapabilityIndex counter{};
            static constexpr flat::Layout kLayout{.data_words = 0, .pointers = 1, .bytes_max = 256};
            static constexpr usize kBytesMin = kLayout.bytes_min();
            static constexpr u8 kCapabilities = 1;
            static constexpr bool kFixedSize = true;
            static std::optional<Results> decode(std::span<const std::byte> message, u8 capability_count) {
                flat::Reader reader{message, kLayout, capability_count};
                Results fields{.counter = reader.capability(0)};
                if (!reader.valid()) return std::nullopt;
                return fields;
            }
            usize encoded_bytes() const { return kBytesMin; }
            usize encode(std::span<std::byte> out) const {
                if (out.size() < kBytesMin) return 0;
                flat::Writer writer{out, kLayout};
                writer.capability(0, counter);
                return writer.finish();
            }
        };
        struct Reply;
        struct Answer;
    };
};

class Counter::Client : public runtime::Client {
public:
    using Interface = Counter;
    Client() = default;
    explicit Client(runtime::Client client) : runtime::Client{std::move(client)} {}

    runtime::Call<Add> add(u64 value) const { return number<Add>(value); }
    runtime::Call<Wait> wait(u64 ns) const { return number<Wait>(ns); }
    runtime::Call<Child> child() const;

private:
    template <typename Method>
    runtime::Call<Method> number(u64 value) const {
        runtime::CapabilityList none;
        return runtime::make_call<Method>(*this, {.value = value}, none);
    }
};

struct Counter::Child::Reply {
    Counter::Client counter;
    Reply(const Results& results, runtime::ReceivedCapabilities& capabilities, runtime::ReplyHold)
        : counter{capabilities.take<Counter::Client>(results.counter.value)} {}
};
struct Counter::Child::Answer {
    runtime::Pass<Counter::Client> counter;
    usize encoded_bytes() const { return Results::kBytesMin; }
    usize encode(std::span<std::byte> out, runtime::CapabilityList& capabilities) {
        return Results{.counter = {capabilities.add(std::move(counter))}}.encode(out);
    }
};
inline runtime::Call<Counter::Child> Counter::Client::child() const {
    runtime::CapabilityList none;
    return runtime::make_call<Child>(*this, {}, none);
}

class Counter::Server : public runtime::Object {
public:
    using Interface = Counter;
    virtual runtime::Task<Add::Answer> add(u64 value) = 0;
    virtual runtime::Task<Wait::Answer> wait(u64 ns) = 0;
    virtual runtime::Task<Child::Answer> child() = 0;

    void dispatch(runtime::Incoming call) override {
        if (call.interface_id() != kInterfaceId) return call.refuse(runtime::Error{Status::unimplemented});
        switch (call.method()) {
            case Add::kOrdinal:
                return call.serve<Add>([this](const Add::Params& p, runtime::ReceivedCapabilities&) { return add(p.value); });
            case Wait::kOrdinal:
                return call.serve<Wait>(
                    [this](const Wait::Params& p, runtime::ReceivedCapabilities&) { return wait(p.value); });
            case Child::kOrdinal:
                return call.serve<Child>([this](const Child::Params&, runtime::ReceivedCapabilities&) { return child(); });
            default: return call.refuse(runtime::Error{Status::unimplemented});
        }
    }
};

}  // namespace capos::test
