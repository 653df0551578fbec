// program.h - what a native program starts from: its loop, and what it was given.
//
//      Task<void> capos::runtime::program_main(Grants& grants) {
//          auto console = co_await grants.find<idl::Console>("console")
//          co_await console.write(...)
//          co_return done;
//      }
//
// A program is a static ELF with musl and libc++. _start (program_start.cc) attaches to the ring, starts musl, and runs
// program_main on an event loop; the process ends with it: exit code 0, or 1 after an error, which is written to the log.
// Everything that the process can ever reach is in `grants`; every process has `account`, `process`, `space`, `thread`,
// `clock`, `log` and `entropy`.
#pragma once

#include "runtime/loop/call.h"
#include "runtime/ring/start_message.h"

namespace capos::runtime {

class Grants {
public:
    Grants(Loop& loop, const StartMessage& start) : loop_{&loop}, start_{&start} {}

    Loop& loop() const { return *loop_; }
    const StartMessage& start() const { return *start_; }

    // The capability of that name, borrowed: it stays the process's own. Errors: bad_capability when there is none of that
    // name, or it has another interface.
    template <typename Interface>
    Outcome<typename Interface::Client> find(std::string_view name) const {
        const abi::CapId id = start_->find(name, Interface::kInterfaceId);
        if (id == abi::kNoCapability) return fail(missing(name));
        return typename Interface::Client{Client::borrowed(*loop_, id)};
    }
    std::string_view argument(usize index) const { return start_->argument(index); }

private:
    static Error missing(std::string_view name);

    Loop* loop_;
    const StartMessage* start_;
};

// Defined by the program.
Task<void> program_main(Grants& grants);

// Exit codes of a program that could not start, beside those of ring/program.h.
inline constexpr u64 kExitFailed = 1;

}  // namespace capos::runtime
