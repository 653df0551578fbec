#include "runtime/ring/text.h"

namespace capos::runtime {

std::string_view name_of(Status status) {
    switch (status) {
        case Status::ok: return "ok";
        case Status::failed: return "failed";
        case Status::overloaded: return "overloaded";
        case Status::disconnected: return "disconnected";
        case Status::unimplemented: return "unimplemented";
        case Status::bad_entry: return "bad_entry";
        case Status::bad_offset: return "bad_offset";
        case Status::bad_capability: return "bad_capability";
        case Status::wrong_interface: return "wrong_interface";
        case Status::stale: return "stale";
        case Status::no_buffer: return "no_buffer";
        case Status::quota: return "quota";
        case Status::truncated: return "truncated";
        case Status::cancelled: return "cancelled";
        case Status::timed_out: return "timed_out";
        case Status::bad_message: return "bad_message";
        case Status::bad_argument: return "bad_argument";
        case Status::exists: return "exists";
        case Status::not_permitted: return "not_permitted";
        case Status::too_late: return "too_late";
        case Status::quarantined: return "quarantined";
    }
    return "unknown status";
}

}  // namespace capos::runtime
