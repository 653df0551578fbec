// Methods of AddressSpace, Memory and ReadableMemory.

#include <algorithm>

#include "core/kernel.h"

namespace capos::kernel {

namespace {

enum Protection : u8 { kRead = 1, kWrite = 2, kExecute = 4 };

constinit const std::byte kZeroPage[kPageBytes]{};

// Writable and executable at once cannot be said (R12).
KernelResult<Access> access_of(u8 protection) {
    if ((protection & kRead) == 0 || protection > (kRead | kWrite | kExecute)) return fail(Status::bad_argument);
    if ((protection & kWrite) != 0) {
        if ((protection & kExecute) != 0) return fail(Status::not_permitted);
        return Access::read_write;
    }
    return (protection & kExecute) != 0 ? Access::read_execute : Access::read;
}

// What memory allows: executable only when it can't change any more, writable only until then.
KernelResult<void> check_access(const Memory& memory, Interface through, Access access) {
    if (access == Access::read_execute && !memory.sealed()) return fail(Status::not_permitted);
    if (access == Access::read_write && (memory.sealed() || through == Interface::readable_memory)) {
        return fail(Status::not_permitted);
    }
    return done;
}

}  // namespace

KernelResult<Kernel::Restart> Kernel::call_space(ObjectCall& call) {
    auto& space = static_cast<AddressSpace&>(*call.node.object);
    switch (call.method()) {
        case idl::AddressSpace::Map::kOrdinal: return map_call(call, space);
        case idl::AddressSpace::Unmap::kOrdinal: {
            const auto params = TRY(call.decode<idl::AddressSpace::Unmap>());
            Region* region = TRY(whole_region(space, params.address, params.bytes));
            // What is being lost need not become scrap any more; what was removed so far stays removed.
            if (region->state == Region::State::losing) region->state = Region::State::unmapping;
            unmap(*region);
            while (region->state == Region::State::unmapping) {
                if (here_->steps_left == 0) return change_later(call, *region);
                if (!unmap_step(*region, here_->steps_left)) continue;
                if (retire(*region)) return call.reply(idl::AddressSpace::Unmap::Results{});
                return defer(call, region->waiters);
            }
            return fail(Status::bad_argument);
        }
        case idl::AddressSpace::Protect::kOrdinal: {
            const auto params = TRY(call.decode<idl::AddressSpace::Protect>());
            Region* region = TRY(whole_region(space, params.address, params.bytes));
            const Access access = TRY(access_of(params.protection));
            if (region->state == Region::State::unmapping) return fail(Status::bad_argument);
            if (region->memory != nullptr) {
                const Node* through = region->through.get();
                TRY(check_access(*region->memory, through != nullptr ? through->interface : Interface::readable_memory,
                                 access));
            } else if (access == Access::read_execute) {
                return fail(Status::not_permitted);
            }
            if (region->state == Region::State::losing) {
                region->access = access;  // of the pages that will be entered anew
                return defer(call, region->waiters);
            }
            set_access(*region, access);
            while (region->cursor < region->pages.value) {
                if (here_->steps_left == 0) return change_later(call, *region);
                --here_->steps_left;
                protect_step(*region);
            }
            if (await_invalidation(*region)) return call.reply(idl::AddressSpace::Protect::Results{});
            return defer(call, region->waiters);
        }
        default: return fail(Status::unimplemented);
    }
}

// The rest of the region in another step.
Kernel::Restart Kernel::change_later(ObjectCall& call, Region& region) {
    if (region.change_link.linked()) region.change_link.unlink();
    call.caller.changing.push_back(region);
    return Restart::again;
}

// The region that spans exactly that range and can be changed. A thread's ring region goes only with its thread.
KernelResult<Region*> Kernel::whole_region(AddressSpace& space, u64 address, u64 bytes) {
    Region* region = space.region_at(VirtualAddress{address});
    if (region == nullptr || region->start.value != address || bytes != bytes_of(region->pages).value || region->ring ||
        region->state == Region::State::retiring) {
        return fail(Status::bad_argument);
    }
    return region;
}

KernelResult<Kernel::Restart> Kernel::map_call(ObjectCall& call, AddressSpace& space) {
    const auto params = TRY(call.decode<idl::AddressSpace::Map>());
    Node* node = TRY(call.argument(params.memory));
    if (node->interface != Interface::memory && node->interface != Interface::readable_memory)
        return fail(Status::wrong_interface);
    auto& memory = static_cast<Memory&>(*node->object);
    const Access access = TRY(access_of(params.protection));
    const u64 size = bytes_of(memory.pages()).value;
    if (params.bytes == 0 || (params.bytes | params.offset | params.address) % kPageBytes != 0 || params.offset > size ||
        params.bytes > size - params.offset) {
        return fail(Status::bad_argument);
    }
    TRY(check_access(memory, node->interface, access));
    if (space.dead) return fail(Status::disconnected);
    const PageCount pages{params.bytes / kPageBytes};
    VirtualAddress start{params.address};
    if (params.address == 0) {
        const std::optional<VirtualAddress> chosen = space.find_free(pages);
        if (!chosen) return fail(Status::quota);
        start = *chosen;
    } else if (!AddressSpace::in_user_half(start, pages)) {
        return fail(Status::bad_argument);
    } else if (!space.is_free(start, pages)) {
        return fail(Status::exists);
    }
    TRY(map(space, memory, *node, params.offset / kPageBytes, start, pages, access));
    return call.reply(idl::AddressSpace::Map::Results{.address = start.value});
}

KernelResult<Kernel::Restart> Kernel::call_memory(ObjectCall& call) {
    auto& memory = static_cast<Memory&>(*call.node.object);
    if (call.entry.interface_id == idl::ReadableMemory::kInterfaceId) {
        if (call.method() != idl::ReadableMemory::Size::kOrdinal) return fail(Status::unimplemented);
        TRY(call.decode<idl::ReadableMemory::Size>());
        return call.reply(
            idl::ReadableMemory::Size::Results{.bytes = bytes_of(memory.pages()).value, .sealed = memory.sealed()});
    }
    switch (call.method()) {
        case idl::Memory::Seal::kOrdinal:
            TRY(call.decode<idl::Memory::Seal>());
            if (memory.writable_mappings != 0) return fail(Status::not_permitted);
            memory.seal();
            return call.reply(idl::Memory::Seal::Results{});
        case idl::Memory::Readable::kOrdinal: {
            TRY(call.decode<idl::Memory::Readable>());
            TRY(call.reserve(1));
            Node* node = TRY(nodes_.derive(call.node, Interface::readable_memory, 0, call.payer()));
            call.give(*node);
            return call.reply(idl::Memory::Readable::Results{.memory = {0}});
        }
        case idl::Memory::Read::kOrdinal: {
            const auto params = TRY(call.decode<idl::Memory::Read>());
            const u64 size = bytes_of(memory.pages()).value, within = params.offset % kPageBytes;
            if (params.offset > size || params.length > size - params.offset || params.length > kPageBytes - within) {
                return fail(Status::bad_argument);
            }
            const usize needed = idl::Memory::Read::Results::kBytesMin + (params.length + 7) / 8 * 8;
            if (call.out.size() < needed) return fail(Status::no_buffer);
            const auto frame = params.length != 0 ? memory.frame(params.offset / kPageBytes) : std::nullopt;
            spend(params.length / kBytesPerUnit);
            const std::byte* from = frame ? port::direct_map(frame->address) + within : kZeroPage;
            return call.reply(idl::Memory::Read::Results{.data = {from, params.length}});
        }
        case idl::Memory::Write::kOrdinal: return write_memory(call, memory);
        default: return fail(Status::unimplemented);
    }
}

KernelResult<Kernel::Restart> Kernel::write_memory(ObjectCall& call, Memory& memory) {
    const auto params = TRY(call.decode<idl::Memory::Write>());
    const u64 size = bytes_of(memory.pages()).value;
    if (params.offset > size || params.data.size() > size - params.offset) return fail(Status::bad_argument);
    if (memory.sealed()) return fail(Status::not_permitted);
    // Every page first, then the bytes: a restart finds the pages that are there.
    for (u64 at = params.offset & ~(kPageBytes - 1); at < params.offset + params.data.size(); at += kPageBytes) {
        if (memory.frame(at / kPageBytes)) continue;
        if (const Restart restart = TRY(prepare(call.caller, 0)); restart != Restart::none) return restart;
        memory.set_frame(at / kPageBytes, take_prepared(call.caller), frames_);
    }
    for (usize done_bytes = 0; done_bytes < params.data.size();) {
        const u64 at = params.offset + done_bytes;
        const usize count = std::min<usize>(params.data.size() - done_bytes, kPageBytes - at % kPageBytes);
        std::memcpy(port::direct_map(memory.frame(at / kPageBytes)->address) + at % kPageBytes,
                    params.data.data() + done_bytes, count);
        done_bytes += count;
    }
    return call.reply(idl::Memory::Write::Results{});
}

}  // namespace capos::kernel
