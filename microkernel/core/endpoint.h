// endpoint.h - where calls meet receivers, and notifications. What happens between them is in call.h.
//
// Guarded by the kernel lock. Calls wait in arrival order on the endpoint's own list; they lie in records of their callers'
// rings, so that an endpoint can have any number of them without memory of its own.
#pragma once

#include "core/records.h"

namespace capos::kernel {

class Endpoint : public Object {
public:
    Endpoint() : Object{ObjectType::endpoint} {}

    // True for the process that holds the live receiver, whether it has room for calls at the moment or not.
    bool served_by(u64 pid) const { return server == pid && receiver.get() != nullptr; }

    List<Pending, &Pending::queue_link> calls;      // sent, not yet received
    List<Pending, &Pending::queue_link> receivers;  // RECEIVE entries that are active here
    List<Node, &Node::notice_link> notices;                       // facets that nobody holds any more
    NodeRef receiver;                                             // the one live Receiver
    u64 server{};                                                 // pid of the process that received last; 0 = none
    u32 incarnation{};                                            // counts receivers; 0 = there never was one
    ObjectName name;
    bool down{};                                                  // without a receiver, calls end `disconnected` at once
};

// What signals are received from: a notification or an interrupt.
class SignalSource : public Object {
public:
    List<Pending, &Pending::queue_link> receivers;

protected:
    explicit SignalSource(ObjectType type) : Object{type} {}
};

class Notification : public SignalSource {
public:
    Notification() : SignalSource{ObjectType::notification} {}

    static constexpr u8 kBits = 63;
    u64 bits{};  // signalled, not yet collected
};

}  // namespace capos::kernel
