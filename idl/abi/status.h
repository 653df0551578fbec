// status.h - how an operation ended: the closed set of codes that a completion carries. Part of the ring ABI; values never
// change.
//
// The first five are Cap'n Proto's own kinds of failure (and success), for answers given by a server. The others are transport
// codes: only the kernel produces them, and each means exactly one thing wherever it appears.
#pragma once

#include "abi/types.h"

namespace capos {

enum class [[nodiscard]] Status : u16 {
    ok = 0,

    // Kinds of Cap'n Proto exceptions (rpc.capnp, Exception.Type).
    failed = 1,         // the server says so; its code and text are in the reply
    overloaded = 2,     // try again later; the receiver has no room for what was sent
    disconnected = 3,   // the other side is gone; the operation may or may not have happened
    unimplemented = 4,  // the object has no such method

    // Transport codes.
    bad_entry = 16,        // a submission with an unknown opcode, unknown flags, or a reserved field that is not zero
    bad_offset = 17,       // an offset or length outside the arena, or not aligned as required
    bad_capability = 18,   // an id that names nothing: never valid, released, or its node was revoked
    wrong_interface = 19,  // the capability does not have that interface
    stale = 20,            // a reply token, answer or handle whose call is over
    no_buffer = 21,        // there is no room for the message in the buffer offered
    quota = 22,            // an account, or a table sized at creation, has no room left
    truncated = 23,        // the result is larger than the room that was reserved for it
    cancelled = 24,        // ended by CANCEL, FINISH, or a failed entry that it was linked to
    timed_out = 25,        // the deadline passed
    bad_message = 26,      // not a well-formed message for this method
    bad_argument = 27,     // well-formed, but a value is outside what the method accepts
    exists = 28,           // the address range or name is taken
    not_permitted = 29,    // the object never allows this: writable and executable memory, an unsealed executable mapping
    too_late = 30,         // CANCEL of something that has completed
    quarantined = 31,      // frames that a device may still reach are withheld for good
};

}  // namespace capos
