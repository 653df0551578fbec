// The core's ports on the simulated machine.

#include "core/assert.h"
#include "core/ports.h"
#include "core/shared.h"
#include "sim/inspector.h"
#include "sim/machine.h"

namespace capos::kernel {

void assertion_failed(const char* expression, const char* file, int line) {
    throw sim::AssertionFailed{std::string{file} + ":" + std::to_string(line) + ": " + expression};
}

LogSettings& log_settings() { return sim::machine().log; }

namespace port {

namespace {
constexpr u32 kFpuBytes = 576;
constexpr std::byte kFpuMark{0x5f};
}  // namespace

std::byte* direct_map(PhysicalAddress frame) { return sim::machine().memory(frame.value); }

u64 read_entry(PhysicalAddress table, unsigned index) {
    ++sim::machine().work.entries;
    return reinterpret_cast<const u64*>(direct_map(table))[index];
}
void write_entry(PhysicalAddress table, unsigned index, u64 value) {
    ++sim::machine().work.entries;
    reinterpret_cast<u64*>(direct_map(table))[index] = value;
}

void flush_page(VirtualAddress page) {
    sim::Machine& m = sim::machine();
    m.flush_page(m.here(), page.value);
}
void flush_all() {
    sim::Machine& m = sim::machine();
    m.cpu(m.here()).translations.clear();
}
void use_kernel_tables(Cpu& cpu) {
    sim::Machine& m = sim::machine();
    m.load_root(cpu.id.index, m.memory_start());
}

void send_ipi(CpuId cpu) { sim::machine().cpu(cpu.index).interrupt_pending = true; }
void lock_spin(Cpu&) { KERNEL_ASSERT(false); }  // the simulator runs one step at a time

u64 ticks() { return sim::machine().time.ns; }
ClockScale clock_scale() { return {0, u64{1} << 32}; }

void set_timer(Time deadline) {
    sim::Machine& m = sim::machine();
    m.cpu(m.here()).timer = deadline;
}

void save_extended(UserContext& context) { context.fpu[0] = kFpuMark; }
void initialise_fpu(std::byte* area) { std::memset(area, 0, kFpuBytes); }
u32 fpu_bytes() { return kFpuBytes; }

bool random_bytes(std::byte* out, usize bytes) {
    for (usize i = 0; i < bytes; ++i) out[i] = static_cast<std::byte>(i * 37 + 11);
    return sim::machine().random_works;
}

u32 read_port(u16 port, u8 width) {
    sim::Machine& m = sim::machine();
    Inspector::check_access(m.kernel(), {port, width});
    const u32 value = m.on_port_read ? m.on_port_read(port) : ~u32{0} >> (32 - 8 * width);
    m.accesses.push_back({false, port, width, value});
    return value;
}
void write_port(u16 port, u8 width, u32 value) {
    Inspector::check_access(sim::machine().kernel(), {port, width});
    sim::machine().accesses.push_back({true, port, width, value});
}

bool has_line(u32 line) { return line < sim::Machine::kLines; }
void route_line(const InterruptSource& source, u32 number) {
    sim::machine().line(source.interrupt) = {.level = source.level_triggered, .low = source.active_low, .number = number};
}
void mask_line(u32 line) { sim::machine().line(line).masked = true; }
void unmask_line(u32 line) { sim::machine().unmask(line); }

void before_shared_read(const void* address, usize bytes) {
    sim::Machine& m = sim::machine();
    m.work.bytes += bytes;
    if (m.before_shared_read) m.before_shared_read(const_cast<void*>(address), bytes);
}

void console_write(std::string_view text) { sim::machine().console += text; }
void console_reset() { ++sim::machine().console_resets; }
Time log_time() { return sim::machine().time; }

}  // namespace port
}  // namespace capos::kernel
