// The invariants, one function for each kind. They count everything from scratch and compare with what the core believes.
#include "sim/inspector.h"
#include "sim/inspector_parts.h"

#include <algorithm>
#include <bit>
#include <functional>

namespace capos::kernel {

namespace {

// Names private members in a way the language allows; the classes they belong to know nothing of tests.
template <typename Tag, auto Member>
struct Expose {
    friend constexpr auto member_of(Tag) { return Member; }
};
#define CAPOS_EXPOSE(Tag, member) \
    struct Tag { friend constexpr auto member_of(Tag); }; \
    template struct Expose<Tag, &member>
CAPOS_EXPOSE(MemoryRoot, Memory::root_);
CAPOS_EXPOSE(MemoryLevels, Memory::levels);
CAPOS_EXPOSE(TableReserved, CapabilityTable::reserved_);
CAPOS_EXPOSE(RingReserved, Ring::reserved_);
CAPOS_EXPOSE(RingHead, Ring::cq_head_);
#undef CAPOS_EXPOSE

constexpr u64 kPresent = 1, kWritable = 2, kUser = 4, kLarge = 0x80, kGlobal = 0x100, kNoExecute = u64{1} << 63;
constexpr u64 kAddress = 0x000f'ffff'ffff'f000;
constexpr unsigned kCountShift = 52;
constexpr u64 kSlotInUse = (u64{1} << abi::CapId::kIndexBits) - 1;

struct Counted {
    u64 frames{}, objects{}, nodes{};
};

}  // namespace

// One look at everything.
struct Inspector::Census {
    sim::Machine& machine;
    Kernel& kernel;
    std::vector<Object*> objects;
    std::vector<Process*> processes;
    std::vector<Thread*> threads;
    std::vector<AddressSpace*> spaces;
    std::vector<Endpoint*> endpoints;
    std::vector<Memory*> memories;
    std::vector<Account*> accounts;
    std::vector<Region*> regions;
    std::unordered_map<u64, const char*> frames;  // physical address -> whose
    std::unordered_map<const Account*, Counted> charges;
    std::unordered_map<const Node*, u64> references;
    u64 nodes{};
    u64 cells{};

    void own(PhysicalAddress block, unsigned order, const char* who) {
        for (u64 i = 0; i < u64{1} << order; ++i) {
            const u64 frame = block.value + i * kPageBytes;
            const auto [at, fresh] = frames.emplace(frame, who);
            require(fresh, "frame ", hex(frame), " belongs to ", at->second, " and to ", who);
        }
    }
    void charge(const Account* account, u64 frames_, u64 objects_ = 0) {
        charges[account].frames += frames_;
        charges[account].objects += objects_;
    }
    void reference(NodeRef ref) {
        if (Node* node = ref.get()) ++references[node];
    }

