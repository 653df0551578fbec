// client.h - capabilities as a program holds them, and what a call passes along.
//
// A Client names an object that can be called. It is a resource: move-only, and the capability is released with it. Generated
// classes (idl/NAME.h) derive from it and add the methods. A Client is either a slot of the process's capability table, or a
// promise: what a call that has not ended will return (pipelining); calls on a promise are sent at once and wait in the kernel.
#pragma once

#include <array>
#include <utility>

#include "abi/ring.h"
#include "runtime/base/error.h"
#include "runtime/base/few.h"

namespace capos::runtime {

class Loop;

// An answer of the ring that a call fills, shared by the call and the promises made of it. Ends with the last of them.
class Answer {
public:
    static Answer* create(Loop& loop);  // null when the ring's answers are all in use
    u32 index() const { return index_; }
    void hold() { ++holders_; }
    void release();

private:
    Answer(Loop& loop, u32 index) : loop_{loop}, index_{index} {}

    Loop& loop_;
    u32 index_;
    u32 holders_{1};
};

class Client {
public:
    Client() = default;  // names nothing: calls end bad_capability
    // Takes over a capability of this process's table.
    Client(Loop& loop, abi::CapId id) : loop_{&loop}, id_{id}, owned_{id.value != 0 && (id.value & abi::kBadgeEntry) == 0} {}
    // The same without releasing it in the end: for capabilities that others own.
    static Client borrowed(Loop& loop, abi::CapId id) {
        Client client{loop, id};
        client.owned_ = false;
        return client;
    }
    // The `index`-th capability that the call filling `answer` will return.
    static Client promised(Loop& loop, Answer* answer, u8 index);

    Client(Client&& other) noexcept
        : loop_{std::exchange(other.loop_, nullptr)}, id_{std::exchange(other.id_, {})},
          answer_{std::exchange(other.answer_, nullptr)}, promise_{other.promise_},
          owned_{std::exchange(other.owned_, false)} {}
    Client& operator=(Client&& other) noexcept;
    ~Client() {
        if (answer_ != nullptr || owned_) reset();
    }
    void reset();

    bool present() const { return id_.value != 0 || answer_ != nullptr; }
    abi::CapId id() const { return id_; }
    Loop* loop() const { return loop_; }
    bool is_promise() const { return answer_ != nullptr; }
    // What the CALL entry says: a table slot, or (answer, result).
    u64 target() const { return answer_ != nullptr ? (u64{answer_->index()} + 1) << 32 | promise_ : id_.value; }

    // A received capability that is a facet of the receiving service itself: its badge.
    bool is_own() const { return (id_.value & abi::kBadgeEntry) != 0; }
    u64 own_badge() const { return id_.value & abi::kBadgeMax; }

    // The same capability as another interface; nothing checks it here, a wrong one answers wrong_interface or unimplemented.
    template <typename Interface>
    typename Interface::Client as() && {
        return typename Interface::Client{std::move(*this)};
    }

private:
    Loop* loop_{};
    abi::CapId id_{};
    Answer* answer_{};
    u8 promise_{};
    bool owned_{};
};

// A capability argument: `call(memory)` passes a copy, `call(std::move(memory))` gives it away. A promise can't be an argument:
// the call then ends bad_capability.
template <typename T = Client>
class Pass {
public:
    Pass() = default;  // left out
    Pass(const T& client) : id_{client.id()} {}                                       // NOLINT(google-explicit-constructor)
    Pass(T&& client) : owned_{std::move(client)} { id_ = owned_.id(); }               // NOLINT(google-explicit-constructor)
    template <typename Derived>
        requires std::derived_from<Derived, T>
    Pass(const Derived& client) : id_{client.id()} {}                                 // NOLINT(google-explicit-constructor)
    template <typename Derived>
        requires std::derived_from<Derived, T>
    Pass(Derived&& client) : owned_{std::move(static_cast<T&>(client))} { id_ = owned_.id(); }  // NOLINT

    abi::CapId id() const { return id_; }
    Client take_owned() { return std::move(owned_); }

private:
    abi::CapId id_{};
    Client owned_;
};

// The capabilities of one message, in the order of their fields. Those given away are released once the message is delivered.
class CapabilityList {
public:
    // The position of the capability in the list; kAbsent (0xff) for one that was left out.
    template <typename T>
    u8 add(Pass<T>&& capability) {
        if (capability.id().value == 0) return 0xff;
        const u8 position = count();
        ids_[position] = capability.id().value;
        owned_.emplace(capability.take_owned());
        return position;
    }
    u8 count() const { return owned_.size(); }
    const u64* ids() const { return ids_.data(); }
    void clear() { owned_.clear(); }

private:
    std::array<u64, abi::kCapabilitiesMax> ids_;
    Few<Client, abi::kCapabilitiesMax> owned_;
};

}  // namespace capos::runtime
