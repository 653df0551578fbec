// machine.h - the machine layer's parts, in the order in which boot/main.cc brings them up.
//
// Outside the pure core: entry and exit, interrupt controllers, clock, application processors, panic. Each rule that only the
// machine shows has a system test; manual/caveats.md lists what is left. Everything here is called by the boot CPU, before
// there is a Kernel, unless it says otherwise.
#pragma once

#include <optional>
#include <span>

#include "arch/x86_64/cpu_local.h"
#include "core/annotations.h"
#include "core/cpu_table.h"
#include "core/frame_allocator.h"
#include "core/io_ports.h"
#include "core/page_table.h"
#include "formats/acpi.h"
#include "formats/multiboot2.h"

namespace capos::kernel::x86 {

// --- console.cc ---
inline constexpr PortRange kConsolePorts{0x3f8, 8};  // COM1
// After this it can be written to, whatever state it was in. Any CPU, any time.
void initialise_console();

// --- cpu_features.cc ---
struct CpuFeatures {
    bool smep, smap, umip, x2apic, tsc_deadline, pages_1g, xsaveopt, avx, invariant_tsc, rdrand, leaks_kernel_pages;
    u32 fpu_bytes;  // of the XSAVE area for the state components that are enabled
    u64 xcr0;
};
// Null when the CPU has all that is required, else the name of what is missing.
const char* missing_feature();
const CpuFeatures& read_cpu_features();
const CpuFeatures& cpu_features();  // what was read; any CPU, any time after
// Sets CR0, CR4, EFER, XCR0, debug and SYSCALL registers of this CPU. Each CPU.
void enable_cpu_features();

// --- descriptors.cc ---
inline constexpr u64 kIstBytes = 8192;
enum class IstStack : u8 { nmi = 0, double_fault = 1, machine_check = 2, debug = 3 };
inline constexpr unsigned kIstStacks = 4;
// Loads GDT, TSS, IDT and GS of this CPU. `ist` are the tops of its IST stacks. Each CPU.
void load_descriptors(CpuLocal& local, std::span<const u64, kIstStacks> ist);

// --- clock.cc ---
// Measures the TSC, and the local APIC timer, against the ACPI timer or the PIT. Takes 2 ms.
struct ClockRates {
    u64 tsc_hz;
    u64 apic_hz;
};
ClockRates calibrate_clock(u32 pm_timer_port);
void start_clock(u64 tsc_hz, u64 tsc_zero);
// Any CPU, any time after.
Time now();
u64 tsc_at(Time time);
u64 ns_of_ticks(u64 tsc_ticks);
void delay(Duration duration);

// --- apic.cc: each CPU, its own local APIC ---
enum Vector : u8 { kFirstDeviceVector = 0x30, kTimerVector = 0xef, kIpiVector = 0xf0, kSpuriousVector = 0xff };
void map_local_apic(u64 physical, bool may_use_x2apic);
void enable_local_apic();
void set_apic_timer_rate(u64 hz);
u32 local_apic_id();
bool reaches(u32 apic_id);  // xAPIC mode has 8-bit ids
void end_of_interrupt();
void start_one_shot(u64 apic_ticks);
u64 apic_timer_remaining();
void set_timer_deadline(Time deadline);
void send_vector(u32 apic_id, u8 vector);
void send_init(u32 apic_id);
void send_startup(u32 apic_id, u8 page);
void send_nmi_to_others();
void mask_legacy_pic();

// --- io_apics.cc ---
// Maps the I/O APICs that the MADT lists and masks all their lines. Errors are logged; a controller that cannot be mapped is
// left out.
void take_over_io_apics(const formats::Madt& madt);
// Sends all lines that are routed later to this CPU.
void set_interrupt_destination(u32 apic_id);

// --- acpi_tables.cc ---
struct Platform {
    formats::Madt madt;
    formats::Fadt fadt;
    formats::Mcfg mcfg;
    formats::Dmar dmar;
    std::optional<u8> soft_off_type;  // SLP_TYP of the DSDT's \_S5
};
// Logs what is wrong; false when there is no usable MADT, the only table that is required.
bool read_platform(std::span<const std::byte> rsdp, Platform& platform);

// --- kernel_memory.cc ---
inline constexpr u64 kDirectMap = 0xffff'8000'0000'0000;
inline constexpr u64 kDirectMapEnd = 0xffff'8080'0000'0000;  // 512 GiB: one entry of the PML4
inline constexpr u64 kKernelBase = 0xffff'ffff'8000'0000;
inline constexpr u64 kWindow = 0xffff'ff00'0000'0000;  // stacks with guard pages, and device registers
inline constexpr u64 kEarlyMapBytes = u64{1} << 32;    // of the direct map that boot.S made

inline std::byte* direct(u64 physical) { return reinterpret_cast<std::byte*>(kDirectMap + physical); }
PhysicalRange kernel_image();
// Builds the kernel's own page tables and switches to them. `memory` is all RAM, ascending: what the direct map covers.
// Frames for tables come from `frames` and lie below kEarlyMapBytes. Errors: false, no memory.
bool build_kernel_tables(FrameAllocator& frames, std::span<const PhysicalRange> memory);
PageTable& kernel_table();
// A stack of `bytes` between unmapped pages; returns its top. Null when there is no memory.
u64 make_stack(u64 bytes);
// Device registers, uncached. Null when there is no memory for page tables.
volatile std::byte* map_device(PhysicalAddress address, u64 bytes);
// One executable page where virtual and physical address are the same, for processors that start.
bool map_identity(PhysicalAddress page);
void unmap_identity(PhysicalAddress page);
// True if the kernel could read 8 bytes there without a fault. Any CPU, any time after.
bool kernel_readable(VirtualAddress address);

// --- ports.cc ---
// An interrupt of the timer arrived: true when its deadline has come. Else it is set again, and the core need not know. Each
// CPU.
bool timer_due(CpuLocal& local);
// Loads other page tables, or the kernel's own. Each CPU, interrupts off.
void load_tables(CpuLocal& local, u64 root);
// Makes `context` the one that the entry code saves to, and loads all of it that the exit code does not. Each CPU.
void load_context(CpuLocal& local, UserContext& context);

// --- smp.cc ---
// Everything of a CPU that needs memory: stacks, and its place. Called by the boot CPU for each. False: no memory.
struct CpuStacks {
    u64 ist[kIstStacks];
};
bool prepare_cpu(CpuLocal& local, CpuStacks& stacks);
// The CPUs by their local APIC ids. The boot CPU first.
CpuTable& cpu_table();
// Starts the enabled processors of the MADT, one at a time; `locals` and `cpus` have a place for each entry of the table. One
// that does not answer within 100 ms, or whose clock disagrees, is left out with a warning. They wait for
// release_processors(). Returns how many CPUs run, this one included. `page` is below 1 MiB and free.
u32 start_processors(const formats::Madt& madt, std::span<CpuLocal> locals, std::span<Cpu> cpus, PhysicalAddress page);
// Lets the started processors into the kernel.
void release_processors();

// --- panic.cc ---
struct KernelFrame {  // as trap_from_kernel and trap_ist push it
    u64 r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    u64 vector, error_code, rip, cs, rflags, rsp, ss;
};
// Stops all CPUs, prints registers and backtrace, then halts or leaves the emulator. Any CPU, any time, any context; takes no
// lock.
[[noreturn]] void panic(const char* reason, const KernelFrame* frame = nullptr);
// Makes this CPU the only one that runs; false when another one has done so. Any CPU, any time, any context.
bool stop_other_cpus();
// Called by a CPU that got an NMI: does not return when stop_other_cpus() has sent it.
void stop_if_told();

// --- symbols.cc ---
// The kernel's own symbol and string table, where the boot loader put them. That memory must be kept.
struct SymbolTables {
    formats::Bytes symbols;
    formats::Bytes names;
};
std::optional<SymbolTables> find_symbols(const formats::ElfSections& sections);
void use_symbols(const SymbolTables& tables);
// The function around an address, and where it begins. Any time.
struct Symbol {
    std::string_view name;
    u64 address;
};
std::optional<Symbol> symbol_at(u64 address);

// --- power.cc ---
enum class Exit : u8 { orderly = 0x10, fatal = 0x11 };  // what the emulator's exit port is given: statuses 33 and 35
void set_power(const Platform& platform);
void set_exit_to_emulator();
// What no process may claim, `platform` included: a fixed list, in memory that stays.
std::span<const PortRange> kept_ports(const Platform& platform);
// Any CPU, any time; the other CPUs stop too. `fatal` halts where there is no emulator to leave, so that the last lines stay
// readable. A restart that is `fatal` leaves the emulator too; an orderly one restarts it.
[[noreturn]] void power_off(Exit how);
[[noreturn]] void reset(Exit how);

// --- entry.S ---
extern "C" {
// The life of a CPU from here on: runs threads, or waits for some. Its CpuLocal is complete.
[[noreturn]] void x86_start_cpu();
void x86_syscall_entry();
extern const u64 x86_vector_stubs[256];
}

}  // namespace capos::kernel::x86
