// Regions: how memory comes into an address space, and how it goes. Nothing here can fail half-way (R15): what a mapping may
// ever need is paid for when it is made, and entering pages takes only what was paid for.

#include <algorithm>

#include "core/kernel.h"

namespace capos::kernel {

namespace {

constexpr u64 kEagerPages = 16;    // entered by map where frames exist already
constexpr u64 kPagesPerUnit = 1;   // page-table entries changed in one unit of work
constexpr u32 kTablesPerUnit = 2;  // freed
constexpr u64 kLargePages = PageTable::kPageBytes2M / kPageBytes;

PageAttributes attributes_of(const Region& region) { return {.access = region.access, .user = true}; }

VirtualAddress address_of(const Region& region, u64 page) { return region.start + PageCount{page}; }

}  // namespace

KernelResult<Region*> Kernel::make_region(AddressSpace& space, VirtualAddress start, PageCount pages) {
    // The worst case of its page tables, and one scrap frame.
    const u64 frames = PageTable::tables_worst_case(start, pages) + 1;
    TRY(space.account->charge({.frames = frames, .objects = 1}));
    auto* region = new (cells_.take()) Region;
    region->space = &space;
    region->start = start;
    region->pages = pages;
    region->charged = frames;
    region->cursor = pages.value;
    space.regions.insert(*region);
    ++space.region_count;
    return region;
}

KernelResult<Region*> Kernel::map(AddressSpace& space, Memory& memory, Node& through, u64 first_page, VirtualAddress start,
                                  PageCount pages, Access access) {
    static_assert(sizeof(Region) <= kObjectCellBytes);
    Region* region = TRY(make_region(space, start, pages));
    region->memory = &memory;
    region->first_page = first_page;
    region->access = access;
    region->writable = access == Access::read_write;
    if (region->writable) ++memory.writable_mappings;
    memory.regions.push_back(*region);
    nodes_.add_reference(through);
    region->through = through.ref();
    through.uses.push_back(*region);
    spend(kEagerPages / 2);
    enter_resident(*region);
    return region;
}

// `block` is zeroed; its frames are charged here.
KernelResult<Region*> Kernel::map_ring(AddressSpace& space, PhysicalAddress block, u8 order) {
    const u64 frames = u64{1} << order;
    const std::optional<VirtualAddress> start = space.find_free(PageCount{frames});
    if (!start) return fail(Status::quota);
    TRY(space.account->charge({.frames = frames}));
    auto made = make_region(space, *start, PageCount{frames});
    if (!made) {
        space.account->refund({.frames = frames});
        return fail(made.error());
    }
    Region& region = **made;
    region.ring = true;
    region.access = Access::read_write;
    region.block = block;
    region.block_order = order;
    region.charged += frames;
    enter_resident(region);
    return &region;
}

void Kernel::enter_page(Region& region, u64 page, PhysicalAddress frame, u64 page_bytes) {
    struct Source {
        Kernel& kernel;
        Region& region;
    } source{*this, region};
    TableSource tables{
        &source,
        [](void* context) -> std::optional<PhysicalAddress> {
            auto& s = *static_cast<Source*>(context);
            if (const PhysicalAddress spare = std::exchange(s.region.space->spare_table, {}); spare.value != 0) return spare;
            const PhysicalAddress table = s.kernel.frames_.allocate_charged();
            std::memset(port::direct_map(table), 0, kPageBytes);
            return table;
        },
        [](void*, PhysicalAddress) {}};
    const bool entered = region.space->table.map(address_of(region, page), frame, page_bytes, attributes_of(region), tables);
    KERNEL_ASSERT(entered);
}

// Enters the first pages that have frames already, so that touching them does not fault.
void Kernel::enter_resident(Region& region) {
    for (u64 page = 0; page < std::min(region.pages.value, kEagerPages); ++page) {
        if (region.ring) {
            enter_page(region, page, region.block + PageCount{page}, kPageBytes);
        } else if (const auto frame = region.memory->frame(region.first_page + page); frame && !frame->in_block) {
            enter_page(region, page, frame->address, kPageBytes);
        }
    }
}

// True if the 2 MiB around the page can be one entry: aligned alike, and wholly in the region.
bool Kernel::large_fits(const Region& region, u64 page) {
    const u64 first = (region.first_page + page) / kLargePages * kLargePages;
    if (first < region.first_page) return false;
    const u64 offset = first - region.first_page;
    return address_of(region, offset).value % PageTable::kPageBytes2M == 0 && offset + kLargePages <= region.pages.value;
}

bool Kernel::uses_here(const AddressSpace& space) const {
    return here_->loaded_root.load(std::memory_order_relaxed) == space.table.root().value;
}

void Kernel::flush_here(const AddressSpace& space, VirtualAddress page) {
    if (uses_here(space)) port::flush_page(page);
}

// Before each piece of a change. CPUs may take turns at it, and each forgets by itself only what it has changed.
void Kernel::note_changer(Region& region) {
    if (region.cursor == 0) {
        region.changer = here_;
    } else if (region.changer != here_) {
        region.changer = nullptr;
    }
}

void Kernel::unmap(Region& region) {
    if (region.state != Region::State::mapped) return;
    region.state = Region::State::unmapping;
    region.cursor = 0;
}

// Removes entries; true when none is left. Tables that became empty wait with the region.
bool Kernel::unmap_step(Region& region, u32& units) {
    struct Source {
        Kernel& kernel;
        Region& region;
    } source{*this, region};
    TableSource tables{&source, [](void*) -> std::optional<PhysicalAddress> { return std::nullopt; },
                       [](void* context, PhysicalAddress table) {
                           auto& s = *static_cast<Source*>(context);
                           s.kernel.frames_.chain_push(s.region.retired_tables, table);
                       }};
    note_changer(region);
    while (region.cursor < region.pages.value) {
        if (units == 0) return false;
        --units;
        for (u64 i = 0; i < kPagesPerUnit && region.cursor < region.pages.value; ++i) {
            const VirtualAddress address = address_of(region, region.cursor);
            if (const auto old = region.space->table.unmap(address, tables)) {
                flush_here(*region.space, address);
                region.cursor += old->page_bytes / kPageBytes;
            } else {
                region.cursor += region.space->table.empty_bytes(address) / kPageBytes;
            }
        }
    }
    region.cursor = region.pages.value;
    return true;
}

// All entries are gone; the rest goes when no CPU remembers them. True if that is now, and the region is freed.
bool Kernel::retire(Region& region) {
    region.state = Region::State::retiring;
    return await_invalidation(region) && finish_retiring(region);
}

// No CPU remembers the region's entries: it is freed, or known as lost. False when its tables are more than this step can
// free; the rest is for whoever looks at retiring_ next.
bool Kernel::finish_retiring(Region& region) {
    if (!free_tables(region)) {
        if (!region.work_link.linked()) retiring_.push_front(region);  // its stamp has been reached
        return false;
    }
    if (region.work_link.linked()) region.work_link.unlink();
    if (region.state == Region::State::losing) {
        detach(region);
    } else {
        free_region(region);
    }
    return true;
}

// True if no CPU can remember what the region's entries were. The others are asked; this one has forgotten what it changed
// itself, and has to forget here what others did.
bool Kernel::await_invalidation(Region& region) {
    if (region.changer != here_ && uses_here(*region.space)) port::flush_all();
    region.stamp = invalidation_.request(*here_, region.space->table.root());
    if (region.work_link.linked()) region.work_link.unlink();
    if (region.stamp == 0) {
        settle_access(region);
        consequences_.finished.take_all(region.waiters);  // of an earlier change that others had still to acknowledge
        return true;
    }
    retiring_.push_back(region);
    return false;
}

bool Kernel::may_retire() const {
    const Region* first = retiring_.front();
    return first != nullptr && invalidation_.reached(first->stamp);
}

// An invalidation that all CPUs have acknowledged: whoever waited for it goes on.
void Kernel::retire_step() {
    Region& region = *retiring_.front();
    settle_access(region);
    if (region.state == Region::State::retiring || region.state == Region::State::losing) {
        finish_retiring(region);
    } else {
        retiring_.remove(region);
        consequences_.finished.take_all(region.waiters);
    }
}

// An empty table is all zero: one is kept, which the space pays for, and saves zeroing another for the next mapping. True when
// none is left.
bool Kernel::free_tables(Region& region) {
    for (u32 n = 1; region.retired_tables.value != 0; ++n) {
        if (n % kTablesPerUnit == 0) {
            if (here_->steps_left == 0) return false;
            spend(1);
        }
        const PhysicalAddress table = frames_.chain_pop(region.retired_tables);
        if (region.space->spare_table.value == 0) {
            region.space->spare_table = table;
        } else {
            frames_.free(table, 0);
        }
    }
    return true;
}

void Kernel::free_region(Region& region) {
    AddressSpace& space = *region.space;
    if (region.memory != nullptr) detach(region);
    if (region.block.value != 0) frames_.free(region.block, region.block_order);
    if (region.thread != nullptr) region.thread->region = nullptr;
    if (region.lost_link.linked()) region.lost_link.unlink();
    if (region.change_link.linked()) region.change_link.unlink();
    space.regions.erase(region);
    --space.region_count;
    space.account->refund({.frames = region.charged, .objects = 1});
    consequences_.finished.take_all(region.waiters);
    region.~Region();
    cells_.give_back(&region);
}

// --- access ---

void Kernel::set_access(Region& region, Access access) {
    if (region.access == access) return;
    region.access = access;
    region.cursor = 0;
    if (access == Access::read_write && region.memory != nullptr && !region.writable) {
        region.writable = true;
        ++region.memory->writable_mappings;
    }
}

void Kernel::protect_step(Region& region) {
    note_changer(region);
    for (u64 i = 0; i < kPagesPerUnit && region.cursor < region.pages.value; ++i) {
        const VirtualAddress address = address_of(region, region.cursor);
        const std::optional<Translation> old = region.space->table.lookup(address);
        if (!old) {
            region.cursor += region.space->table.empty_bytes(address) / kPageBytes;
            continue;
        }
        region.space->table.protect(address, attributes_of(region));
        flush_here(*region.space, address);
        region.cursor += old->page_bytes / kPageBytes;
    }
}

// No CPU can write through it any more.
void Kernel::settle_access(Region& region) {
    if (!region.writable || (region.access == Access::read_write && region.state != Region::State::retiring)) return;
    if (region.memory == nullptr) return;
    region.writable = false;
    --region.memory->writable_mappings;
}

// --- losing memory ---

// What the region maps goes away: its node was killed, or the memory ends.
void Kernel::lose(Region& region) {
    if (region.use_link.linked()) region.use_link.unlink();
    if (region.lost) return;
    region.lost = true;
    if (region.state == Region::State::retiring) return;  // goes anyway
    if (region.state == Region::State::mapped) {
        region.state = Region::State::losing;
        region.cursor = 0;
    }  // else whoever began to unmap it may never come back: the reaper finishes it
    if (region.work_link.linked()) region.work_link.unlink();
    losing_.push_back(region);
}

// Nothing reaches the memory through this region any more. Its tables are free: what is entered from now on needs the frames
// that paid for them.
void Kernel::detach(Region& region) {
    Memory& memory = *region.memory;
    memory.regions.remove(region);
    if (region.writable) --memory.writable_mappings;
    region.writable = false;
    region.memory = nullptr;
    if (region.use_link.linked()) region.use_link.unlink();
    const NodeRef through = region.through;
    region.through = {};
    if (region.state == Region::State::losing) {
        region.state = Region::State::mapped;
        region.space->lost.push_back(region);
        report_lost(*region.space->process);
        consequences_.finished.take_all(region.waiters);
    }
    if (memory.dead) consequences_.reap(memory);
    nodes_.drop_reference(through);
}

PhysicalAddress Kernel::scrap_frame(Region& region) {
    if (region.block.value == 0) {
        region.block = frames_.allocate_charged();
        std::memset(port::direct_map(region.block), 0, kPageBytes);
    }
    return region.block;
}

// Tells the holder, once for each region, in the ring of the process's oldest thread. What finds no room there waits until
// that thread enters, or another one is the oldest. False when the step is spent and there is more.
bool Kernel::report_lost(Process& process) {
    Thread* thread = process.threads.front();
    if (thread == nullptr || thread->ended()) return true;
    while (!process.space->lost.empty() && thread->ring.free_slots() != 0) {
        if (here_->steps_left == 0) return false;
        --here_->steps_left;
        const Region* region = process.space->lost.pop_front();
        thread->ring.post({.token = region->start.value, .kind = static_cast<u8>(abi::CompletionKind::lost)});
        posted(*thread);
    }
    return true;
}

}  // namespace capos::kernel
