// machine.h - a simulated machine for the kernel's core: memory, CPUs with translation caches, timers and interrupts between
// CPUs, and the loop around Kernel that kernel.h describes. Everything that a real machine does by itself is a separate
// event that the owner of the machine chooses (advance, deliver, acknowledge), so that every order can be tried and repeated.
//
// One Machine exists at a time; the core's ports (ports.cc) act on it. Frames start out as garbage. A CPU is always inside one
// port-visible situation, Where; `advance` takes it to the next one.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/kernel.h"

namespace capos::sim {

// Thrown by a failed KERNEL_ASSERT.
struct AssertionFailed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// What one CPU remembers of page tables, by page of 4 KiB. A load of CR3 drops what is not GLOBAL, as processors do without
// PCID.
struct Translation {
    u64 frame;  // physical address
    bool writable, executable, user, global;
    u64 page_bytes;  // of the entry that it is a part of
    u64 root;        // of the tables that it came from; the processor does not know it, checks do
};
using TranslationCache = std::map<u64, Translation>;

enum class Where : u8 {
    user,     // runs `context`
    idle,     // waits for an interrupt, on the kernel's tables
    zero,     // has a block to fill
    again,    // lets interrupts in before the next piece
    load,     // has left the kernel, and has still to load the tables of `context`
    to_idle,  // has still to load the kernel's tables
    off,
};

struct SimCpu {
    Where where{Where::to_idle};
    kernel::UserContext* context{};  // user, load
    kernel::Action action{};         // zero
    u64 loaded_root{};
    TranslationCache translations;
    bool interrupt_pending{};        // an IPI that has arrived and was not taken
    kernel::InterruptSet devices;    // interrupts of devices that have arrived and were not taken
    bool kick{};                     // taken in the kernel: the core has to look before the next user instruction
    kernel::Time timer{kernel::kNever};
};

// An interrupt line, as an I/O APIC has it.
struct SimLine {
    bool masked{true};
    bool level{}, low{};
    u32 number{};          // that it was routed to
    bool active{};         // what the device drives, by level only
};

// One access to an I/O port.
struct PortAccess {
    bool write;
    u16 port;
    u8 width;
    u32 value;
    bool operator==(const PortAccess&) const = default;
};

enum class AccessKind : u8 { read, write, execute };

class Machine {
public:
    struct Configuration {
        u32 cpus{1};
        u64 frames{2048};      // that the allocator gets
        u32 nodes{2048};
        u32 objects{1024};
        u32 first_frame{256};  // where its memory begins
    };
    explicit Machine(const Configuration& configuration);
    ~Machine();
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    kernel::Kernel& kernel() { return *kernel_; }
    u32 cpu_count() const { return static_cast<u32>(cpus_.size()); }
    SimCpu& cpu(u32 n) { return sim_cpus_[n]; }
    kernel::Cpu& core_cpu(u32 n) { return cpus_[n]; }
    // The CPU that runs in the core at the moment.
    u32 here() const { return here_; }

    // --- events ---
    // The user code of the CPU makes a system call; its registers are set.
    void system_call(u32 cpu);
    void fault(u32 cpu, const kernel::Fault& fault);
    // Takes the CPU one situation further; nothing for one that runs user code or idles without a reason to wake.
    void advance(u32 cpu);
    // True if advance would do something.
    bool can_advance(u32 cpu) const;
    // Interrupts that have arrived at a CPU that runs user code or idles.
    bool interrupted(u32 cpu) const;
    // Takes the CPU on until it runs user code or idles, with nothing pending.
    void settle(u32 cpu);
    // All of them.
    void settle();
    // Lets time pass, up to the next timer at most.
    void pass(kernel::Duration duration);
    // When the next timer fires; kNever when none is set.
    kernel::Time next_timer() const;

    // --- devices ---
    static constexpr u32 kLines = 24;
    static constexpr kernel::PortRange kKeptPorts[] = {{0x20, 2}, {0xcf8, 8}};
    static constexpr kernel::PortRange kConsolePorts{0x3f8, 8};
    static constexpr formats::MadtOverride kOverrides[] = {{0, 2, false, false}, {9, 9, true, true}};
    SimLine& line(u32 n) { return lines_.at(n); }
    // An edge, or a device that signals by its level until lower().
    void raise(u32 line);
    void lower(u32 line) { lines_.at(line).active = false; }
    void unmask(u32 line);
    std::vector<PortAccess> accesses;           // of I/O ports, the latest last; the inspector's check forgets them
    std::function<u32(u16 port)> on_port_read;  // without it all bits are set
    u32 console_resets{};

    // --- what user code does to memory, through the CPU's translations ---
    // The physical address, or the fault that the processor would raise. `fill` false: only what the CPU remembers already.
    std::optional<u64> translate(u32 cpu, u64 address, AccessKind kind, kernel::Fault& fault);
    // Translations that a processor may load by itself, without an access.
    void speculate(u32 cpu, u64 address);
    void load_root(u32 cpu, u64 root);
    void flush_page(u32 cpu, u64 address);

    std::byte* memory(u64 physical);
    bool is_memory(u64 physical) const;
    u64 memory_start() const { return base_; }
    u64 memory_end() const { return base_ + bytes_; }

    kernel::Time time{1'000'000};
    kernel::Duration step_time{200};  // that one step of the core takes
    std::string console;
    kernel::LogSettings log;
    bool random_works{true};
    bool shortcuts{true};  // enter_at_once and hand_over_at_once are tried before system_call
    std::function<void(void* address, usize bytes)> before_shared_read;  // the adversary
    std::function<void(u32 cpu)> after_step;                             // after every step of the core, the lock released

    // Work that the step in progress has done so far, and the most that one did: table entries read and written, bytes copied.
    struct Work {
        u64 entries{};
        u64 bytes{};
    };
    Work work, worst;

private:
    enum class Event : u8 { system_call, fault, interrupt, proceed };
    void step(u32 cpu, Event event, const kernel::Fault& fault = {});
    void follow(u32 cpu, const kernel::Action& action);
    static kernel::UserContext* at_once(kernel::Kernel& kernel, kernel::Cpu& cpu) REQUIRES(kernel.lock);
    void take_interrupts(u32 cpu);

    u64 base_;
    u64 bytes_;
    std::byte* ram_;
    std::vector<std::byte> metadata_, nodes_, objects_;
    kernel::FrameAllocator frames_;
    std::vector<kernel::Cpu> cpus_;
    std::vector<SimCpu> sim_cpus_;
    std::unique_ptr<kernel::Kernel> kernel_;
    u64 kernel_root_{};
    u32 here_{};
    std::vector<SimLine> lines_{kLines};

    friend Machine& machine();
};

Machine& machine();

}  // namespace capos::sim
