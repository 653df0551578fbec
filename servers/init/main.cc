// init - the first process. It says what the machine is and what it was given, looks at the boot archive, and stays: when init
// ends, the system does. With `exit=emulator` on the kernel's command line it switches the machine off instead, so that a
// scenario ends.

#include "runtime/ring/log.h"
#include "runtime/ring/program.h"

namespace capos::init {

namespace {

using runtime::Caller;
using runtime::Environment;
using runtime::Hex;
using runtime::Log;
using runtime::Reply;

constexpr u64 kPageBytes = 4096;
constexpr u8 kRead = 1;  // AddressSpace.map
constexpr u64 kExitNoWait = 1;

template <typename Interface>
abi::CapId find(const Environment& environment, std::string_view name) {
    return environment.start.find(name, Interface::kInterfaceId);
}

u64 mebibytes(u64 frames) { return frames * kPageBytes >> 20; }

void greet(Caller& caller, Log& log, abi::CapId platform) {
    const auto cpus = caller.call<idl::PlatformInfo::Cpus>(platform);
    const auto memory = caller.call<idl::PlatformInfo::Memory>(platform);
    if (!cpus || !memory) {
        log.error("the platform does not answer: ", cpus ? memory.error() : cpus.error());
        return;
    }
    const u32 count = cpus->fields.count;
    log.info("capOS is up: ", count, count == 1 ? " CPU, " : " CPUs, ", mebibytes(memory->fields.frames_free), " of ",
             mebibytes(memory->fields.frames_total), " MiB free, kernel ", memory->fields.kernel_bytes >> 10, " KiB");
}

void list_capabilities(Log& log, const runtime::StartMessage& start) {
    for (usize i = 0; i < start.capability_count(); ++i) {
        const runtime::NamedCapability capability = start.capability(i);
        log.debug("has ", capability.name, ": interface ", Hex{capability.interface_id}, ", id ", Hex{capability.id.value});
    }
}

// Maps the archive, reads its first byte, and unmaps it: the module arrived and is readable.
Result<u8, Status> first_byte(Caller& caller, abi::CapId space, abi::CapId archive) {
    const auto mapped =
        TRY(caller.call<idl::AddressSpace::Map>(space, {.memory = {0}, .bytes = kPageBytes, .protection = kRead}, {archive}));
    const u8 byte = *reinterpret_cast<const volatile u8*>(mapped.fields.address);
    TRY(caller.call<idl::AddressSpace::Unmap>(space, {.address = mapped.fields.address, .bytes = kPageBytes}));
    return byte;
}

void check_archive(Environment& environment, Log& log) {
    const abi::CapId archive = find<idl::ReadableMemory>(environment, "archive");
    if (archive == abi::kNoCapability) {
        log.warn("there is no boot archive");
        return;
    }
    const auto size = environment.caller.call<idl::ReadableMemory::Size>(archive);
    const auto byte = first_byte(environment.caller, find<idl::AddressSpace>(environment, "space"), archive);
    if (!size || !byte) {
        log.error("the boot archive cannot be read: ", size ? byte.error() : size.error());
        return;
    }
    log.debug("the boot archive has ", size->fields.bytes, " bytes and starts with ", Hex{*byte});
}

// True if `word` is one of the words of the kernel's command line.
bool on_command_line(Caller& caller, abi::CapId platform, std::string_view word) {
    const auto reply = caller.call<idl::PlatformInfo::CommandLine>(platform);
    if (!reply) return false;
    std::string_view rest = reply->fields.text;
    while (!rest.empty()) {
        const usize end = rest.find(' ');
        if (rest.substr(0, end) == word) return true;
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    }
    return false;
}

}  // namespace

}  // namespace capos::init

capos::u64 capos::runtime::run(Environment& environment) {
    using namespace capos::init;
    const abi::CapId platform = find<idl::PlatformInfo>(environment, "platform");
    Log log{environment.caller, find<idl::KernelLog>(environment, "log")};
    greet(environment.caller, log, platform);
    list_capabilities(log, environment.start);
    check_archive(environment, log);
    if (on_command_line(environment.caller, platform, "exit=emulator")) {
        (void)environment.caller.call<idl::Power::Off>(find<idl::Power>(environment, "power"));
    }

    while (environment.ring.enter(1) == Status::ok) (void)environment.ring.next();  // nothing is under way, so nothing comes
    return kExitNoWait;
}
