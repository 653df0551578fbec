// The reaper: takes down what has ended, in pieces of bounded work. It runs in the time of whoever waits for it, on idle
// CPUs, and for a small share of every other step. Each object remembers where it stands; a piece that has to wait for
// something lets the next object go first.

#include <algorithm>

#include "core/kernel.h"

namespace capos::kernel {

namespace {
constexpr u32 kSlotsPerUnit = 4;
constexpr u32 kNodesPerUnit = 2;
constexpr u32 kFramesPerUnit = 2;
}  // namespace

// One piece of work, taken off `units`. False when nothing more can be done now.
bool Kernel::reap_step(u32& units) {
    if (Node* top = consequences_.revoking.front()) {
        --units;
        u32 budget = kNodesPerUnit;
        if (!nodes_.kill_below_step(*top, budget)) return true;
        top->notice_link.unlink();
        nodes_.add_reference(*top);
        nodes_.drop_reference(*top);  // its last use may have been what descended from it
        return true;
    }
    if (Region* region = losing_.front()) {
        if (region->state == Region::State::mapped) {
            --units;
            protect_step(*region);
            if (region->cursor < region->pages.value) return true;
            losing_.remove(*region);
            await_invalidation(*region);
        } else if (unmap_step(*region, units)) {
            losing_.remove(*region);
            if (region->state == Region::State::unmapping) {
                retire(*region);
            } else if (await_invalidation(*region)) {
                finish_retiring(*region);
            }
        }
        return true;
    }
    // Once around: an object that waits goes to the end.
    Object* last = nullptr;
    for (Object* object = consequences_.dead.pop_front(); object != nullptr; object = consequences_.dead.pop_front()) {
        const u32 before = units;
        if (reap(*object, units)) return true;
        consequences_.reap(*object);  // a process whose last capability has gone puts itself there
        if (units != before) return true;
        if (object == last) return false;
        if (last == nullptr) last = object;
    }
    return false;
}

// True when the object needs no more attention: it is freed, or lives on as far as capabilities name it.
bool Kernel::reap(Object& object, u32& units) {
    if (units == 0) return false;
    switch (object.type) {
        case ObjectType::account: return reap_account(static_cast<Account&>(object), units);
        case ObjectType::process: return reap_process(static_cast<Process&>(object), units);
        case ObjectType::thread: return reap_thread(static_cast<Thread&>(object), units);
        case ObjectType::address_space: return reap_space(static_cast<AddressSpace&>(object), units);
        case ObjectType::memory: return reap_memory(static_cast<Memory&>(object), units);
        case ObjectType::endpoint: return reap_endpoint(static_cast<Endpoint&>(object), units);
        case ObjectType::notification: return reap_notification(static_cast<Notification&>(object), units);
        case ObjectType::io_ports: return reap_ports(static_cast<IoPorts&>(object), units);
        case ObjectType::interrupt: return reap_interrupt(static_cast<Interrupt&>(object), units);
        default: KERNEL_ASSERT(false);  // objects made at boot never end
    }
}

bool Kernel::kill_capabilities(Object& object, u32& units) {
    if (object.root == nullptr) return true;
    if (units == 0) return false;
    --units;
    u32 budget = kNodesPerUnit;
    return nodes_.kill_all_step(*object.root, budget);
}

// An entry has ended that had begun something, or its thread has.
void Kernel::hand_over_unfinished(Thread& thread) {
    consequences_.revoking.take_all(thread.revoking);
    while (Region* region = thread.changing.pop_front()) {
        const bool half = region->state == Region::State::unmapping ||
                          (region->state == Region::State::mapped && region->cursor < region->pages.value);
        if (!half) continue;
        if (region->work_link.linked()) region->work_link.unlink();
        losing_.push_back(*region);
    }
}

// What was made through a node that has been killed.
void Kernel::end_use(NodeUse& use) {
    if (use.kind == NodeUse::Kind::region) return lose(static_cast<Region&>(use));
    if (use.kind == NodeUse::Kind::received) return end_call(*static_cast<Received&>(use).call, Status::disconnected);
    auto& pending = static_cast<Pending&>(use);
    if (pending.what != PendingKind::receive) {
        end_call(pending, Status::bad_capability);
        return;
    }
    // Whoever receives through it loses what it had received there.
    Thread& server = *pending.owner;
    spend(server.ring.received().size() / kRecordsPerUnit);
    for (Received& received : server.ring.received()) {
        if (!received.in_use || received.call == nullptr || received.source != pending.source) continue;
        end_call(*received.call, Status::disconnected);
        if (here_->steps_left == 0) {
            consequences_.ended.push_front(use);  // the rest in another step
            return;
        }
        --here_->steps_left;
    }
    end_receive(pending, Status::disconnected);
}

void Kernel::disown(Object& object, Resources charged) {
    object.account_link.unlink();
    object.account->refund(charged);
    if (object.account->dead) consequences_.reap(*object.account);
}

// Frees an object that lies in a cell.
void Kernel::free_cell(Object& object, Resources extra) {
    ++extra.objects;
    disown(object, extra);
    cells_.give_back(&object);
}

bool Kernel::reap_account(Account& account, u32& units) {
    if (!kill_capabilities(account, units)) return false;
    while (Object* object = account.objects.front()) {
        if (units == 0) return false;
        --units;
        account.objects.remove(*object);
        account.ending.push_back(*object);
        consequences_.end(*object);
    }
    while (Node* node = account.nodes.front()) {
        if (units == 0) return false;
        --units;
        u32 budget = kNodesPerUnit;
        if (!nodes_.kill_all_step(*node, budget)) return false;
    }
    if (!account.ending.empty() || account.used() != Resources{}) return false;
    const Resources limit = account.limit();
    account.~Account();
    free_cell(account, limit);
    return true;
}

bool Kernel::reap_process(Process& process, u32& units) {
    if (process.state == Process::State::alive) end_process(process);  // its last capability has gone
    if (process.state == Process::State::ending) {
        while (process.thread_count != 0) {
            if (units == 0) return false;
            --units;
            end_thread(*process.threads.front());
        }
        // Nothing comes into the table once the threads are gone.
        if (!process.threads.empty()) return false;
        while (!process.table.clear_step(process.table_cursor, kSlotsPerUnit, nodes_)) {
            if (units == 0) return false;
            --units;
        }
        if (process.space != nullptr) {
            // Gone when the reaper has taken it down: reap_space clears the pointer. It may have lost its capabilities before.
            consequences_.end(*process.space);
            consequences_.reap(*process.space);
            return false;
        }
        for (u32 i = 0; i < process.table.frames(); ++i) frames_.free(process.table.frame(i), 0);
        process.account->refund({.frames = process.table.frames()});
        process.state = Process::State::ended;
        consequences_.finished.take_all(process.end_waiters);
        if (Node* supervisor = process.supervisor.get()) {
            signal(static_cast<Notification&>(*supervisor->object), u64{1} << process.supervisor_bit);
        }
        nodes_.drop_reference(process.supervisor);
        process.supervisor = {};
    }
    if (!process.dead) return true;
    if (!kill_capabilities(process, units)) return false;
    const PhysicalAddress block = process.block;
    disown(process, {.frames = 1, .objects = 1});
    process.~Process();
    frames_.free(block, 0);
    return true;
}

bool Kernel::reap_space(AddressSpace& space, u32& units) {
    // A space whose last capability goes still serves its process.
    Process& process = *space.process;
    if (process.state != Process::State::ending || !process.threads.empty()) return true;
    if (!kill_capabilities(space, units)) return false;
    while (Region* region = space.regions.first()) {
        if (region->state == Region::State::losing) return false;
        unmap(*region);
        if (region->state == Region::State::retiring) return false;
        if (!unmap_step(*region, units) || !retire(*region)) return false;
    }
    if (invalidation_.in_use(space.table.root())) return false;
    frames_.free(space.table.root(), 0);
    if (space.spare_table.value != 0) frames_.free(space.spare_table, 0);
    process.space = nullptr;
    space.~AddressSpace();
    free_cell(space, {.frames = 2});
    return true;
}

// Ends everything that waits in the thread's records. True when nothing does.
bool Kernel::end_records(Thread& thread, u32& units) {
    Ring& ring = thread.ring;
    for (; thread.teardown_cursor < ring.pending().size(); ++thread.teardown_cursor) {
        Pending& pending = ring.pending()[thread.teardown_cursor];
        if (pending.what == PendingKind::unused) continue;
        if (units == 0) return false;
        --units;
        if (pending.what == PendingKind::work) {
            pending.queue_link.unlink();
            complete_deferred(pending, Status::cancelled);
        } else if (pending.call_state == CallState::own && pending.what == PendingKind::call) {
            end_call(pending, Status::cancelled);
        } else {
            cancel(pending, Status::cancelled);
        }
    }
    for (Received& received : ring.received()) {
        if (!received.in_use || received.call == nullptr) continue;
        if (units == 0) return false;
        --units;
        end_call(*received.call, Status::disconnected);
    }
    return true;
}

bool Kernel::reap_thread(Thread& thread, u32& units) {
    if (!thread.ended()) return true;  // only its last capability has gone
    if (thread.phase == Thread::kRecords) {
        if (thread.cpu != nullptr && thread.cpu->current == &thread) return false;
        hand_over_unfinished(thread);
        if (!end_records(thread, units)) return false;
        if (thread.fault_call.what == PendingKind::stall) {
            thread.fault_call.queue_link.unlink();
            thread.fault_call.what = PendingKind::unused;
        }
        if (thread.fault_call.what == PendingKind::fault) end_call(thread.fault_call, Status::cancelled);
        nodes_.drop_reference(thread.fault_facet);
        thread.fault_facet = {};
        drop_prepared(thread);
        thread.phase = Thread::kRegion;
    }
    if (thread.phase == Thread::kRegion) {
        if (Region* region = thread.region) {
            unmap(*region);
            if (region->state == Region::State::retiring) return false;
            if (!unmap_step(*region, units) || !retire(*region)) return false;
        }
        thread.account->refund({.frames = 1});  // the standing one
        thread.process_link.unlink();
        thread.phase = Thread::kReleased;
        consequences_.finished.take_all(thread.end_waiters);
        if (thread.process().state == Process::State::ending) consequences_.reap(thread.process());
    }
    if (!thread.dead) return true;
    if (!kill_capabilities(thread, units)) return false;
    const PhysicalAddress block = thread.block;
    const u8 order = thread.block_order;
    disown(thread, {.frames = u64{1} << order, .objects = 1});
    thread.~Thread();
    frames_.free(block, order);
    return true;
}

bool Kernel::reap_memory(Memory& memory, u32& units) {
    if (!kill_capabilities(memory, units)) return false;
    while (Pending* wait = memory.waiters.first()) {
        if (units == 0) return false;
        --units;
        memory.waiters.erase(*wait);
        complete(*wait, Status::disconnected);
    }
    // Mappings let go of it one by one; the last one brings it back here.
    for (Region* region = memory.regions.front(); region != nullptr; region = memory.regions.next(*region)) {
        if (region->lost) continue;
        if (units == 0) return false;
        --units;
        lose(*region);
    }
    if (!memory.regions.empty()) return false;
    u32 budget = units * kFramesPerUnit;
    units = 0;
    if (!memory.free_step(frames_, budget)) return false;
    const u64 frames = memory.charged();
    memory.~Memory();
    free_cell(memory, {.frames = frames});
    return true;
}

bool Kernel::reap_endpoint(Endpoint& endpoint, u32& units) {
    if (!kill_capabilities(endpoint, units)) return false;
    // Calls and receivers were linked to nodes, and have ended with them; here are those that end_use has not come to yet.
    if (!endpoint.calls.empty() || !endpoint.receivers.empty()) return false;
    while (Node* facet = endpoint.notices.front()) {
        if (units == 0) return false;
        --units;
        endpoint.notices.remove(*facet);
        nodes_.finish_notice(*facet);
    }
    if (endpoint.attention_link.linked()) endpoint.attention_link.unlink();
    endpoint.~Endpoint();
    free_cell(endpoint, {});
    return true;
}

bool Kernel::reap_notification(Notification& notification, u32& units) {
    if (!kill_capabilities(notification, units)) return false;
    if (!notification.receivers.empty()) return false;
    if (notification.attention_link.linked()) notification.attention_link.unlink();
    notification.~Notification();
    free_cell(notification, {});
    return true;
}

}  // namespace capos::kernel
