// From boot.S to the first process. The order of `Machine`'s members is the order in which things come to exist; kernel_main
// reads like a list of them. There is no other CPU, no interrupt and no user until the last line.
//
// What is wrong with the boot itself is one line on the console, and the end: there is nobody to give an error to.

#include <algorithm>
#include <cstring>
#include <new>

#include "arch/x86_64/instructions.h"
#include "arch/x86_64/machine.h"
#include "boot/boot_memory.h"
#include "boot/init_process.h"
#include "core/kernel.h"
#include "core/log.h"

namespace capos::kernel {

namespace {

constexpr u64 kMemoryMin = 48 << 20;
constexpr u64 kMemoryMax = x86::kDirectMapEnd - x86::kDirectMap;
// Pools of kernel objects and capability nodes: one of each for 64 KiB of memory, touched only as they are used.
constexpr u64 kFramesPerObject = 16;
constexpr u64 kObjectsMin = 4096, kObjectsMax = u64{1} << 20;

struct Machine {
    LogSettings log;
    formats::BootInformation information;
    BootMemory memory;
    FrameAllocator frames;
    x86::Platform platform;
    std::span<x86::CpuLocal> locals;
    std::span<Cpu> cpus;
    ByteCount carved;  // of `memory`, for the kernel itself
    u64 frames_at_start{};
    ByteCount kernel_bytes;
    alignas(Kernel) std::byte kernel_storage[sizeof(Kernel)];
};
alignas(Machine) constinit std::byte machine_storage[sizeof(Machine)]{};

[[noreturn]] void refuse(const char* subject, const char* reason, std::string_view detail = {}) {
    log(LogLevel::error, "boot") << subject << ": " << reason << detail;
    x86::power_off(x86::Exit::fatal);
}

bool has_argument(std::string_view command_line, std::string_view argument) {
    while (!command_line.empty()) {
        const usize end = std::min(command_line.find(' '), command_line.size());
        if (command_line.substr(0, end) == argument) return true;
        command_line.remove_prefix(std::min(end + 1, command_line.size()));
    }
    return false;
}

void read_information(Machine& machine, u32 magic, u32 address) {
    if (magic != formats::kMultiboot2Magic) refuse("loader", "the kernel was not started by a Multiboot2 loader");
    const auto information = formats::parse_multiboot2({x86::direct(address), x86::kEarlyMapBytes - address});
    if (!information) refuse("loader", formats::describe(information.error()));
    machine.information = *information;
    const std::string_view arguments = information->command_line;
    if (has_argument(arguments, "exit=emulator")) x86::set_exit_to_emulator();
    if (has_argument(arguments, "log=debug")) machine.log.level = LogLevel::debug;
    if (has_argument(arguments, "log=warn")) machine.log.level = LogLevel::warn;
}

void set_up_processor(const Machine& machine) {
    if (const char* missing = x86::missing_feature()) refuse("CPU", "it lacks ", missing);
    const x86::CpuFeatures& features = x86::read_cpu_features();
    if (features.leaks_kernel_pages && !has_argument(machine.information.command_line, "speculation=unsafe")) {
        refuse("CPU", "it needs page-table isolation, which this kernel does not have; speculation=unsafe boots all the same");
    }
    x86::enable_cpu_features();
}

// A module is given to processes in whole pages: what lies behind its end is zeroed, unless it is something that is in use.
void clear_tail(const BootMemory& memory, const formats::BootModule& module) {
    const u64 bytes = bytes_of(pages_for(ByteCount{module.bytes()})).value - module.bytes();
    if (!memory.reserved(module.end, module.end + bytes)) std::memset(x86::direct(module.end), 0, bytes);
}

// Everything that is in use, or will be read, is kept out of the allocator: the image, the loader's information, modules,
// symbols.
void find_memory(Machine& machine, u64 information_address) {
    const formats::BootInformation& information = machine.information;
    BootMemory& memory = machine.memory;
    bool room = memory.add_firmware_map(information.ranges(), kMemoryMax);
    const PhysicalRange image = x86::kernel_image();
    room = room && memory.reserve(image.start.value, image.end.value);
    u32 information_bytes;
    std::memcpy(&information_bytes, x86::direct(information_address), sizeof information_bytes);
    room = room && memory.reserve(information_address, information_address + information_bytes);
    for (const formats::BootModule& module : information.modules()) room = room && memory.reserve(module.start, module.end);
    if (const auto symbols = information.sections.and_then(x86::find_symbols)) {
        for (const formats::Bytes bytes : {symbols->symbols, symbols->names}) {
            const u64 start = reinterpret_cast<u64>(bytes.data()) - x86::kDirectMap;
            room = room && memory.reserve(start, start + bytes.size());
        }
        x86::use_symbols(*symbols);
    }
    if (!room) refuse("memory", "the firmware's map has too many ranges");
    for (const formats::BootModule& module : information.modules()) clear_tail(memory, module);
    memory.settle();
    const u64 bytes = memory.ram_bytes().value;
    if (bytes < kMemoryMin) {
        log(LogLevel::error, "boot") << "memory: too little memory: " << (bytes >> 20) << " MiB, " << (kMemoryMin >> 20)
                                     << " are needed";
        x86::power_off(x86::Exit::fatal);
    }
}

// `count` default-made objects that stay for ever.
template <typename T>
std::span<T> make_array(Machine& machine, u64 count) {
    const ByteCount bytes{count * sizeof(T)};
    const std::optional<PhysicalAddress> start = machine.memory.carve(bytes);
    if (!start) refuse("memory", "too little memory in one piece");
    machine.carved += bytes_of(pages_for(bytes));
    T* first = reinterpret_cast<T*>(x86::direct(start->value));
    for (u64 i = 0; i < count; ++i) new (first + i) T;
    return {first, static_cast<usize>(count)};
}

// Descriptors of frames are zeroed; pools are not touched.
std::span<std::byte> make_bytes(Machine& machine, u64 bytes) {
    const std::optional<PhysicalAddress> start = machine.memory.carve(ByteCount{bytes});
    if (!start) refuse("memory", "too little memory in one piece");
    machine.carved += bytes_of(pages_for(ByteCount{bytes}));
    return {x86::direct(start->value), static_cast<usize>(bytes)};
}

u64 processors_wanted(const formats::Madt& madt) {
    const auto enabled = static_cast<u64>(std::ranges::count_if(madt.cpus(), &formats::MadtCpu::enabled));
    return std::clamp<u64>(enabled, 1, kCpusMax);
}

// The allocator gets memory below 4 GiB first: tables are made of it while only the early direct map exists.
void add_frames(Machine& machine, bool below) {
    for (const PhysicalRange& range : machine.memory.free()) {
        const PhysicalAddress middle{std::clamp(x86::kEarlyMapBytes, range.start.value, range.end.value)};
        const PhysicalRange part = below ? PhysicalRange{range.start, middle} : PhysicalRange{middle, range.end};
        if (part.start < part.end) machine.frames.add_range(part);
    }
}

void set_up_memory(Machine& machine) {
    BootMemory& memory = machine.memory;
    if (memory.free().empty()) refuse("memory", "none is free");
    const PhysicalAddress lowest = memory.free().front().start, end = memory.free().back().end;
    const std::span<std::byte> metadata = make_bytes(machine, FrameAllocator::metadata_bytes(memory.free()).value);
    x86::zero_quadwords(metadata.data(), metadata.size() / 8);
    machine.frames.initialise(lowest, end, metadata);
}

void build_address_space(Machine& machine) {
    add_frames(machine, true);
    const u64 before = machine.frames.free_frames();
    const bool built = x86::build_kernel_tables(machine.frames, machine.memory.ram());
    if (!built) refuse("memory", "no memory for the kernel's page tables");
    add_frames(machine, false);
    machine.frames_at_start = machine.frames.total_frames();
    log(LogLevel::debug, "boot") << "page tables of the kernel: " << (before - machine.frames.free_frames()) << " frames";
}

// The boot CPU's own stacks, descriptors and interrupt controller. From here on an exception is a panic that says something.
void set_up_boot_cpu(Machine& machine) {
    x86::CpuLocal& local = machine.locals[0];
    Cpu& cpu = machine.cpus[0];
    x86::CpuStacks stacks;
    if (!x86::prepare_cpu(local, stacks)) refuse("memory", "no memory for stacks");
    local.cpu = &cpu;
    local.loaded_cr3 = x86::kernel_table().root().value;
    cpu.online = true;
    x86::load_descriptors(local, stacks.ist);
    x86::map_local_apic(machine.platform.madt.local_apic, !machine.platform.dmar.x2apic_opt_out);
    x86::enable_local_apic();
    local.apic_id = x86::local_apic_id();
    const auto id = x86::cpu_table().add(local.apic_id);
    KERNEL_ASSERT(id.has_value());
    cpu.id = local.id = *id;
}

void set_up_interrupts_and_clock(const Machine& machine, u64 tsc_at_entry) {
    x86::mask_legacy_pic();
    x86::take_over_io_apics(machine.platform.madt);
    x86::set_interrupt_destination(machine.locals[0].apic_id);
    const x86::ClockRates rates = x86::calibrate_clock(machine.platform.fadt.pm_timer_port);
    x86::start_clock(rates.tsc_hz, tsc_at_entry);
    x86::set_apic_timer_rate(rates.apic_hz);
    log(LogLevel::debug, "boot") << "TSC " << rates.tsc_hz / 1000 << " kHz, APIC timer " << rates.apic_hz / 1000 << " kHz";
}

struct Pools {
    std::span<std::byte> nodes;
    std::span<std::byte> objects;
};

Pools carve_pools(Machine& machine) {
    const u64 frames = machine.memory.ram_bytes().value / kPageBytes;
    const u64 count = std::clamp(frames / kFramesPerObject, kObjectsMin, kObjectsMax);
    return {make_bytes(machine, count * sizeof(Node)), make_bytes(machine, count * kObjectCellBytes)};
}

Kernel& make_kernel(Machine& machine, const Pools& pools) {
    const PhysicalRange image = x86::kernel_image();
    const u64 taken = machine.frames_at_start - machine.frames.free_frames();
    machine.kernel_bytes = image.end - image.start;
    machine.kernel_bytes += machine.carved + bytes_of(PageCount{taken});
    auto& kernel = *new (machine.kernel_storage) Kernel{{.cpus = machine.cpus,
                                                         .frames = machine.frames,
                                                         .kernel_table = x86::kernel_table(),
                                                         .node_memory = pools.nodes,
                                                         .object_memory = pools.objects,
                                                         .command_line = machine.information.command_line,
                                                         .kernel_bytes = machine.kernel_bytes.value,
                                                         .kept_ports = x86::kept_ports(machine.platform),
                                                         .console_ports = x86::kConsolePorts,
                                                         .interrupt_overrides = machine.platform.madt.overrides()}};
    for (x86::CpuLocal& local : machine.locals) local.kernel = &kernel;
    if (has_argument(machine.information.command_line, "profile")) kernel.lock.time_holds();
    return kernel;
}

}  // namespace

LogSettings& log_settings() { return reinterpret_cast<Machine*>(machine_storage)->log; }

extern "C" [[noreturn]] void kernel_main(u32 magic, u32 information, u64 tsc_at_entry) {
    Machine& machine = *new (machine_storage) Machine;
    x86::initialise_console();
    log(LogLevel::info, "boot") << "capOS kernel";
    read_information(machine, magic, information);
    set_up_processor(machine);
    find_memory(machine, information);
    const std::optional<PhysicalAddress> low_page = machine.memory.take_low_page();
    const formats::Bytes rsdp = machine.information.rsdp.value_or(formats::Bytes{});
    if (!x86::read_platform(rsdp, machine.platform)) x86::power_off(x86::Exit::fatal);
    x86::set_power(machine.platform);

    const u64 processors = processors_wanted(machine.platform.madt);
    machine.locals = make_array<x86::CpuLocal>(machine, processors);
    machine.cpus = make_array<Cpu>(machine, processors);
    const Pools pools = carve_pools(machine);
    set_up_memory(machine);
    build_address_space(machine);
    set_up_boot_cpu(machine);
    set_up_interrupts_and_clock(machine, tsc_at_entry);
    const u32 running =
        low_page ? x86::start_processors(machine.platform.madt, machine.locals, machine.cpus, *low_page) : 1;

    Kernel& kernel = make_kernel(machine, pools);
    log(LogLevel::info, "boot") << running << (running == 1 ? " CPU, " : " CPUs, ") << (machine.memory.ram_bytes().value >> 20)
                                << " MiB of memory";
    kernel.lock.acquire(machine.cpus[0]);
    const auto started = start_init(kernel, machine.information.modules());
    kernel.lock.release();
    if (!started) refuse(started.error().subject, started.error().reason);
    log(LogLevel::info, "boot") << "kernel_to_user " << x86::read_tsc() - tsc_at_entry << " ticks, kernel memory "
                                << (machine.kernel_bytes.value >> 10) << " KiB";
    x86::release_processors();  // from here on the log and all else needs the lock
    x86::x86_start_cpu();
}

}  // namespace capos::kernel
