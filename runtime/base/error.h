// error.h - how an operation of a running program fails: the one error type of runtime, drivers and servers.
//
// `status` says who speaks: `failed`, `overloaded`, `disconnected` and `unimplemented` come from the other side or from our own
// code, with a code of the registry idl/errors.capnp; all other values are transport codes, which only the kernel makes
// (abi/status.h). `disconnected` always means: it may or may not have happened.
#pragma once

#include <string>
#include <string_view>

#include "abi/status.h"
#include "formats/support/result.h"
#include "runtime/ring/text.h"

namespace capos::runtime {

struct Error {
    Status status{Status::failed};
    u16 code{};        // of idl/errors.capnp, or of the interface; 0 = none
    std::string text;  // for people; at most abi::kErrorTextBytesMax bytes travel

    Error() = default;
    Error(Status status) : status{status} {}  // NOLINT(google-explicit-constructor): a transport code is an error
    Error(Status status, u16 code, std::string_view text) : status{status}, code{code}, text{text} {}
    bool operator==(const Error&) const = default;
};

template <typename T = void>
using Outcome = Result<T, Error>;

// `return failed(idl::ErrorCode::not_found, "no such service");`
template <typename Code>
std::unexpected<Error> failed(Code code, std::string_view text = {}) {
    return fail(Error{Status::failed, static_cast<u16>(code), text});
}
}  // namespace capos::runtime
