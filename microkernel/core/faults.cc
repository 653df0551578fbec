// Faults of user threads: pages that are entered when they are first touched; calls to a fault handler; or the end.

#include "core/kernel.h"

namespace capos::kernel {

namespace {

constexpr u8 kPageFault = 14;
// SDM vol. 3A §4.7.
enum ErrorCode : u64 { kPresent = 1 << 0, kWriteAccess = 1 << 1, kUser = 1 << 2, kReserved = 1 << 3, kFetch = 1 << 4 };

bool allows(Access access, u64 error_code) {
    if ((error_code & kReserved) != 0) return false;
    // An access that the processor made as supervisor, for an instruction of the user: SMAP refuses it however often it is
    // tried.
    if ((error_code & (kPresent | kUser)) == kPresent) return false;
    if ((error_code & kWriteAccess) != 0) return access == Access::read_write;
    if ((error_code & kFetch) != 0) return access == Access::read_execute;
    return true;
}

}  // namespace

Kernel::Progress Kernel::start_fault(Thread& thread) {
    const Fault& fault = thread.fault;
    if (fault.vector == kPageFault) {
        Region* region = thread.process().space->region_at(VirtualAddress{fault.address});
        if (region != nullptr && allows(region->access, fault.error_code)) {
            switch (region->state) {
                case Region::State::mapped:
                    return page_fault(thread, *region, (fault.address - region->start.value) / kPageBytes);
                case Region::State::losing:
                    if (do_work(1) == 0) return Progress::again;
                    return stall(thread, *region);
                case Region::State::unmapping:
                case Region::State::retiring: break;
            }
        }
    }
    thread.continuation = Continuation::none;
    if (call_fault_handler(thread, fault.vector)) return Progress::switched;
    crash(thread, static_cast<abi::CrashCause>(fault.vector), static_cast<u32>(fault.error_code), fault.address);
    return Progress::switched;
}

// The mapping is being lost, and all that is left of it is up to other CPUs. The thread tries again after that.
Kernel::Progress Kernel::stall(Thread& thread, Region& region) {
    thread.state = ThreadState::stalled;
    thread.fault_call.what = PendingKind::stall;
    region.waiters.push_back(thread.fault_call);
    return Progress::switched;
}

// Enters the page. Looks at everything anew in each step: while a frame was zeroed, another thread may have entered one.
Kernel::Progress Kernel::page_fault(Thread& thread, Region& region, u64 page) {
    const VirtualAddress address = region.start + PageCount{page};
    const u64 memory_page = region.first_page + page;
    const bool backed = region.ring || region.lost || region.memory->frame(memory_page).has_value();
    const bool present = (thread.fault.error_code & kPresent) != 0;
    if (!backed && !present && !thread.prepared.zeroed) return prepare_page(thread, region, page);

    thread.continuation = Continuation::none;
    if (region.space->table.lookup(address)) {  // another thread has entered it, or it is being protected
        region.space->table.protect(address, {.access = region.access, .user = true});
        flush_here(*region.space, address);
        return Progress::run;
    }
    if (region.ring) {
        enter_page(region, page, region.block + PageCount{page}, kPageBytes);
        return Progress::run;
    }
    if (region.lost) {
        enter_page(region, page, scrap_frame(region), kPageBytes);
        return Progress::run;
    }
    Memory& memory = *region.memory;
    if (!backed) {
        if (const Progress progress = prepare_page(thread, region, page); progress != Progress::run) return progress;
        const bool block = thread.prepared.order == FrameAllocator::kOrderMax;
        const PhysicalAddress zeroed = take_prepared(thread);
        if (block) {
            memory.set_block(memory_page, zeroed, frames_);
        } else {
            memory.set_frame(memory_page, zeroed, frames_);
        }
    }
    const Memory::Frame frame = *memory.frame(memory_page);
    if (frame.in_block && large_fits(region, page)) {
        const u64 first = memory_page / Memory::kBlockPages * Memory::kBlockPages;
        enter_page(region, first - region.first_page, memory.frame(first)->address, PageTable::kPageBytes2M);
    } else {
        enter_page(region, page, frame.address, kPageBytes);
    }
    return Progress::run;
}

// Sees to it that the thread has a zeroed frame for the page, or a block of 2 MiB where that fits.
Kernel::Progress Kernel::prepare_page(Thread& thread, const Region& region, u64 page) {
    const bool small = thread.prepared.reserved && thread.prepared.order == 0;  // decided in an earlier step
    const bool large = !small && large_fits(region, page) && region.memory->block_possible(region.first_page + page);
    KernelResult<Restart> ready = prepare(thread, large ? u8{FrameAllocator::kOrderMax} : u8{0});
    if (!ready) ready = prepare(thread, 0);  // no large block: this always works
    if (*ready == Restart::none) {
        thread.continuation = Continuation::none;
        return Progress::run;
    }
    thread.continuation = Continuation::fault;
    return Progress::zero;
}

// Makes the fault a call. False when there is nobody who could answer: no handler, one that is down, or one in this very
// process.
bool Kernel::call_fault_handler(Thread& thread, u32 cause) {
    Node* facet = thread.fault_facet.get();
    if (facet == nullptr) return false;
    auto& endpoint = static_cast<Endpoint&>(*facet->object);
    if (endpoint.down && endpoint.receiver.get() == nullptr) return false;
    if (endpoint.served_by(thread.process().pid)) return false;
    port::save_extended(thread.context);
    const idl::FaultHandler::Fault::Params params{
        .record = {reinterpret_cast<const std::byte*>(&thread.crash), sizeof thread.crash}};
    thread.crash = record_of(thread, cause, static_cast<u32>(thread.fault.error_code), thread.fault.address);
    static_assert(sizeof thread.fault_message % 8 == 0);
    const usize bytes = params.encode(thread.fault_message);
    KERNEL_ASSERT(bytes != 0);
    Pending& call = thread.fault_call;
    call.what = PendingKind::fault;
    call.interface_id = idl::FaultHandler::kInterfaceId;
    call.method = idl::FaultHandler::Fault::kOrdinal;
    call.params_length = static_cast<u32>(bytes);
    thread.state = ThreadState::faulted;
    thread.wake_at = now_ + thread.fault_timeout;
    scheduler_.sleep(thread, *here_);
    send(call, *facet);
    return true;
}

bool Kernel::wants_resume(const std::byte* message, u32 length) {
    alignas(8) std::byte copy[idl::flat::kParamsBytesMax];
    if (length > sizeof copy) return false;
    copy_message(copy, message, length);
    const auto results = idl::FaultHandler::Fault::Results::decode({copy, length}, 0);
    return results && results->resume;
}

// The handler has answered, or will not. Its call is over.
void Kernel::answer_fault(Thread& thread, Status status, bool resume) {
    thread.fault_call.what = PendingKind::unused;
    if (thread.state != ThreadState::faulted) return;
    scheduler_.stop_sleeping(thread);
    if (status == Status::ok && resume) {
        scheduler_.make_ready(thread, *here_, now_);
        return;
    }
    const Fault& fault = thread.fault;
    crash(thread, static_cast<abi::CrashCause>(fault.vector), static_cast<u32>(fault.error_code), fault.address);
}

}  // namespace capos::kernel
