// service.h - serving: an endpoint's calls, dispatched to objects.
//
//      class Counter final : public idl::Counter::Server {
//          Task<idl::Counter::Next::Results> next(u32 by) override { co_return {.value = value_ += by}; }
//          u64 value_{};
//      };
//      service = Service::create(loop, receiver, {})
//      service->set_root(counter)                       the object of the facets that the supervisor made
//      service->offer(std::make_unique<Counter>())      a facet of its own for an object that we hand out
//
// Whom a facet means is its badge. Badges below kOwnBadges belong to facets of the published root, one for each client, which
// the supervisor minted; the object of an own badge ends when nobody holds its facet any more (a notice of the kernel).
// A method runs as a Task beside all others of the loop; if it has to wait, the next call is taken. When the caller goes away
// its Task is destroyed. A method that fails answers its Error; transport codes among them become `failed`.
//
// Receive buffers bound how many calls are under way: calls beyond them wait, in order, in the kernel.
#pragma once

#include <memory>
#include <unordered_map>

#include "runtime/loop/call.h"

namespace capos::runtime {

class Service;

// A served object. Generated Server classes derive from it.
class Object {
public:
    virtual ~Object() = default;
    // Answers the call, now or later. Generated.
    virtual void dispatch(class Incoming call) = 0;
    // No facet with this badge of the published root is held by anyone any more.
    virtual void dropped(u64 badge) { (void)badge; }

protected:
    // Of the call that is being dispatched: valid in a method until it first waits.
    u64 caller_badge() const { return badge_; }

private:
    friend class Service;
    u64 badge_{};
};

// A call under way: what its Task runs in. Belongs to the service until the task has ended or the caller has gone.
class ActiveCall : public Continuation, public Disposable {
public:
    ActiveCall(Service& service, u64 token) : service_{service}, token_{token} {}
    std::coroutine_handle<> proceed() override;
    u64 token() const { return token_; }

protected:
    virtual const std::optional<Error>& error() const = 0;
    // Sends the answer; at most once.
    template <typename Answer>
    void answer(Answer& value);
    void answer_nothing();
    Service& service_;

private:
    u64 token_;
};

// A received call that has not been answered. Passed on by value; answered by serve or refuse, exactly once.
class Incoming {
public:
    Incoming(Service& service, const abi::Completion& completion) : service_{&service}, completion_{completion} {}

    u64 interface_id() const;
    u16 method() const { return completion_.method; }

    // Decodes the parameters and runs `method(params, capabilities)`, which returns a Task.
    template <typename Method, typename Function>
    void serve(Function&& method);
    void refuse(const Error& error);

private:
    Service* service_;
    abi::Completion completion_;
};

struct ServiceOptions {
    u32 buffers{4};
    u32 buffer_bytes{1024};  // of each, for the parameters without their header
    u8 slots{2};             // capabilities that a call may bring
};

class Service {
public:
    static constexpr u64 kOwnBadges = u64{1} << 32;

    // Starts to receive. `receiver` is a Receiver's capability. Errors: overloaded when the arena has no room or all of the
    // ring's buffer groups are in use.
    static Outcome<std::unique_ptr<Service>> create(Loop& loop, Client receiver, const ServiceOptions& options);
    ~Service();
    Service(const Service&) = delete;

    // `root` outlives the service.
    void set_root(Object& root) { root_ = &root; }
    // An object of its own, and the facet that names it. Errors: those of Receiver.mint.
    template <typename Server>
    Task<typename Server::Interface::Client> offer(std::unique_ptr<Server> object) {
        const u64 badge = add(std::move(object));
        co_return (co_await mint(badge)).template as<typename Server::Interface>();
    }
    // The object that a facet of ours names, for facets that come back as arguments. Null for others.
    Object* find(const Client& facet) const { return facet.is_own() ? find(facet.own_badge()) : nullptr; }

    Loop& loop() const { return loop_; }

private:
    friend class ActiveCall;
    friend class Incoming;

    // The RECEIVE entry, which outlives the service until its last completion.
    struct Receiving final : Completable, Disposable {
        Receiving(Service* service, Loop& loop, u8 group, ArenaRange buffers)
            : service{service}, loop{loop}, group{group}, buffers{buffers} {
            loop.listen(*this);
        }
        ~Receiving() override { loop.unlisten(*this); }
        void complete(const abi::Completion& completion) override;

