// Methods of the objects that stand for the machine: Clock, KernelLog, Entropy, Power, PlatformInfo, Profile.

#include "core/kernel.h"

namespace capos::kernel {

namespace {
constexpr usize kLogTextMax = 200;
constexpr u32 kEntropyBytesMax = 256;
constexpr usize kCommandLineMax = 1024;
}  // namespace

KernelResult<Kernel::Restart> Kernel::call_clock(ObjectCall& call) {
    if (call.method() != idl::Clock::Now::kOrdinal) return fail(Status::unimplemented);
    TRY(call.decode<idl::Clock::Now>());
    return call.reply(idl::Clock::Now::Results{.ns = now_.ns});
}

KernelResult<Kernel::Restart> Kernel::call_kernel_log(ObjectCall& call) {
    if (call.method() != idl::KernelLog::Write::kOrdinal) return fail(Status::unimplemented);
    const auto params = TRY(call.decode<idl::KernelLog::Write>());
    if (params.level > static_cast<u8>(LogLevel::debug) || params.text.size() > kLogTextMax) return fail(Status::bad_argument);
    log(static_cast<LogLevel>(params.level), call.caller.process().name.view()).printable(params.text);
    return call.reply(idl::KernelLog::Write::Results{});
}

KernelResult<Kernel::Restart> Kernel::call_entropy(ObjectCall& call) {
    if (call.method() != idl::Entropy::Fill::kOrdinal) return fail(Status::unimplemented);
    const auto params = TRY(call.decode<idl::Entropy::Fill>());
    if (params.bytes > kEntropyBytesMax) return fail(Status::bad_argument);
    std::byte bytes[kEntropyBytesMax];
    if (call.out.size() < idl::Entropy::Fill::Results::kBytesMin + (params.bytes + 7) / 8 * 8) return fail(Status::no_buffer);
    if (!port::random_bytes(bytes, params.bytes)) return fail(Status::failed);
    return call.reply(idl::Entropy::Fill::Results{.data = {bytes, params.bytes}});
}

// Carried out when the step ends.
KernelResult<Kernel::Restart> Kernel::call_power(ObjectCall& call) {
    switch (call.method()) {
        case idl::Power::Off::kOrdinal: machine_action_ = Action::Kind::off; break;
        case idl::Power::Reset::kOrdinal: machine_action_ = Action::Kind::reset; break;
        default: return fail(Status::unimplemented);
    }
    return call.reply(idl::Power::Off::Results{});
}

KernelResult<Kernel::Restart> Kernel::call_platform(ObjectCall& call) {
    switch (call.method()) {
        case idl::PlatformInfo::Cpus::kOrdinal: {
            TRY(call.decode<idl::PlatformInfo::Cpus>());
            u32 count = 0;
            for (const Cpu& cpu : cpus_) count += cpu.online ? 1 : 0;
            return call.reply(idl::PlatformInfo::Cpus::Results{.count = count});
        }
        case idl::PlatformInfo::Memory::kOrdinal:
            TRY(call.decode<idl::PlatformInfo::Memory>());
            return call.reply(idl::PlatformInfo::Memory::Results{.frames_total = frames_.total_frames(),
                                                                 .frames_free = frames_.free_frames(),
                                                                 .kernel_bytes = kernel_bytes_});
        case idl::PlatformInfo::CommandLine::kOrdinal: {
            TRY(call.decode<idl::PlatformInfo::CommandLine>());
            const std::string_view text = command_line_.substr(0, kCommandLineMax);
            if (call.out.size() < idl::PlatformInfo::CommandLine::Results::kBytesMin + text.size() / 8 * 8 + 8) {
                return fail(Status::no_buffer);
            }
            return call.reply(idl::PlatformInfo::CommandLine::Results{.text = text});
        }
        default: return fail(Status::unimplemented);
    }
}

// What creation charges in frames, plus cells and nodes of the pools, which are sized at boot.
idl::Profile::Sizes::Results Kernel::object_sizes() {
    constexpr u32 kPage = kPageBytes, kCell = kObjectCellBytes, kNode = sizeof(Node);
    constexpr u32 kMapping = kCell + kPage;  // the scrap frame
    constexpr u32 kProcessFrames = 4;        // its own, its table, the root of its page tables, and a spare one of these
    const RingGeometry ring;
    const u32 block = kPage << thread_layout(ring).order;
    return {.process = kProcessFrames * kPage + kCell + 2 * kNode,
            .thread = block + kNode + ring.region_bytes + kMapping + kPage,  // the last one is its standing frame
            .endpoint = kCell + kNode,
            .memory = kCell + kNode,
            .mapping = kMapping,
            .account = kCell + kNode,
            .node = kNode,
            .slot = kPage / CapabilityTable::kSlotsPerFrame};
}

KernelResult<Kernel::Restart> Kernel::call_profile(ObjectCall& call) {
    switch (call.method()) {
        case idl::Profile::Lock::kOrdinal: {
            TRY(call.decode<idl::Profile::Lock>());
            const KernelLock::Holds& holds = lock.holds();
            return call.reply(idl::Profile::Lock::Results{.holds = holds.count,
                                                          .held_ticks = holds.ticks,
                                                          .worst_ticks = holds.worst,
                                                          .elapsed_ticks = holds.since - holds.counted_from});
        }
        case idl::Profile::ResetLock::kOrdinal:
            TRY(call.decode<idl::Profile::ResetLock>());
            lock.count_anew();
            return call.reply(idl::Profile::ResetLock::Results{});
        case idl::Profile::Sizes::kOrdinal:
            TRY(call.decode<idl::Profile::Sizes>());
            return call.reply(object_sizes());
        default: return fail(Status::unimplemented);
    }
}

}  // namespace capos::kernel
