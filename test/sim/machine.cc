#include "sim/machine.h"

#include <sys/mman.h>

#include <algorithm>
#include <stdexcept>

namespace capos::sim {

using namespace kernel;

namespace {

Machine* current{};

constexpr u64 kGarbage = 0xa5;
constexpr u64 kGlobalPage = 0xffff'8000'0000'0000;  // one page of the kernel's, mapped GLOBAL

// Entry bits, SDM vol. 3A §4.5.
constexpr u64 kPresent = 1, kWritable = 2, kUser = 4, kLarge = 0x80, kGlobal = 0x100, kNoExecute = u64{1} << 63;
constexpr u64 kAddress = 0x000f'ffff'ffff'f000;

}  // namespace

Machine& machine() {
    if (current == nullptr) throw std::logic_error("a port was used without a Machine");
    return *current;
}

Machine::Machine(const Configuration& c)
    : base_{u64{c.first_frame} * kPageBytes},
      bytes_{(c.frames + 4) * kPageBytes},
      nodes_(c.nodes * sizeof(Node) + alignof(Node)),
      objects_(c.objects * sizeof(CellPool<kObjectCellBytes>::Cell) + 16),
      cpus_(c.cpus),
      sim_cpus_(c.cpus) {
    if (current != nullptr) throw std::logic_error("a second Machine");
    // Aligned to 2 MiB like what it stands for is not needed: only the direct map uses it.
    void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("no memory for the simulated machine");
    ram_ = static_cast<std::byte*>(memory);
    std::memset(ram_, kGarbage, bytes_);
    current = this;

    // The kernel's own tables: a root, and one GLOBAL page, in frames that the allocator never gets.
    kernel_root_ = base_;
    std::memset(ram_, 0, 4 * kPageBytes);
    const unsigned top = kGlobalPage >> 39 & 511;
    for (u64 level = 0; level < 3; ++level) {
        reinterpret_cast<u64*>(ram_ + level * kPageBytes)[level == 0 ? top : 0] =
            (base_ + (level + 1) * kPageBytes) | kPresent | kWritable;
    }
    reinterpret_cast<u64*>(ram_ + 3 * kPageBytes)[0] = (base_ + 3 * kPageBytes) | kPresent | kGlobal | kNoExecute;

    const PhysicalRange range{PhysicalAddress{base_ + 4 * kPageBytes}, PhysicalAddress{base_ + bytes_}};
    metadata_.resize(FrameAllocator::metadata_bytes({&range, 1}).value);
    frames_.initialise(range.start, range.end, metadata_);
    frames_.add_range(range);
    for (u32 i = 0; i < c.cpus; ++i) {
        cpus_[i].id = CpuId{i};
        cpus_[i].online = true;
    }
    kernel_ = std::make_unique<Kernel>(Kernel::Configuration{.cpus = cpus_,
                                                             .frames = frames_,
                                                             .kernel_table = PageTable{PhysicalAddress{kernel_root_}},
                                                             .node_memory = std::span{nodes_}.first(c.nodes * sizeof(Node)),
                                                             .object_memory = std::span{objects_}.first(
                                                                 c.objects * sizeof(CellPool<kObjectCellBytes>::Cell)),
                                                             .command_line = "simulated",
                                                             .kernel_bytes = 0,
                                                             .kept_ports = kKeptPorts,
                                                             .console_ports = kConsolePorts,
                                                             .interrupt_overrides = kOverrides});
    for (u32 i = 0; i < c.cpus; ++i) load_root(i, kernel_root_);
}

Machine::~Machine() {
    kernel_.reset();
    munmap(ram_, bytes_);
    current = nullptr;
}

std::byte* Machine::memory(u64 physical) {
    if (!is_memory(physical)) throw std::logic_error("an access to memory that is not there");
    return ram_ + (physical - base_);
}
bool Machine::is_memory(u64 physical) const { return physical >= base_ && physical - base_ < bytes_; }

// --- the loop around the core ---

void Machine::step(u32 n, Event event, const Fault& fault) {
    Cpu& cpu = cpus_[n];
    here_ = n;
    work = {};
    time = time + step_time;
    Kernel& k = *kernel_;
    k.lock.acquire(cpu);
    Action action{};
    switch (event) {
        case Event::system_call:
            if (UserContext* context = shortcuts ? at_once(k, cpu) : nullptr) {
                action = {.kind = Action::Kind::run, .context = context};
            } else {
                action = k.system_call(cpu, time);
            }
            break;
        case Event::fault: action = k.fault(cpu, fault, time); break;
        case Event::interrupt: action = k.interrupt(cpu, time); break;
        case Event::proceed: action = k.proceed(cpu, time); break;
    }
    k.lock.release();
    worst = {std::max(worst.entries, work.entries), std::max(worst.bytes, work.bytes)};
    follow(n, action);
    if (after_step) after_step(n);
}

// What the machine layer tries first, as arch/x86_64 does. Null: nothing has happened.
UserContext* Machine::at_once(Kernel& kernel, Cpu& cpu) {
    UserContext& context = cpu.current->context;
    if ((context.rax | context.rdi) == 0 && kernel.enter_at_once(cpu)) return &context;
    return kernel.hand_over_at_once(cpu);
}

void Machine::follow(u32 n, const Action& action) {
    SimCpu& cpu = sim_cpus_[n];
    cpu.action = action;
    switch (action.kind) {
        case Action::Kind::run:
            cpu.context = action.context;
            cpu.where = Where::load;
            break;
        case Action::Kind::idle: cpu.where = Where::to_idle; break;
        case Action::Kind::zero: cpu.where = Where::zero; break;
        case Action::Kind::again: cpu.where = Where::again; break;
        case Action::Kind::off:
        case Action::Kind::reset:
        case Action::Kind::failed: cpu.where = Where::off; break;
    }
}

void Machine::system_call(u32 n) {
    SimCpu& cpu = sim_cpus_[n];
    if (cpu.where != Where::user) throw std::logic_error("a system call of a CPU that runs no user code");
    cpu.context->return_path = ReturnPath::sysret;
    step(n, Event::system_call);
}

void Machine::fault(u32 n, const Fault& fault) {
    SimCpu& cpu = sim_cpus_[n];
    if (cpu.where != Where::user) throw std::logic_error("a fault of a CPU that runs no user code");
    cpu.context->return_path = ReturnPath::iret;
    step(n, Event::fault, fault);
}

bool Machine::interrupted(u32 n) const {
    const SimCpu& cpu = sim_cpus_[n];
    return cpu.interrupt_pending || cpu.timer <= time || !cpu.devices.empty();
}

bool Machine::can_advance(u32 n) const {
    const Where where = sim_cpus_[n].where;
    if (where == Where::off) return false;
    return (where != Where::user && where != Where::idle) || interrupted(n) || sim_cpus_[n].kick;
}

// What has arrived is taken: invalidations are answered, and the core will be told.
void Machine::take_interrupts(u32 n) {
    SimCpu& cpu = sim_cpus_[n];
    here_ = n;
    if (cpu.interrupt_pending) {
        cpu.interrupt_pending = false;
        acknowledge_invalidations(cpus_[n]);
        cpu.kick = true;
    }
    if (cpu.timer <= time) {
        cpu.timer = kNever;
        cpu.kick = true;
    }
    while (const auto number = cpu.devices.take()) {
        cpus_[n].arrived.add(*number);
        cpu.kick = true;
    }
}

// All lines lead to CPU 0.
void Machine::raise(u32 n) {
    SimLine& line = lines_.at(n);
    line.active = line.level;
    if (!line.masked) sim_cpus_[0].devices.add(line.number);
}

void Machine::unmask(u32 n) {
    SimLine& line = lines_.at(n);
    line.masked = false;
    if (line.level && line.active) sim_cpus_[0].devices.add(line.number);
}

void Machine::advance(u32 n) {
    SimCpu& cpu = sim_cpus_[n];
    switch (cpu.where) {
        case Where::user:
        case Where::idle:
            take_interrupts(n);
            if (!cpu.kick) return;
            cpu.kick = false;
            step(n, Event::interrupt);
            break;
        case Where::zero:
            take_interrupts(n);
            std::memset(memory(cpu.action.block.value), 0, kPageBytes << cpu.action.order);
            step(n, Event::proceed);
            break;
        case Where::again:
            take_interrupts(n);
            step(n, Event::proceed);
            break;
        case Where::load:
            // Interrupts are off until the thread runs; what was taken before is looked at first.
            if (cpu.kick) {
                cpu.kick = false;
                step(n, Event::interrupt);
                break;
            }
            load_root(n, cpu.context->cr3);
            cpu.where = Where::user;
            break;
        case Where::to_idle:
            load_root(n, kernel_root_);
            cpu.where = Where::idle;
            break;
        case Where::off: break;
    }
}

void Machine::settle(u32 n) {
    constexpr int kEventsMax = 200'000;
    for (int i = 0; can_advance(n); ++i) {
        if (i == kEventsMax) throw std::runtime_error("a CPU does not come to rest");
        advance(n);
    }
}

void Machine::settle() {
    constexpr int kRoundsMax = 200'000;
    for (int round = 0;; ++round) {
        bool any = false;
        for (u32 n = 0; n < cpu_count(); ++n) {
            if (!can_advance(n)) continue;
            advance(n);
            any = true;
        }
        if (!any) return;
        if (round == kRoundsMax) throw std::runtime_error("the machine does not come to rest");
    }
}

Time Machine::next_timer() const {
    Time first = kNever;
    for (const SimCpu& cpu : sim_cpus_) first = std::min(first, cpu.timer);
    return first;
}

void Machine::pass(Duration duration) {
    const Time until = time + duration;
    time = std::max(time, std::min(until, next_timer()));
}

// --- translations ---

void Machine::load_root(u32 n, u64 root) {
    SimCpu& cpu = sim_cpus_[n];
    if (cpu.loaded_root == root) return;
    const u64 wanted =
        cpus_[n].flush_wanted.load(std::memory_order_acquire);  // before: a later request is not answered by this
    std::erase_if(cpu.translations, [](const auto& entry) { return !entry.second.global; });
    cpu.loaded_root = root;
    tables_loaded(cpus_[n], PhysicalAddress{root}, wanted);
}

void Machine::flush_page(u32 n, u64 address) {
    std::erase_if(sim_cpus_[n].translations, [&](const auto& entry) {
        return (entry.first & ~(entry.second.page_bytes - 1)) == (address & ~(entry.second.page_bytes - 1));
    });
}

void Machine::speculate(u32 n, u64 address) {
    SimCpu& cpu = sim_cpus_[n];
    const u64 page = address & ~(kPageBytes - 1);
    if (cpu.translations.contains(page)) return;
    u64 table = cpu.loaded_root;
    bool writable = true, user = true, executable = true;
    for (int level = 3; level >= 0; --level) {
        const u64 entry = reinterpret_cast<const u64*>(memory(table))[page >> (12 + 9 * level) & 511];
        if ((entry & kPresent) == 0) return;
        writable = writable && (entry & kWritable) != 0;
        user = user && (entry & kUser) != 0;
        executable = executable && (entry & kNoExecute) == 0;
        if (level == 0 || (entry & kLarge) != 0) {
            const u64 bytes = u64{1} << (12 + 9 * level);
            const u64 frame = (entry & kAddress & ~(bytes - 1)) + (page & (bytes - 1));
            cpu.translations[page] = {frame, writable, executable, user, (entry & kGlobal) != 0, bytes, cpu.loaded_root};
            return;
        }
        table = entry & kAddress;
    }
}

std::optional<u64> Machine::translate(u32 n, u64 address, AccessKind kind, Fault& fault) {
    SimCpu& cpu = sim_cpus_[n];
    const u64 page = address & ~(kPageBytes - 1);
    speculate(n, address);
    const auto found = cpu.translations.find(page);
    // SDM vol. 3A §4.7: present, write, user, fetch.
    u64 error = 4 | (kind == AccessKind::write ? 2u : 0u) | (kind == AccessKind::execute ? 16u : 0u);
    if (found != cpu.translations.end()) {
        const Translation& t = found->second;
        if (t.user && (kind != AccessKind::write || t.writable) && (kind != AccessKind::execute || t.executable)) {
            return t.frame + address % kPageBytes;
        }
        error |= 1;
        cpu.translations.erase(found);  // a fault drops the translation that it used (SDM vol. 3A §4.10.4.1)
    }
    fault = {.vector = 14, .error_code = error, .address = address};
    return std::nullopt;
}

}  // namespace capos::sim
