// world.h - what init itself was given, and the boot archive: everything that services get comes from here.
#pragma once

#include "formats/ustar.h"
#include "idl/kernel.h"
#include "runtime/program/program.h"
#include "runtime/ring/log.h"
#include "runtime/spawn/spawn.h"

namespace capos::init {

using runtime::LogLevel;
using runtime::Outcome;
using runtime::Task;

class World {
public:
    // Errors: bad_capability when the kernel gave less than it always does.
    static Outcome<World> create(runtime::Grants& grants);

    // A line of the kernel's log, in the order of the calls.
    void say(LogLevel level, std::string line) const;
    // True if `word` is one of the words of the kernel's command line.
    Task<bool> on_command_line(std::string_view word) const;
    // Maps the boot archive and checks it. Errors: bad_capability when there is none; bad_message with what is wrong.
    Task<formats::UstarArchive> open_archive();

    runtime::SpawnTools tools() const { return {*loop, account, space, entropy}; }

    runtime::Loop* loop{};
    idl::Account::Client account;
    idl::Process::Client process;
    idl::AddressSpace::Client space;
    idl::Clock::Client clock;
    idl::KernelLog::Client log;
    idl::Entropy::Client entropy;
    idl::Power::Client power;
    idl::PlatformInfo::Client platform;
    idl::Profile::Client profile;
    idl::IoPortSpace::Client ports;
    idl::InterruptSpace::Client interrupts;
    idl::ReadableMemory::Client archive;  // absent when the boot loader brought none
};

}  // namespace capos::init
