#include "boot/init_process.h"

#include <algorithm>
#include <cstring>

#include "abi/start.h"
#include "core/ports.h"
#include "formats/elf.h"

namespace capos::kernel {

namespace {

constexpr std::string_view kInitName = "init";
constexpr RingGeometry kInitRing{.region_bytes = 64 * 1024, .sq_entries = 64, .cq_entries = 128};
constexpr PageCount kStackPages{16};
// Where init lies when its program does not care, and its stack; a random number of pages is added to one, taken from the
// other.
constexpr u64 kProgramBase = 0x40'0000;
constexpr u64 kStackTop = 0x7000'0000'0000;
constexpr u64 kRandomPages = u64{1} << 16;

u64 random_offset() {
    u64 value = 0;
    std::byte bytes[sizeof value];
    if (port::random_bytes(bytes, sizeof bytes)) std::memcpy(&value, bytes, sizeof value);
    return (value % kRandomPages) * kPageBytes;
}

std::span<const std::byte> contents(const formats::BootModule& module) {
    return {port::direct_map(PhysicalAddress{module.start}), static_cast<usize>(module.bytes())};
}

// Copies into memory whose frames exist, page by page: they are not contiguous.
void copy_to(Memory& memory, u64 offset, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const u64 in_page = offset % kPageBytes;
        const usize part = std::min<usize>(bytes.size(), kPageBytes - in_page);
        const std::optional<Memory::Frame> frame = memory.frame(offset / kPageBytes);
        KERNEL_ASSERT(frame.has_value());
        std::memcpy(port::direct_map(frame->address) + in_page, bytes.data(), part);
        bytes = bytes.subspan(part);
        offset += part;
    }
}

KernelResult<void> load_segment(Kernel& kernel, AddressSpace& space, const formats::ElfSegment& segment, formats::Bytes file,
                                u64 base) REQUIRES(kernel.lock) {
    const PageCount pages = pages_for(ByteCount{segment.page_end() - segment.page_start()});
    Memory* memory = TRY(kernel.make_boot_memory(pages));
    copy_to(*memory, segment.address - segment.page_start(), file.subspan(segment.file_offset, segment.file_bytes));
    // Only sealed memory can be executed (R12).
    if (segment.executable) memory->seal();
    const Access access = segment.executable ? Access::read_execute : segment.writable ? Access::read_write : Access::read;
    return kernel.map_boot_memory(space, *memory, VirtualAddress{base + segment.page_start()}, access);
}

// The start-up message (abi/start.h), built in the arena of the thread's ring region.
class StartMessage {
public:
    bool add(std::string_view name, u64 interface_id, abi::CapId id) {
        if (name.size() >= abi::kStartNameBytes || count_ == std::size(capabilities_)) return false;
        abi::StartCapability& entry = capabilities_[count_++];
        entry = {.name = {}, .interface_id = interface_id, .id = id.value};
        name.copy(entry.name, name.size());
        return true;
    }

