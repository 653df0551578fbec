#include "sim/simulation.h"

#include <cstdio>

namespace capos::sim {

using namespace kernel;

namespace {

constexpr u64 kIdleSteps = 4'000;  // without any step of the core: everybody waits for ever

World::Options world_options(const Settings& s) {
    return {.machine = {.cpus = s.cpus, .frames = s.frames, .nodes = 400, .objects = 200}};
}

}  // namespace

Simulation::Simulation(Random random, const Settings& settings)
    : settings_{settings}, random_{random}, world_{world_options(settings)} {
    for (Island& island : islands_) populate(island);
    supervise();
    world_.machine.after_step = [this](u32 cpu) { after_step(cpu); };
    if (settings.adversary) {
        world_.machine.before_shared_read = [this](void* address, usize bytes) {
            // Messages only: entries and indices are what programs keep account of (the fuzz target `ring` changes those, too).
            Machine& m = world_.machine;
            if (m.core_cpu(m.here()).current == &world_.init.thread()) return;
            if (bytes == 0 || bytes == sizeof(u32) || bytes == sizeof(abi::Submission) || !random_.one_in(200)) return;
            static_cast<std::byte*>(address)[random_.below(bytes)] ^= static_cast<std::byte>(1u << random_.below(8));
        };
    }
}

Simulation::~Simulation() { world_.machine.after_step = nullptr; }

// An account, two processes that hold it, themselves, each other and two endpoints from both sides.
void Simulation::populate(Island& island) {
    World& w = world_;
    if (island.account != abi::kNoCapability) {
        // What its inhabitants have of it was derived: without that, and without ours, it ends.
        if (!w.init.call<idl::Account::Revoke>(w.account, {.capability = {0}}, {island.account.value}).ok())
            throw Violation{"no revoke"};
    }
    for (const abi::CapId id : island.held) (void)w.init.release(id);
    w.drain();  // all of it comes back, whatever the others do
    island = {};
    island.account = w.make_account(settings_.frames / 3, 80, 150);
    island.object = w.object(island.account);
    const World::SpawnOptions options{.priority = 6, .account = island.account, .start = false};
    const Spawned first = w.spawn("first", options), second = w.spawn("second", options);
    island.processes = {first.object, second.object};
    const abi::CapId lent =
        w.init.call<idl::Account::Derive>(w.account, {.capability = {0}}, {island.account.value}).capabilities[0];
    island.held.push_back(lent);
    std::vector<abi::CapId> shared{lent, first.process, first.space, second.process, second.space, second.thread,
                                   w.clock,        w.entropy,     w.platform,  w.kernel_log, w.ports, w.interrupts, w.profile};
    for (int i = 0; i < 2; ++i) {
        const auto endpoint = w.init.call<idl::Account::CreateEndpoint>(island.account, {.name = "e"});
        const abi::CapId receiver = w.make_receiver(endpoint.capabilities[0]),
                         facet = w.make_facet(endpoint.capabilities[0], 3);
        w.grant(i == 0 ? first : second, receiver);
        shared.push_back(facet);
        if (i == 0) shared.push_back(endpoint.capabilities[0]);
        island.held.insert(island.held.end(), {receiver, facet, endpoint.capabilities[0]});
    }
    const auto memory = w.init.call<idl::Account::CreateMemory>(island.account, {.bytes = 6 * kPageBytes});
    const auto notification = w.init.call<idl::Account::CreateNotification>(island.account);
    shared.insert(shared.end(), {memory.capabilities[0], notification.capabilities[0]});
    island.held.insert(island.held.end(), {memory.capabilities[0], notification.capabilities[0]});
    for (const abi::CapId id : shared) {
        w.grant(first, id);
        w.grant(second, id);
    }
    for (const abi::CapId thread : {first.thread, second.thread}) {
        (void)w.init.call<idl::Thread::Start>(thread, {.entry = 0x40'0000, .stack = 0x7000'0000}).ok();
    }
    island.held.insert(island.held.end(), {first.process, first.space, first.thread, second.process, second.space,
                                           second.thread, island.account});
}

bool Simulation::inhabited(const Island& island) {
    for (Process* process : world_.inspect.processes()) {
        if (process != world_.init_process && process->thread_count != 0 && island_of(*process) == &island) return true;
    }
    return false;
}

// The first process looks after the islands from time to time; else it sleeps.
void Simulation::supervise() {
    for (Island& island : islands_) {
        if (!inhabited(island) || random_.one_in(400)) populate(island);
    }
    while (world_.init.pop()) {}
    world_.init.begin_enter(0, 1, world_.machine.time.ns + 200'000);
}

Program& Simulation::program_of(u32 cpu) {
    UserContext& context = *world_.machine.cpu(cpu).context;
    const auto found = programs_.find(context.rbx);
    if (found != programs_.end()) return *found->second;
    // A new thread: its registers are as Thread.start left them.
    context.rbx = next_program_++;
    ++counts_.programs;
    Thread* thread = world_.machine.core_cpu(cpu).current;
    return *(programs_[context.rbx] =
                 std::make_unique<Program>(User{world_.machine, *thread}, world_.inspect, random_, settings_.temper));
}

void Simulation::trace(u32 cpu, const char* what) {
    std::fprintf(stderr, "%llu: cpu %u %s\n", static_cast<unsigned long long>(steps_), cpu, what);
}

void Simulation::event() {
    Machine& m = world_.machine;
    const u32 n = random_.below32(m.cpu_count());
    if (random_.one_in(40)) m.cpu(n).interrupt_pending = true;
    if (random_.one_in(8)) {
        const u32 line = random_.below32(4);  // the lines that programs claim
        if (random_.percent(60)) m.raise(line);
        else m.lower(line);
    }
    if (random_.one_in(16)) m.pass(Duration{random_.below(20'000)});
    if (m.can_advance(n)) {
        m.advance(n);
        return;
    }
    if (world_.init.where() == n) return supervise();
    if (m.cpu(n).where == Where::user && m.core_cpu(n).current != nullptr && !m.core_cpu(n).current->ended()) {
        ++counts_.actions;
        Program& program = program_of(n);
        m.shortcuts = random_.percent(80);
        program.act(n);
        if (settings_.trace) trace(n, program.last().c_str());
        return;
    }
    m.pass(Duration{random_.below(50'000)});
}

void Simulation::run(u64 steps) {
    u64 idle = 0;
    for (u64 before = steps_; steps_ < steps; before = steps_) {
        if (settings_.until_exhausted && random_.exhausted()) return;
        event();
        idle = steps_ == before ? idle + 1 : 0;
        if (idle > kIdleSteps) return;  // nobody is left
    }
}

void Simulation::after_step(u32) {
    ++steps_;
    check_work();
    if (steps_ % settings_.check_every != 0) return;
    world_.inspect.check();
    check_islands();
}

// No step does more than a bounded amount of work (R17), counted where the core can't: at its ports and in the rings.
void Simulation::check_work() {
    // The last piece may begin when the step is almost spent: one process, whose tables share half of their root with the
    // kernel's; one message; or one answer that broke with all it held. Another process may have been made before: more than
    // half of a step is charged for it, so never two.
    constexpr u64 kProcessEntries = 512, kEntriesMax = 14 * kStepUnits + 2 * kProcessEntries;
    constexpr u64 kBytesMax = 2 * abi::kMessageBytesMax + 4096;
    constexpr u64 kPostedMax = kStepUnits + abi::kPipelineDepthMax * 4;
    u64 posted = 0;
    std::unordered_map<u64, u32> now;
    for (Process* process : world_.inspect.processes()) {
        for (Thread* t = process->threads.front(); t != nullptr; t = process->threads.next(*t)) {
            const u32 tail = now[t->block.value] = t->ring.cq_tail();
            const auto before = posted_.find(t->block.value);
            if (before != posted_.end() && tail >= before->second) posted += tail - before->second;
        }
    }
    posted_ = std::move(now);
    const Machine::Work& work = world_.machine.work;
    if (posted > kPostedMax) throw Violation{"a step posts " + std::to_string(posted) + " completions"};
    if (work.entries > kEntriesMax) throw Violation{"a step touches " + std::to_string(work.entries) + " page-table entries"};
    if (work.bytes > kBytesMax) throw Violation{"a step copies " + std::to_string(work.bytes) + " bytes"};
}

const Simulation::Island* Simulation::island_of(const Object& object) const {
    for (const Account* a = object.type == ObjectType::account ? static_cast<const Account*>(&object) : object.account;
         a != nullptr; a = a->parent()) {
        for (const Island& island : islands_) {
            if (island.object == a) return &island;
        }
    }
    return nullptr;
}

// What a process reaches belongs to its own island, or is the machine's.
void Simulation::check_islands() {
    for (Process* process : world_.inspect.processes()) {
        if (process == world_.init_process) continue;
        const Island* own = island_of(*process);
        for (const Object* object : world_.inspect.reach(*process)) {
            if (object->account == nullptr && object->type != ObjectType::account) continue;  // the machine's own
            if (island_of(*object) != own) throw Violation{"a process reaches an object of the other island"};
        }
    }
}

void Simulation::finish() {
    Machine& m = world_.machine;
    m.before_shared_read = nullptr;
    world_.inspect.end_everything();
    programs_.clear();
    for (int i = 0; i < 200'000 && !world_.inspect.at_rest(); ++i) {
        for (u32 n = 0; n < m.cpu_count(); ++n) {
            m.cpu(n).interrupt_pending = true;
            m.advance(n);
        }
    }
    m.settle();
    world_.inspect.check();
    if (!world_.inspect.at_rest())
        throw Violation{"work is left at the end that nobody can finish:\n" + world_.inspect.objects()};
    const Inspector::Totals totals = world_.inspect.totals();
    if (totals.cells != 0 || totals.charged.frames != 0 || totals.free_frames != m.kernel().frames().total_frames()) {
        throw Violation{"not everything came back at the end:\n" + world_.inspect.objects()};
    }
}

}  // namespace capos::sim
