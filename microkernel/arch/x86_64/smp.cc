// Starting the other processors: INIT, then two start-up IPIs (Intel SDM vol. 3A §8.4.4), one processor at a time.
//
//      boot CPU                                    processor
//      state = offered; INIT, SIPI, SIPI
//                                                  trampoline.S, then x86_processor_main
//      state == claimed ?          <-------------- offered -> claimed      else it came too late and halts
//      clock rounds                <------------->
//      state = accepted / refused  -------------->
//      ... Kernel is made ...
//      released = true; IPI        --------------> x86_start_cpu
//
// The low-memory page of the trampoline is mapped executable only meanwhile, and never handed to the allocator.

#include <algorithm>
#include <cstring>

#include "arch/x86_64/instructions.h"
#include "arch/x86_64/machine.h"
#include "core/cpu.h"
#include "core/log.h"
#include "core/ports.h"

extern "C" const char trampoline_start[], trampoline_end[], trampoline_parameters[];

namespace capos::kernel::x86 {

namespace {

enum class State : u32 { none, offered, claimed, accepted, refused, abandoned };

constexpr Duration kInitDelay{10'000'000}, kStartupDelay{200'000}, kAnswerMax{100'000'000};
constexpr u32 kClockRounds = 16;
constexpr u64 kSkewWarnNs = 1'000, kSkewMaxNs = 1'000'000;

struct TrampolineParameters {
    u64 page_tables, stack, argument, entry;
};

// Of the processor that is being started.
struct Start {
    CpuLocal* local{};
    CpuStacks stacks{};
    std::atomic<State> state{State::none};
    std::atomic<u32> turn{};  // of the clock check: odd = the processor's
    std::atomic<u64> its_tsc{};
};
constinit Start start{};

extern "C" [[noreturn]] void x86_processor_main(Start& offer);

constinit std::atomic<bool> released{false};
constinit CpuTable table{};

u64 ordered_tsc() {
    serialise();
    return read_tsc();
}

template <typename Condition>
bool wait_for(Duration longest, Condition condition) {
    const Time end = now() + longest;
    while (!condition()) {
        if (now() >= end) return false;
        pause();
    }
    return true;
}

// How far the processor's clock is from this one's, beyond what the exchange itself explains. Nothing when it stopped
// answering.
std::optional<u64> clock_skew_ticks() {
    i64 skew = 0;
    for (u32 round = 0; round < kClockRounds; ++round) {
        const u64 before = ordered_tsc();
        start.turn.store(2 * round + 1, std::memory_order_release);  // pairs with answer_clock_rounds()
        const auto answered = [&] { return start.turn.load(std::memory_order_acquire) == 2 * round + 2; };
        if (!wait_for(kAnswerMax, answered)) return std::nullopt;
        const u64 after = ordered_tsc(), its = start.its_tsc.load(std::memory_order_relaxed);
        skew = std::max({skew, static_cast<i64>(before - its), static_cast<i64>(its - after)});
    }
    return static_cast<u64>(skew);
}

void answer_clock_rounds() {
    for (u32 round = 0; round < kClockRounds; ++round) {
        while (start.turn.load(std::memory_order_acquire) != 2 * round + 1) pause();  // pairs with clock_skew_ticks()
        start.its_tsc.store(ordered_tsc(), std::memory_order_relaxed);
        start.turn.store(2 * round + 2, std::memory_order_release);
    }
}

bool clock_acceptable(u32 apic_id) {
    const std::optional<u64> ticks = clock_skew_ticks();
    if (!ticks) {
        log(LogLevel::warn, "boot") << "CPU with APIC id " << apic_id << " left out: it stopped answering";
        return false;
    }
    const u64 ns = ns_of_ticks(*ticks);
    if (ns >= kSkewWarnNs) {
        log(LogLevel::warn, "boot") << "CPU with APIC id " << apic_id << ": its clock differs by " << ns << " ns"
                                    << (ns >= kSkewMaxNs ? "; left out" : "");
    }
    return ns < kSkewMaxNs;
}

void write_trampoline(PhysicalAddress page, const CpuLocal& local) {
    const TrampolineParameters parameters{.page_tables = kernel_table().root().value,
                                          .stack = local.stack,
                                          .argument = reinterpret_cast<u64>(&start),
                                          .entry = reinterpret_cast<u64>(&x86_processor_main)};
    const auto bytes = static_cast<usize>(trampoline_end - trampoline_start);
    const auto offset = static_cast<usize>(trampoline_parameters - trampoline_start);
    std::memcpy(port::direct_map(page), trampoline_start, bytes);
    std::memcpy(port::direct_map(page) + offset, &parameters, sizeof parameters);
}

bool start_processor(CpuLocal& local, PhysicalAddress page) {
    start.local = &local;
    start.turn.store(0, std::memory_order_relaxed);
    write_trampoline(page, local);
    start.state.store(State::offered, std::memory_order_release);  // pairs with x86_processor_main()
    const auto claimed = [] { return start.state.load(std::memory_order_acquire) == State::claimed; };

    send_init(local.apic_id);
    delay(kInitDelay);
    for (unsigned i = 0; i < 2 && !claimed(); ++i) {
        send_startup(local.apic_id, static_cast<u8>(page.value >> kPageShift));
        wait_for(kStartupDelay, claimed);
    }
    if (!wait_for(kAnswerMax, claimed)) {
        State expected = State::offered;
        if (start.state.compare_exchange_strong(expected, State::abandoned, std::memory_order_acq_rel)) {
            send_init(local.apic_id);  // should it still wake up, it waits for a start-up IPI again
            log(LogLevel::warn, "boot") << "CPU with APIC id " << local.apic_id << " left out: no answer within 100 ms";
            return false;
        }
    }
    const bool good = clock_acceptable(local.apic_id);
    start.state.store(good ? State::accepted : State::refused, std::memory_order_release);  // pairs with x86_processor_main()
    // The next one uses the same page and structure.
    return good && wait_for(kAnswerMax, [] { return start.state.load(std::memory_order_acquire) == State::none; });
}

}  // namespace

CpuTable& cpu_table() { return table; }

bool prepare_cpu(CpuLocal& local, CpuStacks& stacks) {
    local.stack = make_stack(KERNEL_STACK_BYTES);
    for (u64& top : stacks.ist) top = make_stack(kIstBytes);
    return local.stack != 0 && std::ranges::all_of(stacks.ist, [](u64 top) { return top != 0; });
}

u32 start_processors(const formats::Madt& madt, std::span<CpuLocal> locals, std::span<Cpu> cpus, PhysicalAddress page) {
    if (!map_identity(page)) return 1;
    u32 running = 1;
    for (const formats::MadtCpu& entry : madt.cpus()) {
        if (!entry.enabled || table.find(entry.apic_id)) continue;
        if (table.count() == cpus.size() || !reaches(entry.apic_id)) {
            log(LogLevel::warn, "boot") << "CPU with APIC id " << entry.apic_id << " left out: the kernel cannot address it";
            continue;
        }
        CpuLocal& local = locals[table.count()];
        if (!prepare_cpu(local, start.stacks)) {
            log(LogLevel::warn, "boot") << "CPU with APIC id " << entry.apic_id << " left out: no memory for its stacks";
            break;
        }
        const auto id = table.add(entry.apic_id);
        if (!id) break;  // cannot be: neither full nor there before
        local.id = *id;
        local.apic_id = entry.apic_id;
        local.cpu = &cpus[id->index];
        local.cpu->id = *id;
        local.cpu->online = start_processor(local, page);
        running += local.cpu->online ? 1 : 0;
    }
    unmap_identity(page);
    return running;
}

void release_processors() {
    released.store(true, std::memory_order_release);  // pairs with x86_processor_main()
    for (u32 index = 1; index < table.count(); ++index) port::send_ipi(CpuId{index});
}

extern "C" [[noreturn]] void x86_processor_main(Start& offer) {
    State expected = State::offered;
    if (!offer.state.compare_exchange_strong(expected, State::claimed, std::memory_order_acq_rel)) halt_forever();
    CpuLocal& local = *offer.local;
    enable_cpu_features();
    load_descriptors(local, offer.stacks.ist);
    enable_local_apic();
    answer_clock_rounds();

    State verdict;
    while ((verdict = offer.state.load(std::memory_order_acquire)) == State::claimed) pause();  // pairs with start_processor()
    if (verdict == State::refused) halt_forever();
    local.loaded_cr3 = kernel_table().root().value;
    offer.state.store(State::none, std::memory_order_release);  // pairs with start_processor()

    while (!released.load(std::memory_order_acquire)) wait_for_interrupt();  // pairs with release_processors()
    local.kick = false;
    port::flush_all();  // the trampoline's page is no longer mapped
    x86_start_cpu();
}

}  // namespace capos::kernel::x86