    // Puts it at the start of the arena. Returns its length; 0 when there is no room.
    u32 write(Ring& ring, std::string_view argument) const {
        const usize table_bytes = count_ * sizeof(abi::StartCapability), text_bytes = argument.size() + 1;
        const u32 length = static_cast<u32>(sizeof(abi::StartHeader) + table_bytes + text_bytes);
        if (!ring.arena_fits(0, length)) return 0;
        const abi::StartHeader header{.magic = abi::kStartMagic,
                                      .version = abi::kStartVersion,
                                      .capability_count = static_cast<u16>(count_),
                                      .argument_count = 1,
                                      .environment_count = 0,
                                      .text_bytes = static_cast<u32>(text_bytes)};
        std::byte* to = ring.arena(0);
        std::memcpy(to, &header, sizeof header);
        std::memcpy(to + sizeof header, capabilities_, table_bytes);
        std::memcpy(to + sizeof header + table_bytes, argument.data(), argument.size());
        to[length - 1] = std::byte{0};
        return length;
    }

private:
    usize count_{};
    abi::StartCapability capabilities_[formats::kModulesMax + 16];
};

struct Grant {
    std::string_view name;
    u64 interface_id;
    Object& object;
    bool readable{};
};

KernelResult<void> grant(Kernel& kernel, Process& process, StartMessage& message, const Grant& what) REQUIRES(kernel.lock) {
    const abi::CapId id = TRY(kernel.grant_boot(process, what.object, what.readable));
    if (!message.add(what.name, what.interface_id, id)) return fail(Status::bad_argument);
    return done;
}

KernelResult<void> grant_roots(Kernel& kernel, const Kernel::BootProcess& init, StartMessage& message) REQUIRES(kernel.lock) {
    const Grant grants[] = {{"process", idl::Process::kInterfaceId, *init.process},
                            {"thread", idl::Thread::kInterfaceId, *init.thread},
                            {"space", idl::AddressSpace::kInterfaceId, *init.process->space},
                            {"account", idl::Account::kInterfaceId, kernel.root_account()},
                            {"clock", idl::Clock::kInterfaceId, kernel.clock()},
                            {"log", idl::KernelLog::kInterfaceId, kernel.kernel_log()},
                            {"entropy", idl::Entropy::kInterfaceId, kernel.entropy()},
                            {"power", idl::Power::kInterfaceId, kernel.power()},
                            {"platform", idl::PlatformInfo::kInterfaceId, kernel.platform_info()},
                            {"profile", idl::Profile::kInterfaceId, kernel.profile()},
                            {"ports", idl::IoPortSpace::kInterfaceId, kernel.port_space()},
                            {"interrupts", idl::InterruptSpace::kInterfaceId, kernel.interrupt_space()}};
    for (const Grant& one : grants) TRY(grant(kernel, *init.process, message, one));
    return done;
}

// The whole pages of a module; boot/main.cc has cleared what lies behind its end.
KernelResult<void> grant_module(Kernel& kernel, Process& process, StartMessage& message, const formats::BootModule& module)
    REQUIRES(kernel.lock) {
    const PageCount pages = pages_for(ByteCount{module.bytes()});
    if (pages.value == 0) return done;
    Memory* memory = TRY(kernel.adopt_boot_memory(PhysicalAddress{module.start}, pages));
    return grant(kernel, process, message, {module.text, idl::ReadableMemory::kInterfaceId, *memory, true});
}

KernelResult<void> start(Kernel& kernel, std::span<const formats::BootModule> modules, const formats::ElfImage& image,
                         formats::Bytes file) REQUIRES(kernel.lock) {
    const Kernel::BootProcess init = TRY(kernel.make_boot_process(kInitName, kInitRing));
    AddressSpace& space = *init.process->space;
    const u64 base = image.position_independent ? kProgramBase + random_offset() : 0;
    for (const formats::ElfSegment& segment : image.segments()) TRY(load_segment(kernel, space, segment, file, base));

    const VirtualAddress stack_top{kStackTop - random_offset()};
    Memory* stack = TRY(kernel.make_boot_memory(kStackPages));
    const VirtualAddress stack_start{stack_top.value - bytes_of(kStackPages).value};
    TRY(kernel.map_boot_memory(space, *stack, stack_start, Access::read_write));

    StartMessage message;
    TRY(grant_roots(kernel, init, message));
    for (const formats::BootModule& module : modules) {
        if (module.text != kInitName) TRY(grant_module(kernel, *init.process, message, module));
    }
    const u32 length = message.write(init.thread->ring, kInitName);
    if (length == 0) return fail(Status::no_buffer);
    kernel.start_boot_thread(*init.thread, VirtualAddress{base + image.entry}, stack_top, 0, length);
    return done;
}

}  // namespace

Result<void, BootFailure> start_init(Kernel& kernel, std::span<const formats::BootModule> modules) {
    const auto module = std::ranges::find(modules, kInitName, &formats::BootModule::text);
    if (module == modules.end()) return fail(BootFailure{"init", "the boot loader gave no module of that name"});
    const auto image = formats::parse_elf(contents(*module));
    if (!image) return fail(BootFailure{"init", formats::describe(image.error())});
    const auto started = start(kernel, modules, *image, contents(*module));
    if (started) return done;
    return fail(BootFailure{"init", started.error() == Status::quota ? "there is not enough memory for it"
                                    : started.error() == Status::bad_argument
                                        ? "a module's name is longer than 31 characters, or there are too many"
                                        : "its segments do not fit into the user half"});
}

}  // namespace capos::kernel
