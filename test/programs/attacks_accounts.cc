// Attacks on accounts and on what one owns: everything is taken until there is nothing left, or thrown away while it is in use.

#include "attacks.h"

namespace capos::test {

namespace {

using namespace runtime;

constexpr u64 kMillisecond = 1'000'000;
constexpr u64 kTries = 5000;  // more than any account here allows

// Repeats an operation until it fails. The number of successes; kTries if it never fails.
template <typename Operation>
u64 until_it_fails(Status wanted, Operation&& operation) {
    for (u64 i = 0; i < kTries; ++i) {
        const Status status = operation(i);
        if (status == Status::ok) continue;
        return status == wanted ? i : kTries + static_cast<u64>(status);
    }
    return kTries;
}

u64 judge(u64 successes, u64 least, u64 most) { return successes >= least && successes <= most ? 0 : successes + 1; }

u64 all_frames(Hostile& h) {
    return judge(
        until_it_fails(Status::quota, [&](u64) { return status_of(create_memory(h.caller, h.account, 16 * kPageBytes)); }), 1,
        40);
}

u64 one_huge_memory(Hostile& h) {
    return status_of(create_memory(h.caller, h.account, u64{1} << 30)) == Status::quota ? 0 : 1;
}

u64 all_objects(Hostile& h) {
    return judge(until_it_fails(Status::quota, [&](u64) { return status_of(create_endpoint(h.caller, h.account)); }), 1, 64);
}

u64 all_nodes(Hostile& h) {
    const auto endpoint = create_endpoint(h.caller, h.account);
    if (!endpoint) return 1;
    return judge(until_it_fails(Status::quota, [&](u64 i) { return status_of(mint(h.caller, *endpoint, i)); }), 1, 96);
}

// Copies of capabilities to itself, until the table is full.
u64 all_slots(Hostile& h) {
    const u64 copies =
        until_it_fails(Status::quota, [&](u64) { return status_of(grant(h.caller, h.process, h.notification)); });
    if (judge(copies, 200, 256) != 0) return copies + 1;
    // Results find no slot either, and nothing is lost.
    return status_of(create_notification(h.caller, h.account)) == Status::quota ? 0 : 1000;
}

u64 all_processes(Hostile& h) {
    return judge(until_it_fails(Status::quota, [&](u64) { return status_of(create_process(h.caller, h.account, "bomb")); }), 1,
                 64);
}

// Threads that were never started keep their process alive: it ends itself.
u64 all_threads(Hostile& h) {
    const u64 made = until_it_fails(Status::quota, [&](u64) { return status_of(create_thread(h.caller, h.process, "bomb")); });
    if (judge(made, 1, 64) == 0) (void)kill(h.caller, h.process);
    return made + 1;
}

u64 large_rings(Hostile& h) {
    if (status_of(create_thread(h.caller, h.process, "x", {.region_bytes = 3 * 4096})) != Status::bad_argument) return 1;
    if (status_of(create_thread(h.caller, h.process, "x", {.region_bytes = 4 << 20})) != Status::bad_argument) return 2;
    if (status_of(create_thread(h.caller, h.process, "x", {.submission_entries = 3})) != Status::bad_argument) return 3;
    if (status_of(create_thread(h.caller, h.process, "x", {.completion_entries = 0x8000})) != Status::bad_argument) return 4;
    return status_of(create_thread(h.caller, h.process, "x", {.region_bytes = 2 << 20})) == Status::quota ? 0 : 5;
}

// Accounts inside accounts.
u64 nested_accounts(Hostile& h) {
    CapId parent = h.account;
    return judge(until_it_fails(Status::quota,
                                [&](u64 i) {
                                    const auto child =
                                        create_account(h.caller, parent, 100, 50 > i ? static_cast<u32>(50 - i) : 0,
                                                       60 > i ? static_cast<u32>(60 - i) : 0);
                                    if (child) parent = *child;
                                    return status_of(child);
                                }),
                 1, 60);
}

// One page mapped over and over, each time far away, so that each needs tables.
u64 all_mappings(Hostile& h) {
    const auto memory = create_memory(h.caller, h.account, kPageBytes);
    if (!memory) return 1;
    return judge(until_it_fails(Status::quota, [&](u64 i) {
        const auto mapped = map(h.caller, h.space, *memory, 0, kPageBytes, (i + 1) << 39, kRead | kWrite);
        if (mapped) *reinterpret_cast<volatile u8*>(*mapped) = 1;
        return status_of(mapped);
    }), 1, 100);
}

u64 deep_derivation(Hostile& h) {
    CapId last = h.notification;
    return judge(until_it_fails(Status::bad_argument, [&](u64) {
        const auto next = derive(h.caller, h.account, last);
        if (next) last = *next;
        return status_of(next);
    }), 4, 16);
}

// It revokes what hangs below its own authority, and goes on.
u64 self_revocation(Hostile& h) {
    const auto account = derive(h.caller, h.account, h.account);
    if (!account) return 1;
    const auto memory = create_memory(h.caller, *account, kPageBytes);
    if (!memory) return 2;
    for (const CapId id : {h.process, h.space, h.thread, h.account}) {
        if (!revoke(h.caller, h.account, id)) return 3;
    }
    if (status_of(create_memory(h.caller, *account, kPageBytes)) != Status::bad_capability) return 4;
    return status_of(create_memory(h.caller, h.account, kPageBytes)) == Status::ok ? 0 : 5;
}

// Through the very capability that it revokes.
u64 revoke_through_itself(Hostile& h) {
    const auto account = derive(h.caller, h.account, h.account);
    const auto deeper = account ? derive(h.caller, h.account, *account) : account;
    if (!account || !deeper) return 1;
    (void)revoke(h.caller, *deeper, *account);
    return status_of(usage(h.caller, *deeper)) == Status::bad_capability && status_of(usage(h.caller, *account)) == Status::ok
               ? 0
               : 2;
}

u64 throw_all_away(Hostile& h) {
    for (const CapId id : {h.process, h.space, h.thread, h.facet, h.clock, h.log, h.notification, h.account})
        release(h.caller, id);
    return status_of(usage(h.caller, h.account)) == Status::bad_capability && h.outcome(entry::nop()) == Status::ok ? 0 : 1;
}

u64 kill_own_process(Hostile& h) {
    (void)kill(h.caller, h.process);
    return 1;
}

u64 kill_own_thread(Hostile& h) {
    (void)h.caller.call<idl::Thread::Kill>(h.thread);
    return 1;
}

// Ends the process while its first thread is inside long operations.
void crash_soon(u64, std::byte*) {
    for (volatile u32 i = 0; i < 200'000; i = i + 1) {
    }
    __builtin_trap();
}

u64 map_for_ever(Hostile& h) {
    while (true) {
        const auto memory = create_memory(h.caller, h.account, 64 * kPageBytes);
        if (!memory) continue;
        const auto mapped = map(h.caller, h.space, *memory, 0, 64 * kPageBytes, 0x2000'0000, kRead | kWrite);
        for (u64 page = 0; mapped && page < 64; ++page) *reinterpret_cast<volatile u8*>(*mapped + page * kPageBytes) = 1;
        (void)unmap(h.caller, h.space, 0x2000'0000, 64 * kPageBytes);
        release(h.caller, *memory);
    }
}

u64 die_in_long_operations(Hostile& h) {
    if (!h.second_thread(crash_soon, 0)) return 1;
    return map_for_ever(h);
}

u64 unmap_own_code(Hostile& h) {
    (void)unmap(h.caller, h.space, Image::start(), Image::bytes());
    return 1;
}

u64 unmap_own_stack(Hostile& h) {
    (void)unmap(h.caller, h.space, kChildStackTop - kChildStackBytes, kChildStackBytes);
    return 1;
}

u64 unmap_own_ring(Hostile& h) {
    const u64 ring = reinterpret_cast<u64>(&h.ring.header());
    if (status_of(unmap(h.caller, h.space, ring, h.ring.header().region_bytes)) != Status::bad_argument) return 1;
    if (status_of(protect(h.caller, h.space, ring, h.ring.header().region_bytes, kRead)) != Status::bad_argument) return 2;
    const auto memory = create_memory(h.caller, h.account, kPageBytes);
    return memory && status_of(map(h.caller, h.space, *memory, 0, kPageBytes, ring, kRead | kWrite)) == Status::exists ? 0 : 3;
}

u64 spin(Hostile&) {
    while (true) {
    }
}

u64 touch_memory_for_ever(Hostile& h) {
    const auto memory = create_memory(h.caller, h.account, 64 * kPageBytes);
    if (!memory || !map(h.caller, h.space, *memory, 0, 64 * kPageBytes, 0x2000'0000, kRead | kWrite)) return 1;
    for (u64 i = 0;; ++i) *reinterpret_cast<volatile u64*>(0x2000'0000 + i % 64 * kPageBytes) = i;
}

// What the child has is derived from it, and keeps it alive otherwise.
void destroy_account(World& world, Child&, CapId account, Puppeteer&, CapId) {
    world.sleep(10 * kMillisecond);
    (void)revoke(world.caller, world.account, account);
    release(world.caller, account);
}

void kill_child(World& world, Child& child, CapId, Puppeteer&, CapId) {
    world.sleep(10 * kMillisecond);
    (void)kill(world.caller, child.process);
}

void kill_thread(World& world, Child& child, CapId, Puppeteer&, CapId) {
    world.sleep(10 * kMillisecond);
    (void)world.caller.call<idl::Thread::Kill>(child.thread);
}

void kill_while_busy(World& world, Child& child, CapId, Puppeteer&, CapId) {
    world.sleep(3 * kMillisecond);
    (void)kill(world.caller, child.process);
}

constexpr u32 kPageFault = static_cast<u32>(abi::CrashCause::page_fault);

constexpr Attack kAttacks[] = {
    {"an account's frames exhausted", all_frames, kReturns, nullptr},
    {"one memory larger than the account", one_huge_memory, kReturns, nullptr},
    {"an account's objects exhausted", all_objects, kReturns, nullptr},
    {"an account's nodes exhausted", all_nodes, kReturns, nullptr},
    {"a capability table filled", all_slots, kReturns, nullptr},
    {"a process bomb", all_processes, kReturns, nullptr},
    {"a thread bomb", all_threads, kKilled, nullptr},
    {"rings of impossible sizes", large_rings, kReturns, nullptr},
    {"accounts nested until nothing is left", nested_accounts, kReturns, nullptr},
    {"a mapping bomb", all_mappings, kReturns, nullptr},
    {"derivations too deep", deep_derivation, kReturns, nullptr},
    {"self-revocation", self_revocation, kReturns, nullptr},
    {"revoking through what is revoked", revoke_through_itself, kReturns, nullptr},
    {"all capabilities thrown away", throw_all_away, kReturns, nullptr},
    {"its own process killed", kill_own_process, kKilled, nullptr},
    {"its own thread killed", kill_own_thread, kKilled, nullptr},
    {"one thread crashes while another maps and unmaps", die_in_long_operations,
     static_cast<u32>(abi::CrashCause::invalid_opcode), nullptr},
    {"its own code unmapped", unmap_own_code, kPageFault, nullptr},
    {"its own stack unmapped", unmap_own_stack, kPageFault, nullptr},
    {"its own ring unmapped", unmap_own_ring, kReturns, nullptr},
    {"a process that spins, killed", spin, kKilled, kill_child},
    {"a thread that spins, killed", spin, kKilled, kill_thread},
    {"an account destroyed under a live mapping", touch_memory_for_ever, kKilled, destroy_account},
    {"killed while it maps and unmaps", map_for_ever, kKilled, kill_while_busy},
};

}  // namespace

std::span<const Attack> attacks_on_accounts() { return kAttacks; }

}  // namespace capos::test
