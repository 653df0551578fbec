// The end of a kernel that has found a bug in itself or in the machine: stop the other CPUs, say what happened, halt.
//
// Takes no lock and allocates nothing. The first CPU that stops the others owns the console; they get an NMI, which no code can
// hold off. A second failure on the same CPU, while it prints, ends at once with one line.

#include <algorithm>
#include <atomic>

#include "arch/x86_64/instructions.h"
#include "arch/x86_64/machine.h"
#include "core/assert.h"
#include "core/log.h"

namespace capos::kernel {

namespace x86 {

namespace {

constexpr u32 kNobody = ~u32{0};
constinit std::atomic<u32> only_cpu{kNobody};   // local APIC id of the CPU that has stopped the others
constinit std::atomic<bool> panicking{false};   // that CPU, in a panic
constinit std::atomic<u32> stopped{0};
constexpr unsigned kStopSpins = 1'000'000;      // some milliseconds: an NMI needs microseconds
constexpr unsigned kFramesMax = 32;

LogLine line() { return log(LogLevel::error, "panic"); }

// `inside` is an address in the function: a return address may be the first one of the next function. Symbols are the kernel's,
// which ran from lower addresses only until boot.S had made page tables: one of a user gets no name.
void print_address(const char* what, u64 address, u64 inside) {
    LogLine out = line();
    out << what << VirtualAddress{address};
    if (inside < kKernelBase) return;
    if (const std::optional<Symbol> symbol = symbol_at(inside)) {
        out << " " << symbol->name << "+" << Hex{address - symbol->address};
    }
}

void print_registers(const KernelFrame& f) {
    line() << "vector " << f.vector << ", error code " << Hex{f.error_code} << ", cr2 " << VirtualAddress{read_cr2()}
           << ", cr3 " << Hex{read_cr3()};
    line() << "rip " << VirtualAddress{f.rip} << "  rsp " << VirtualAddress{f.rsp} << "  rflags " << Hex{f.rflags} << "  cs "
           << Hex{f.cs};
    const struct {
        const char* name;
        u64 value;
    } registers[] = {{"rax", f.rax}, {"rbx", f.rbx}, {"rcx", f.rcx}, {"rdx", f.rdx}, {"rsi", f.rsi},
                     {"rdi", f.rdi}, {"rbp", f.rbp}, {"r8 ", f.r8},  {"r9 ", f.r9},  {"r10", f.r10},
                     {"r11", f.r11}, {"r12", f.r12}, {"r13", f.r13}, {"r14", f.r14}, {"r15", f.r15}};
    for (usize i = 0; i < std::size(registers); i += 3) {
        LogLine out = line();
        for (usize j = i; j < i + 3; ++j) out << registers[j].name << " " << VirtualAddress{registers[j].value} << "  ";
    }
}

// Follows frame pointers while they lead through mapped stack, upwards. Entry code puts 0 into the outermost one.
void print_backtrace(u64 frame) {
    for (unsigned i = 0; i < kFramesMax; ++i) {
        if (!kernel_readable(VirtualAddress{frame}) || !kernel_readable(VirtualAddress{frame + 8})) return;
        const u64 next = *reinterpret_cast<const u64*>(frame), address = *reinterpret_cast<const u64*>(frame + 8);
        print_address("  from ", address, address - 1);
        if (next <= frame) return;
        frame = next;
    }
}

}  // namespace

bool stop_other_cpus() {
    interrupts_off();
    const u32 others = cpu_table().count() - std::min(cpu_table().count(), u32{1});
    const u32 self = others > 0 ? local_apic_id() : 0;
    u32 first = kNobody;
    if (!only_cpu.compare_exchange_strong(first, self, std::memory_order_acq_rel)) return first == self;
    if (others == 0) return true;
    send_nmi_to_others();
    for (unsigned i = 0; i < kStopSpins && stopped.load(std::memory_order_acquire) < others; ++i) pause();
    return true;
}

void stop_if_told() {
    if (only_cpu.load(std::memory_order_acquire) == kNobody) return;
    stopped.fetch_add(1, std::memory_order_release);  // pairs with stop_other_cpus()
    halt_forever();
}

namespace {

struct Source {
    const char* file;
    u32 line;
};

[[noreturn]] void stop(const char* reason, std::string_view detail, const Source& source, const KernelFrame* frame) {
    if (!stop_other_cpus()) stop_if_told();
    if (panicking.exchange(true, std::memory_order_relaxed)) {
        port::console_write("\npanic inside panic: ");
        port::console_write(reason);
        port::console_write("\n");
        power_off(Exit::fatal);
    }
    if (!log_settings().to_console) port::console_reset();  // whatever its driver was about
    log_settings().to_console = true;
    port::console_write("\n");  // another CPU's line may have been cut off
    line() << reason << detail << ", on the CPU with local APIC id " << only_cpu.load(std::memory_order_relaxed);
    if (source.file != nullptr) line() << "at " << source.file << ":" << source.line;
    if (frame != nullptr) print_registers(*frame);
    if (frame != nullptr) print_address("at ", frame->rip, frame->rip);
    print_backtrace(frame != nullptr ? frame->rbp : reinterpret_cast<u64>(__builtin_frame_address(0)));
    line() << "the machine has stopped";
    power_off(Exit::fatal);
}

}  // namespace

void panic(const char* reason, const KernelFrame* frame) { stop(reason, "", {}, frame); }

}  // namespace x86

void assertion_failed(const char* expression, const char* file, int line) {
    x86::stop("assertion failed: ", expression, {file, static_cast<u32>(line)}, nullptr);
}

}  // namespace capos::kernel