        Service* service;
        Loop& loop;
        u8 group;
        ArenaRange buffers;
    };

    Service(Loop& loop, Client receiver) : loop_{loop}, receiver_{std::move(receiver)} {}
    void complete(const abi::Completion& completion);
    u64 add(std::unique_ptr<Object> object);
    Task<Client> mint(u64 badge);
    Object* find(u64 badge) const;
    void dispatch(const abi::Completion& completion);
    void start(std::unique_ptr<ActiveCall> call, std::coroutine_handle<> task);
    void dispose(std::vector<std::unique_ptr<ActiveCall>>::iterator place);
    void ended(ActiveCall& call);
    void caller_gone(u64 token);
    void reply(u64 token, ArenaRange message, u32 length, CapabilityList& capabilities);
    void reply_error(u64 token, const Error& error);

    Loop& loop_;
    Client receiver_;
    Receiving* receiving_{};  // null once it has ended
    Object* root_{};
    u64 next_badge_{kOwnBadges};
    std::unordered_map<u64, std::unique_ptr<Object>> objects_;
    std::vector<std::unique_ptr<ActiveCall>> active_;
};

// --- templates ---

template <typename Answer>
void ActiveCall::answer(Answer& value) {
    CapabilityList capabilities;
    Loop& loop = service_.loop();
    const usize bytes = value.encoded_bytes();
    if (bytes > abi::kMessageBytesMax) {
        return service_.reply_error(token_, Error{Status::failed, 0, "the results are larger than 8 KiB"});
    }
    const ArenaRange block = loop.arena().allocate(align8(static_cast<u32>(bytes)) + abi::kCapabilitiesMax * 8);
    if (block.length == 0) return service_.reply_error(token_, Error{Status::overloaded, 0, "no room for the answer"});
    usize length;
    if constexpr (requires { value.encode(loop.bytes(block), capabilities); }) {
        length = value.encode(loop.bytes(block), capabilities);
    } else {
        length = value.encode(loop.bytes(block));
    }
    service_.reply(token_, block, static_cast<u32>(length), capabilities);
}

namespace detail {

// A method without results, or with them: the task hands them over at its co_return.
template <typename Answer>
class Running final : public ActiveCall, public Sink<Answer> {
public:
    Running(Service& service, u64 token, Task<Answer> task) : ActiveCall{service, token}, task_{std::move(task)} {
        task_.into(*this);
    }
    std::coroutine_handle<> start() { return task_.start(*this); }
    void take(Answer& value) override { answer(value); }

protected:
    const std::optional<Error>& error() const override { return task_.error(); }

private:
    Task<Answer> task_;
};

template <>
class Running<void> final : public ActiveCall {
public:
    Running(Service& service, u64 token, Task<void> task) : ActiveCall{service, token}, task_{std::move(task)} {}
    std::coroutine_handle<> start() { return task_.start(*this); }
    std::coroutine_handle<> proceed() override {
        if (!task_.error()) answer_nothing();
        return ActiveCall::proceed();
    }

protected:
    const std::optional<Error>& error() const override { return task_.error(); }

private:
    Task<void> task_;
};

template <typename T>
struct TaskValue;
template <typename T>
struct TaskValue<Task<T>> {
    using Type = T;
};

}  // namespace detail

template <typename Method, typename Function>
void Incoming::serve(Function&& method) {
    Loop& loop = service_->loop();
    ReceivedCapabilities capabilities{loop, completion_};
    const auto params = Method::Params::decode(loop.ring().payload(completion_), completion_.capability_count);
    if (!params) return refuse(Error{Status::failed, 0, "the parameters are not a message of this method"});
    auto task = method(*params, capabilities);
    using Answer = typename detail::TaskValue<decltype(task)>::Type;
    auto running = std::make_unique<detail::Running<Answer>>(*service_, completion_.token, std::move(task));
    const std::coroutine_handle<> first = running->start();
    service_->start(std::move(running), first);
}

}  // namespace capos::runtime
