// The first process, made by the kernel itself from what the boot loader brought. Everything here is paid by the root
// account and uses what processes are made of later, too.

#include "core/kernel.h"

namespace capos::kernel {

KernelResult<Kernel::BootProcess> Kernel::make_boot_process(std::string_view name, const RingGeometry& geometry) {
    begin(cpus_.front(), Time{});
    Process* process = TRY(make_process(root_account_, 4 * CapabilityTable::kSlotsPerFrame, name));
    const auto order = static_cast<unsigned>(std::countr_zero(geometry.region_bytes)) - kPageShift;
    const std::optional<PhysicalAddress> block = frames_.allocate(order);
    if (!block) return fail(Status::quota);
    std::memset(port::direct_map(*block), 0, geometry.region_bytes);
    Thread* thread = TRY(make_thread(*process, geometry, kPriorityMax - 1, name, *block));
    boot_process_ = process;
    return BootProcess{process, thread};
}

KernelResult<Memory*> Kernel::make_boot_memory(PageCount pages) {
    Memory* memory = TRY(make_object<Memory>(root_account_, Interface::memory,
                                             Resources{.frames = Memory::frames_charged(pages)}, pages));
    for (u64 page = 0; page < pages.value; ++page) {
        const PhysicalAddress frame = frames_.allocate_charged();
        std::memset(port::direct_map(frame), 0, kPageBytes);
        memory->set_frame(page, frame, frames_);
    }
    return memory;
}

KernelResult<Memory*> Kernel::adopt_boot_memory(PhysicalAddress first, PageCount pages) {
    Memory* memory = TRY(make_object<Memory>(root_account_, Interface::memory, Resources{}, pages));
    memory->adopt(first);
    memory->seal();
    return memory;
}

KernelResult<void> Kernel::map_boot_memory(AddressSpace& space, Memory& memory, VirtualAddress start, Access access) {
    if (!space.is_free(start, memory.pages())) return fail(Status::exists);
    TRY(map(space, memory, *memory.root, 0, start, memory.pages(), access));
    return done;
}

KernelResult<abi::CapId> Kernel::grant_boot(Process& process, Object& object, bool readable) {
    Node* node = object.root;
    if (readable) node = TRY(nodes_.derive(*node, Interface::readable_memory, 0, root_account_));
    return process.table.install(*node, nodes_);
}

void Kernel::start_boot_thread(Thread& thread, VirtualAddress entry, VirtualAddress stack, u32 start_offset, u32 start_length) {
    start(thread, entry.value, stack.value, 0, start_offset, start_length);
}

}  // namespace capos::kernel