    void find_objects(Account& account);
    void count_tree(Node& node);
    void count_memory(u64 entry, unsigned level);
    void count_tables(u64 table, int level, AddressSpace& space, u64 address);
    void check_leaf(AddressSpace& space, u64 address, u64 entry, u64 bytes);
    void count(Object& object);
    void count_thread(Thread& thread);
    void count_region(Region& region);
    void count_slots(Process& process);
    void check_accounts();
    void check_nodes();
    void check_frames();
    void check_ring(Thread& thread);
    void check_processes();
    void check_endpoints();
    void check_scheduler();
};

void Inspector::Census::find_objects(Account& account) {
    accounts.push_back(&account);
    for (auto* list : {&account.objects, &account.ending}) {
        for (Object* object = list->front(); object != nullptr; object = list->next(*object)) {
            require(object->account == &account, "an object is listed by an account that does not pay for it");
            require(object->type > ObjectType::none && object->type <= ObjectType::interrupt, "an object at ",
                    hex(reinterpret_cast<u64>(object)), " has type ", static_cast<u32>(object->type));
            objects.push_back(object);
            switch (object->type) {
                case ObjectType::account: find_objects(static_cast<Account&>(*object)); break;
                case ObjectType::process: processes.push_back(static_cast<Process*>(object)); break;
                case ObjectType::thread: threads.push_back(static_cast<Thread*>(object)); break;
                case ObjectType::address_space: spaces.push_back(static_cast<AddressSpace*>(object)); break;
                case ObjectType::endpoint: endpoints.push_back(static_cast<Endpoint*>(object)); break;
                case ObjectType::memory: memories.push_back(static_cast<Memory*>(object)); break;
                default: break;
            }
        }
    }
}

void Inspector::Census::count_tree(Node& node) {
    ++nodes;
    ++charges[node.account].nodes;
    for (Node* child = node.first_child; child != nullptr; child = child->next_sibling) {
        require(child->parent == &node && *child->sibling_slot == child,
                "a node's links to its parent and siblings do not agree");
        require(node.alive || !child->alive || child->account != nullptr, "a living node below a dead one has no account");
        count_tree(*child);
    }
    for (NodeUse* use = node.uses.front(); use != nullptr; use = node.uses.next(*use)) {
        require(use->through.node == &node && (!node.alive || use->through.generation == node.generation),
                "a use names another node than it hangs on");
    }
}

void Inspector::Census::count_memory(u64 entry, unsigned level) {
    if (entry == 0) return;
    const PhysicalAddress address{entry & ~u64{3}};
    if ((entry & 2) != 0) return own(address, FrameAllocator::kOrderMax, "a block of a memory");
    own(address, 0, level == 0 ? "a memory" : "a memory's table");
    if (level == 0) return;
    const auto* table = reinterpret_cast<const u64*>(machine.memory(address.value));
    for (unsigned i = 0; i < 512; ++i) count_memory(table[i], level - 1);
}

void Inspector::Census::check_leaf(AddressSpace& space, u64 address, u64 entry, u64 bytes) {
    require((entry & kUser) != 0 && (entry & kGlobal) == 0, "an entry at ", hex(address), " is not a user's");
    const bool writable = (entry & kWritable) != 0, executable = (entry & kNoExecute) == 0;
    require(!writable || !executable, "the page at ", hex(address), " is writable and executable");
    const Region* region = space.region_at(VirtualAddress{address});
    require(region != nullptr, "the page at ", hex(address), " belongs to no mapping");
    require(region->state != Region::State::retiring, "the page at ", hex(address),
            " of a mapping that is unmapped is still entered");
    require(address + bytes <= region->end().value, "the page at ", hex(address), " is larger than its mapping");
    for (u64 at = address; at < address + bytes; at += kPageBytes) {
        const u64 page = (at - region->start.value) / kPageBytes, frame = (entry & kAddress & ~(bytes - 1)) + (at - address);
        require(shows(*region, page, frame), "the page at ", hex(at), " shows frame ", hex(frame), ", not its mapping's");
    }
    require(!writable || region->access == Access::read_write || region->cursor < region->pages.value,
            "the page at ", hex(address), " is writable, its mapping not");
    require(!executable || region->access == Access::read_execute || region->cursor < region->pages.value,
            "the page at ", hex(address), " is executable, its mapping not");
    if (executable && region->memory != nullptr) require(region->memory->sealed(), "memory that can change is executable");
    if (writable && region->memory != nullptr) {
        require(region->writable && !region->memory->sealed(), "sealed memory is writable at ", hex(address));
    }
}

void Inspector::Census::count_tables(u64 table, int level, AddressSpace& space, u64 address) {
    const auto* entries = reinterpret_cast<const u64*>(machine.memory(table));
    for (u64 i = 0; i < (level == 3 ? 256 : 512); ++i) {
        const u64 entry = entries[i], at = address + (i << (12 + 9 * level));
        if ((entry & kPresent) == 0) {
            require(entry == 0, "an entry that is not present has contents");
        } else if (level == 0 || (entry & kLarge) != 0) {
            check_leaf(space, at, entry, u64{1} << (12 + 9 * level));
        } else {
            const u64 below = entry & kAddress;
            own(PhysicalAddress{below}, 0, "a page table");
            u64 used = 0;
            for (u64 k = 0; k < 512; ++k) used += reinterpret_cast<const u64*>(machine.memory(below))[k] & 1;
            require((entry >> kCountShift & 0x3ff) == used, "a page table's entry counts ", entry >> kCountShift & 0x3ff,
                    " entries, there are ", used);
            count_tables(below, level - 1, space, at);
        }
    }
}

void Inspector::Census::count_region(Region& region) {
    regions.push_back(&region);
    ++cells;
    charge(region.space->account, region.charged, 1);
    reference(region.through);
    if (region.block.value != 0) own(region.block, region.block_order, region.ring ? "a ring region" : "a scrap frame");
    // The chain of retired tables is walked by taking it apart and putting it together again.
    std::vector<PhysicalAddress> chain;
    FrameAllocator& allocator = kernel.frames_;
    while (region.retired_tables.value != 0) chain.push_back(allocator.chain_pop(region.retired_tables));
    for (auto at = chain.rbegin(); at != chain.rend(); ++at) {
        allocator.chain_push(region.retired_tables, *at);
        own(*at, 0, "a retired page table");
    }
    require(region.memory == nullptr || !region.writable || region.memory->writable_mappings > 0,
            "a writable mapping is not counted by its memory");
}

void Inspector::Census::count_slots(Process& process) {
    for (u32 i = 0; i < process.table.frames(); ++i) own(process.table.frame(i), 0, "a capability table");
    charge(process.account, process.table.frames());
    for (u32 i = 0; i < process.table.touched(); ++i) {
        const auto* slot =
            reinterpret_cast<const u64*>(machine.memory(process.table.frame(i / CapabilityTable::kSlotsPerFrame).value)) +
            2 * (i % CapabilityTable::kSlotsPerFrame);
        if ((slot[0] & kSlotInUse) != kSlotInUse) continue;
        if (Node* node = kernel.nodes_.get(static_cast<u32>(slot[1]), static_cast<u32>(slot[1] >> 32))) ++references[node];
    }
}

void Inspector::Census::count_thread(Thread& thread) {
    own(thread.block, thread.block_order, "a thread");
    charge(thread.account, u64{1} << thread.block_order, 1);
    if (!thread.released()) charge(thread.account, 1);
    if (thread.prepared.reserved) {
        own(thread.prepared.address, thread.prepared.order, "a prepared block");
        charge(thread.process().account, thread.prepared.charged);
    }
    reference(thread.fault_facet);
    if (thread.fault_call.what == PendingKind::fault) reference(thread.fault_call.through);
    for (Pending& pending : thread.ring.pending()) {
        if (pending.what == PendingKind::call || pending.what == PendingKind::receive) reference(pending.through);
    }
    for (Received& received : thread.ring.received()) reference(received.through);
}

void Inspector::Census::count(Object& object) {
    if (object.root != nullptr) count_tree(*object.root);
    switch (object.type) {
        case ObjectType::account: {
            const auto& account = static_cast<Account&>(object);
            ++cells;
            charge(object.account, account.limit().frames, account.limit().objects + u64{1});
            charges[object.account].nodes += account.limit().nodes;
            break;
        }
        case ObjectType::memory: {
            auto& memory = static_cast<Memory&>(object);
            ++cells;
            charge(object.account, memory.charged(), 1);
            count_memory(memory.*member_of(MemoryRoot{}), (memory.*member_of(MemoryLevels{}))());
            break;
        }
        case ObjectType::endpoint: {
            auto& notices = static_cast<Endpoint&>(object).notices;
            for (Node* facet = notices.front(); facet != nullptr; facet = notices.next(*facet)) {
                require(facet->notice_pending && facet->references == 0 && facet->parent == nullptr,
                        "a facet with a notice is in use");
                count_tree(*facet);
            }
            [[fallthrough]];
        }
        case ObjectType::notification:
        case ObjectType::io_ports:
        case ObjectType::interrupt:
            require(object.type != ObjectType::io_ports || object.dead || static_cast<IoPorts&>(object).claim_link.linked,
                    "ports have lost their claim");
            ++cells;
            charge(object.account, 0, 1);
            break;
        case ObjectType::process: {
            auto& process = static_cast<Process&>(object);
            own(process.block, 0, "a process");
            charge(object.account, 1, 1);
            reference(process.supervisor);
            if (process.state != Process::State::ended) count_slots(process);
            break;
        }
        case ObjectType::thread: count_thread(static_cast<Thread&>(object)); break;
        case ObjectType::address_space: {
            auto& space = static_cast<AddressSpace&>(object);
            ++cells;
            charge(object.account, 2, 1);
            own(space.table.root(), 0, "the root of page tables");
            if (space.spare_table.value != 0) own(space.spare_table, 0, "a spare page table");
            u32 count = 0;
            for (Region* r = space.regions.first(); r != nullptr; r = space.regions.at_or_above(r->start.value + 1)) {
                count_region(*r);
                ++count;
            }
            require(count == space.region_count, "an address space counts ", space.region_count, " mappings, there are ",
                    count);
            count_tables(space.table.root().value, 3, space, 0);
            break;
        }
        default: break;
    }
}

void Inspector::Census::check_accounts() {
    for (const Account* account : accounts) {
        const Counted c = charges[account];
        const Resources used = account->used();
        require(used.frames == c.frames, "account '", account->name.view(), "' is charged ", used.frames, " frames for ",
                c.frames);
        require(used.objects == c.objects, "account '", account->name.view(), "' is charged ", used.objects, " objects for ",
                c.objects);
        require(used.nodes == c.nodes, "account '", account->name.view(), "' is charged ", used.nodes, " nodes for ", c.nodes);
        const Resources limit = account->limit();
        require(used.frames <= limit.frames && used.objects <= limit.objects && used.nodes <= limit.nodes,
                "an account is overdrawn");
    }
    require(kernel.cells_.used() == cells, "cells in use: ", kernel.cells_.used(), ", objects and mappings: ", cells);
}

void Inspector::Census::check_nodes() {
    require(kernel.nodes_.used() == nodes, "nodes in use: ", kernel.nodes_.used(), ", in trees: ", nodes);
    std::function<void(Node&)> visit = [&](Node& node) {
        if (node.alive && !node.object->dead) {
            require(node.references == references[&node], "a node of a ", name_of(node.object->type), " has ", node.references,
                    " references, there are ", references[&node]);
            require(!node.unused() || node.object->dead, "a node of a ", name_of(node.object->type),
                    " that nobody uses is alive");
        }
        for (Node* child = node.first_child; child != nullptr; child = child->next_sibling) visit(*child);
    };
    for (Object* object : objects) {
        if (object->root != nullptr) visit(*object->root);
    }
}

void Inspector::Census::check_frames() {
    const FrameAllocator& allocator = kernel.frames_;
    require(allocator.free_frames() + frames.size() == allocator.total_frames(), allocator.free_frames(),
            " frames are free and ", frames.size(), " are owned, of ", allocator.total_frames());
}

void Inspector::Census::check_ring(Thread& thread) {
    Ring& ring = thread.ring;
    u32 used = 0, starved = 0, deferred = 0, users[kBufferGroups + 1]{};
    for (Pending& p : ring.pending()) {
        if (p.what == PendingKind::unused) continue;
        ++used;
        require(p.owner == &thread, "a record names another thread as its owner");
        if (p.what == PendingKind::work) ++deferred;
        if (p.what == PendingKind::receive) {
            ++users[p.group];
            if (p.starved) ++starved;
        }
        if (p.what != PendingKind::call) continue;
        if (p.answer != kNoAnswer) {
            require(ring.answers[p.answer].state == Answer::State::pending && ring.answers[p.answer].call == &p,
                    "a call and the answer that it fills do not know each other");
        }
        if (p.call_state == CallState::delivered) {
            require(p.received != nullptr && p.received->in_use && p.received->call == &p,
                    "a delivered call's server does not know it");
        } else {
            require(p.queue_link.linked(), "a call waits nowhere");
        }
    }
    require(ring.*member_of(RingReserved{}) == used, "a ring reserves ", ring.*member_of(RingReserved{}), " completions for ",
            used, " records");
    require(ring.cq_tail() - ring.*member_of(RingHead{}) + used <= ring.geometry().cq_entries, "a ring has more than it holds");
    for (Received& r : ring.received()) {
        if (!r.in_use) continue;
        if (r.cancel_unsaid) ++starved;
        require(r.server == &thread, "a received call names another server");
        const auto brought_it = [&](const Pending& p) { return p.what == PendingKind::receive && p.source == r.source; };
        require(r.call == nullptr || thread.ended() || r.through.node != nullptr ||
                    std::ranges::any_of(ring.pending(), brought_it),
                "a received call would not end with its receiver");
        require(r.call == nullptr || (r.call->received == &r && r.call->call_state == CallState::delivered),
                "a received call's caller does not know it");
    }
    require(thread.ended() || thread.starved == starved, "a thread counts ", thread.starved, " that starve, there are ",
            starved);
    require(thread.deferred == deferred, "a thread counts ", thread.deferred, " deferred calls, there are ", deferred);
    for (u32 i = 0; i < kBufferGroups; ++i) require(ring.groups[i].users == users[i], "a buffer group miscounts its users");
    for (Answer& answer : ring.answers) {
        u32 held = 0;
        for (Pending* p = answer.held.front(); p != nullptr; p = answer.held.next(*p)) {
            require(p->call_state == CallState::held && &ring.answers[p->group] == &answer, "a held call is held elsewhere");
            ++held;
        }
        require(held == answer.held_count && held <= abi::kPipelineDepthMax, "an answer miscounts what it holds");
        require(held == 0 || answer.state == Answer::State::pending, "an answer that is not pending holds calls");
    }
}

void Inspector::Census::check_processes() {
    for (Process* process : processes) {
        u32 alive = 0, reserved = 0;
        bool ended = false;
        for (Thread* t = process->threads.front(); t != nullptr; t = process->threads.next(*t)) {
            require(&t->process() == process, "a thread is listed by another process");
            require(!ended || t->ended(), "a thread that has ended is listed before one that has not");
            ended = t->ended();
            if (!t->ended()) ++alive;
            check_ring(*t);
            for (const BufferGroup& g : t->ring.groups) reserved += static_cast<u32>(std::popcount(g.free)) * g.slots_each;
            for (const Pending& p : t->ring.pending()) {
                if (p.what == PendingKind::call) reserved += p.result_slots;
            }
        }
        require(process->thread_count == alive, "a process counts ", process->thread_count, " threads, alive are ", alive);
        if (process->state == Process::State::ended) continue;
        require(process->table.*member_of(TableReserved{}) == reserved, "a table has ",
                process->table.*member_of(TableReserved{}), " slots reserved, records ask for ", reserved);
        require(process->table.used() + reserved <= process->table.capacity(), "a table is overdrawn");
    }
}

void Inspector::Census::check_endpoints() {
    for (Endpoint* endpoint : endpoints) {
        for (Pending* p = endpoint->calls.front(); p != nullptr; p = endpoint->calls.next(*p)) {
            require(p->call_state == CallState::queued && (p->what == PendingKind::call || p->what == PendingKind::fault),
                    "what waits at an endpoint is no call");
            const Node* facet = p->through.get();
            require(facet == nullptr || facet->object == endpoint, "a call waits at another endpoint than it was sent to");
        }
        for (Pending* p = endpoint->receivers.front(); p != nullptr; p = endpoint->receivers.next(*p)) {
            require(p->what == PendingKind::receive && !p->starved && p->source == endpoint,
                    "what receives at an endpoint is no receiver");
        }
        // Somebody who could take a call, and one that waits, do not stand beside each other.
        const Pending* receive = endpoint->receivers.front();
        require(endpoint->calls.empty() || receive == nullptr || receive->owner->ended() || endpoint->attention_link.linked() ||
                    endpoint->dead || kernel.has_work(),
                "a call waits though somebody receives");
    }
    for (Memory* memory : memories) {
        u32 writable = 0;
        for (Region* r = memory->regions.front(); r != nullptr; r = memory->regions.next(*r)) {
            require(r->memory == memory, "a mapping is listed by another memory");
            if (r->writable) ++writable;
        }
        require(writable == memory->writable_mappings, "a memory miscounts its writable mappings");
        require(writable == 0 || !memory->sealed(), "sealed memory has a writable mapping");
    }
}

void Inspector::Census::check_scheduler() {
    std::unordered_map<const Thread*, u32> queued, current;
    for (Cpu& cpu : kernel.cpus_) {
        for (u32 p = 0; p < kPriorities; ++p) {
            require(cpu.queues[p].empty() == ((cpu.ready >> p & 1) == 0), "a run queue's bit is wrong");
            for (Thread* t = cpu.queues[p].front(); t != nullptr; t = cpu.queues[p].next(*t)) {
                ++queued[t];
                require(t->state == ThreadState::ready && t->cpu == &cpu && t->queued_priority == p,
                        "a queued thread is not ready there");
                require(!t->pinned || t->pinned_cpu == &cpu, "a pinned thread is queued elsewhere");
            }
        }
        if (cpu.next != nullptr) ++queued[cpu.next];
        if (cpu.current != nullptr) ++current[cpu.current];
        if (cpu.current != nullptr) {
            require(cpu.current->state == ThreadState::running || cpu.current->ended(),
                    "a CPU's current thread neither runs nor has ended");
        }
    }
    for (const Thread* t : threads) {
        require(queued[t] == (t->state == ThreadState::ready ? 1 : 0), "a thread in state ", static_cast<u32>(t->state),
                " is in ", queued[t], " run queues");
        require(t->state != ThreadState::running || current[t] == 1, "a running thread runs on ", current[t], " CPUs");
        const bool sleeps = t->state == ThreadState::throttled || t->state == ThreadState::faulted ||
                            (t->state == ThreadState::waiting && t->wake_at != kNever);
        require(t->timer_link.linked == sleeps, "a thread in state ", static_cast<u32>(t->state), sleeps ? " is not" : " is",
                " among those that sleep");
        // Who has lent its own waits; who works with another's leaves its own alone.
        const bool lent = t->active == &t->own && t->own.user != t;
        require(t->active->user == t || (lent && t->state == ThreadState::waiting), "a thread in state ",
                static_cast<u32>(t->state), " uses a scheduling context that somebody else uses");
        require(t->own.user == t || t->own.user->active == &t->own, "a scheduling context's user does not use it");
    }
}

std::string Inspector::objects() {
    std::string text;
    std::function<void(Account&, std::string)> list = [&](Account& account, const std::string& indent) {
        for (auto* objects : {&account.objects, &account.ending}) {
            for (Object* o = objects->front(); o != nullptr; o = objects->next(*o)) {
                text += indent + name_of(o->type) + (o->dead ? ", dead" : "") + (o->reap_link.linked() ? ", to be reaped" : "");
                if (o->root != nullptr) {
                    text += ", root: " + std::to_string(o->root->references) + " references";
                    for (Node* n = o->root->first_child; n != nullptr; n = n->next_sibling) {
                        text += ", child " + std::to_string(static_cast<int>(n->interface)) + ": " +
                                std::to_string(n->references);
                    }
                }
                if (o->type == ObjectType::thread) {
                    auto& t = static_cast<Thread&>(*o);
                    text += ", state " + std::to_string(static_cast<int>(t.state)) + ", phase " + std::to_string(t.phase) +
                            ", prepared " + std::to_string(t.prepared.reserved) + "/" + std::to_string(t.prepared.order) +
                            "/" + std::to_string(t.prepared.charged);
                } else if (o->type == ObjectType::process) {
                    auto& p = static_cast<Process&>(*o);
                    text += ", state " + std::to_string(static_cast<int>(p.state)) + ", " + std::to_string(p.table.frames()) +
                            " table frames";
                } else if (o->type == ObjectType::memory) {
                    auto& m = static_cast<Memory&>(*o);
                    text += ", " + std::to_string(m.charged()) + " frames charged";
                } else if (o->type == ObjectType::address_space) {
                    auto& s = static_cast<AddressSpace&>(*o);
                    for (Region* r = s.regions.first(); r != nullptr; r = s.regions.at_or_above(r->start.value + 1)) {
                        text += ", mapping " + hex(r->start.value) + "+" + std::to_string(r->pages.value) + " state " +
                                std::to_string(static_cast<int>(r->state)) + " charged " + std::to_string(r->charged);
                    }
                }
                text += '\n';
                if (o->type == ObjectType::account) list(static_cast<Account&>(*o), indent + "    ");
            }
        }
    };
    list(machine_.kernel().root_account_, "");
    for (u32 n = 0; n < machine_.cpu_count(); ++n) {
        const Thread* current = machine_.core_cpu(n).current;
        text +=
            "CPU " + std::to_string(n) + ": situation " + std::to_string(static_cast<int>(machine_.cpu(n).where)) +
            ", last action " + std::to_string(static_cast<int>(machine_.cpu(n).action.kind)) +
            (current != nullptr ? ", thread in state " + std::to_string(static_cast<int>(current->state)) : ", no thread") +
            '\n';
    }
    return text;
}

std::vector<Process*> Inspector::processes() {
    Census c{machine_, machine_.kernel(), {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}};
    c.find_objects(machine_.kernel().root_account_);
    return c.processes;
}

void Inspector::check() {
    Kernel& k = machine_.kernel();
    Census c{machine_, k, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}};
    c.find_objects(k.root_account_);
    for (Object* object : {static_cast<Object*>(&k.root_account_), &k.clock_, &k.kernel_log_, &k.entropy_, &k.power_,
                           &k.platform_info_, &k.profile_, &k.port_space_, &k.interrupt_space_}) {
        c.count_tree(*object->root);
        c.references[object->root] += 1;  // the kernel's own
        if (object != &k.root_account_) c.objects.push_back(object);
    }
    for (Object* object : std::vector<Object*>{c.objects}) {
        if (object->account != nullptr) c.count(*object);
    }
    c.check_accounts();
    c.check_nodes();
    c.check_frames();
    c.check_processes();
    c.check_endpoints();
    c.check_scheduler();
    check_translations(c.spaces);
    check_ports();
    check_interrupts();
}

}  // namespace capos::kernel
