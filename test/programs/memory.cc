// Memory: mappings and their protection (R12), what a failed one leaves behind (R15), sharing, sealing, lazily zeroed pages,
// large pages, narrower authority, and memory that is taken away from under a mapping.

#include "support/child.h"

namespace capos::test {

namespace {

using namespace runtime;

constexpr u64 kHere = 0x2000'0000;
constexpr u64 kShared = 0x3000'0000;
constexpr u64 kLarge = 2 * 1024 * 1024;
constexpr u64 kMillisecond = 1'000'000;

volatile u64& word(u64 address) { return *reinterpret_cast<volatile u64*>(address); }

class MemoryTests {
public:
    MemoryTests(World& world, const Image& image) : world_{world}, caller_{world.caller}, image_{image} {}

    void run() {
        protection();
        aliases();
        ranges();
        contents();
        large_pages();
        facets();
        all_or_nothing();
        sharing();
        lost();
        accounts();
    }

private:
    Expected<u64> map_here(CapId memory, u64 bytes, u8 protection, u64 offset = 0, u64 address = kHere) {
        return map(caller_, world_.space, memory, offset, bytes, address, protection);
    }
    Expected<void> unmap_here(u64 bytes, u64 address = kHere) { return unmap(caller_, world_.space, address, bytes); }

    void protection() {
        const CapId memory = create_memory(caller_, world_.account, 2 * kPageBytes).value_or(CapId{});
        world_.check_error("writable and executable at once [R12]", map_here(memory, kPageBytes, kRead | kWrite | kExecute),
                           Status::not_permitted);
        world_.check_error("executable without a seal [R12]", map_here(memory, kPageBytes, kRead | kExecute),
                           Status::not_permitted);
        world_.check_error("neither readable", map_here(memory, kPageBytes, kWrite), Status::bad_argument);
        world_.check_error("an unknown protection", map_here(memory, kPageBytes, kRead | 8), Status::bad_argument);
        world_.check_ok("readable and writable", map_here(memory, kPageBytes, kRead | kWrite));
        world_.check_error("protect to writable and executable [R12]",
                           protect(caller_, world_.space, kHere, kPageBytes, kRead | kWrite | kExecute), Status::not_permitted);
        world_.check_error("protect to executable without a seal [R12]",
                           protect(caller_, world_.space, kHere, kPageBytes, kRead | kExecute), Status::not_permitted);
        world_.check_error("a seal while it is mapped writable [R12]", seal(caller_, memory), Status::not_permitted);
        world_.check_ok("protect to read only", protect(caller_, world_.space, kHere, kPageBytes, kRead));
        world_.check_ok("then a seal", seal(caller_, memory));
        world_.check_error("writable after the seal [R12]", protect(caller_, world_.space, kHere, kPageBytes, kRead | kWrite),
                           Status::not_permitted);
        world_.check_ok("executable after the seal", protect(caller_, world_.space, kHere, kPageBytes, kRead | kExecute));
        world_.check_error("another mapping, writable, of sealed memory [R12]",
                           map_here(memory, kPageBytes, kRead | kWrite, 0, kShared), Status::not_permitted);
        world_.check_error("Memory.write into sealed memory [R12]", write(memory), Status::not_permitted);
        world_.check_ok("unmap", unmap_here(kPageBytes));
        world_.check_error("protect of what is not mapped", protect(caller_, world_.space, kHere, kPageBytes, kRead),
                           Status::bad_argument);
        world_.check_error(
            "protect of a ring region to executable [R12]",
            protect(caller_, world_.space, reinterpret_cast<u64>(&world_.ring.header()), kPageBytes, kRead | kExecute),
            Status::bad_argument);
        release(caller_, memory);
    }

    Expected<void> write(CapId memory) {
        const std::byte bytes[8]{};
        TRY(caller_.call<idl::Memory::Write>(memory, {.offset = 0, .data = bytes}));
        return done;
    }

    // A writable alias in another process counts like one's own.
    void aliases() {
        const CapId memory = create_memory(caller_, world_.account, kPageBytes).value_or(CapId{});
        const auto other = create_process(caller_, world_.account, "alias");
        if (!other) return world_.check("process", false, other.error());
        (void)map(caller_, other->space, memory, 0, kPageBytes, kHere, kRead | kWrite);
        world_.check_error("a seal while another process writes [R12]", seal(caller_, memory), Status::not_permitted);
        (void)kill(caller_, other->process);
        world_.check_ok("a seal after its end", seal(caller_, memory));
        release(caller_, other->space);
        release(caller_, other->process);
        release(caller_, memory);
    }

    void ranges() {
        const CapId memory = create_memory(caller_, world_.account, 4 * kPageBytes).value_or(CapId{});
        world_.check_error("no bytes", map_here(memory, 0, kRead), Status::bad_argument);
        world_.check_error("half a page", map_here(memory, kPageBytes / 2, kRead), Status::bad_argument);
        world_.check_error("an offset inside a page", map_here(memory, kPageBytes, kRead, 8), Status::bad_argument);
        world_.check_error("beyond the memory", map_here(memory, 4 * kPageBytes, kRead, kPageBytes), Status::bad_argument);
        world_.check_error("an offset that wraps", map_here(memory, kPageBytes, kRead, ~u64{0} & ~(kPageBytes - 1)),
                           Status::bad_argument);
        world_.check_error("the null page", map_here(memory, kPageBytes, kRead, 0, kPageBytes), Status::bad_argument);
        world_.check_error("the kernel's half", map_here(memory, kPageBytes, kRead, 0, 0xffff'8000'0000'0000),
                           Status::bad_argument);
        world_.check_error("the last page of the user half", map_here(memory, kPageBytes, kRead, 0, 0x7fff'ffff'f000),
                           Status::bad_argument);
        world_.check_error("an address that is not canonical", map_here(memory, kPageBytes, kRead, 0, u64{1} << 47),
                           Status::bad_argument);
        world_.check_ok("a range", map_here(memory, 4 * kPageBytes, kRead | kWrite));
        world_.check_error("over a mapping", map_here(memory, kPageBytes, kRead, 0, kHere + 3 * kPageBytes), Status::exists);
        world_.check_error("across its start", map_here(memory, 2 * kPageBytes, kRead, 0, kHere - kPageBytes), Status::exists);
        world_.check_error("unmap of a part", unmap_here(kPageBytes), Status::bad_argument);
        world_.check_error("unmap of more", unmap_here(5 * kPageBytes), Status::bad_argument);
        world_.check_error("unmap of the ring region",
                           unmap_here(64 * 1024, reinterpret_cast<u64>(&world_.ring.header())), Status::bad_argument);
        world_.check_ok("unmap of all", unmap_here(4 * kPageBytes));
        world_.check_error("unmap twice", unmap_here(4 * kPageBytes), Status::bad_argument);
        world_.check_error("something that is no memory", map_here(world_.clock, kPageBytes, kRead), Status::wrong_interface);
        world_.check_error("memory of no bytes", create_memory(caller_, world_.account, 0), Status::bad_argument);
        world_.check_error("memory of half a page", create_memory(caller_, world_.account, 2048), Status::bad_argument);
        world_.check_error("memory of more than 64 GiB", create_memory(caller_, world_.account, (u64{64} << 30) + kPageBytes),
                           Status::bad_argument);
        world_.check_error("memory of more than there is", create_memory(caller_, world_.account, u64{32} << 30),
                           Status::quota);
        release(caller_, memory);
    }

    void contents() {
        const CapId memory = create_memory(caller_, world_.account, 8 * kPageBytes).value_or(CapId{});
        world_.sleep(10 * kMillisecond);  // what was released before is free now
        const u64 untouched = world_.free_frames();
        const auto address = map_here(memory, 8 * kPageBytes, kRead | kWrite, 0, 0);
        world_.check("the kernel chooses an address", address && *address % kPageBytes == 0);
        if (!address) return;
        bool zero = true;
        for (u64 at = 0; at < 8 * kPageBytes; at += 8) zero = zero && word(*address + at) == 0;
        world_.check("memory reads as zero", zero);
        world_.check("and takes its frames when it is touched", world_.free_frames() + 8 <= untouched);
        word(*address + 3 * kPageBytes + 16) = 0x5566;
        const auto read = caller_.call<idl::Memory::Read>(memory, {.offset = 3 * kPageBytes + 16, .length = 8});
        world_.check("Memory.read sees what was written", read && read->fields.data.size() == 8 &&
                                                              idl::flat::load<u64>(read->fields.data.data()) == 0x5566);
        world_.check_error("Memory.read beyond the end",
                           caller_.call<idl::Memory::Read>(memory, {.offset = 8 * kPageBytes, .length = 1}),
                           Status::bad_argument);
        (void)unmap_here(8 * kPageBytes, *address);
        (void)map_here(memory, kPageBytes, kRead, 3 * kPageBytes);
        world_.check("a mapping shows the same memory at its offset", word(kHere + 16) == 0x5566);
        (void)unmap_here(kPageBytes);
        release(caller_, memory);
        // Frames that were somebody's are zero again.
        const CapId next = create_memory(caller_, world_.account, 64 * kPageBytes).value_or(CapId{});
        (void)map_here(next, 64 * kPageBytes, kRead | kWrite);
        zero = true;
        for (u64 at = 0; at < 64 * kPageBytes; at += 8) zero = zero && word(kHere + at) == 0;
        world_.check("frames that were used before read as zero", zero);
        (void)unmap_here(64 * kPageBytes);
        release(caller_, next);
    }

    void large_pages() {
        const CapId memory = create_memory(caller_, world_.account, 2 * kLarge).value_or(CapId{});
        world_.check_ok("4 MiB at an aligned address", map_here(memory, 2 * kLarge, kRead | kWrite));
        world_.sleep(10 * kMillisecond);  // what was released before is free now
        const u64 before = world_.free_frames();
        word(kHere + 5 * kPageBytes) = 9;
        const u64 taken = before - world_.free_frames();
        world_.check("one touch takes a large page", taken >= 512, taken, " frames");
        bool zero = true;
        for (u64 at = 0; at < kLarge; at += 512) zero = zero && (word(kHere + at) == 0 || at == 5 * kPageBytes);
        world_.check("which reads as zero", zero);
        world_.check_ok("protect of large pages", protect(caller_, world_.space, kHere, 2 * kLarge, kRead));
        world_.check("what was written stays", word(kHere + 5 * kPageBytes) == 9);
        world_.check_ok("a small mapping into a large page", map_here(memory, kPageBytes, kRead, 5 * kPageBytes, kShared));
        world_.check("shows the same", word(kShared) == 9);
        (void)unmap_here(kPageBytes, kShared);
        world_.check_ok("unmap of large pages", unmap_here(2 * kLarge));
        release(caller_, memory);
    }

    void facets() {
        const CapId memory = create_memory(caller_, world_.account, kPageBytes).value_or(CapId{});
        const CapId facet = readable(caller_, memory).value_or(CapId{});
        world_.check_error("writable through a ReadableMemory", map_here(facet, kPageBytes, kRead | kWrite),
                           Status::not_permitted);
        world_.check_ok("readable through it", map_here(facet, kPageBytes, kRead));
        world_.check_error("protect to writable through it", protect(caller_, world_.space, kHere, kPageBytes, kRead | kWrite),
                           Status::not_permitted);
        world_.check_error("Memory.write through it", write(facet), Status::wrong_interface);
        world_.check_error("Memory.seal through it", seal(caller_, facet), Status::wrong_interface);
        (void)unmap_here(kPageBytes);
        release(caller_, facet);
        release(caller_, memory);
    }

    // With an account that has too little for a mapping's tables, a failed map costs nothing and leaves nothing.
    void all_or_nothing() {
        const CapId memory = create_memory(caller_, world_.account, 4 * kPageBytes).value_or(CapId{});
        u32 succeeded_at = 0;
        bool clean = true;
        world_.sleep(10 * kMillisecond);  // what was released before is free now
        const u64 start = world_.free_frames();
        for (u32 frames = 2; frames < 16 && succeeded_at == 0; ++frames) {
            const CapId account = create_account(caller_, world_.account, frames, 8, 8).value_or(CapId{});
            const auto process = create_process(caller_, account, "poor", 1);
            if (process) {
                const auto before = usage(caller_, account);
                const u64 free = world_.free_frames();
                const auto mapped = map(caller_, process->space, memory, 0, 4 * kPageBytes, 0x1234'5600'0000, kRead | kWrite);
                if (mapped) {
                    succeeded_at = frames;
                } else {
                    const auto after = usage(caller_, account);
                    clean = clean && mapped.error() == Status::quota && before && after && before->frames == after->frames &&
                            before->objects == after->objects && world_.free_frames() == free &&
                            !unmap(caller_, process->space, 0x1234'5600'0000, 4 * kPageBytes);
                }
                release(caller_, process->space);
                release(caller_, process->process);
            }
            release(caller_, account);
            clean = world_.frames_return_to(start) && clean;
        }
        world_.check("a mapping that fails for want of frames leaves nothing behind [R15]", clean);
        world_.check("and succeeds with enough of them [R15]", succeeded_at != 0, succeeded_at);
        release(caller_, memory);
    }

    static u64 add_one(Environment&) {
        word(kShared + 8) = word(kShared) + 1;
        return 0;
    }

    Expected<Child> child_with(CapId memory, ChildFunction function, u8 protection, u64 bytes = kPageBytes) {
        const Mapping mappings[] = {{memory, kShared, bytes, protection}};
        return Child::create(world_, image_, "sharer", function, {}, {.mappings = mappings});
    }

    void sharing() {
        const CapId memory = create_memory(caller_, world_.account, kPageBytes).value_or(CapId{});
        (void)map_here(memory, kPageBytes, kRead | kWrite);
        word(kHere) = 41;
        auto child = child_with(memory, add_one, kRead | kWrite);
        if (!child) return world_.check("sharer", false, child.error());
        world_.check("two processes share memory", child->wait_for_end(world_) && word(kHere + 8) == 42, word(kHere + 8));
        child->release(world_);
        auto reader = child_with(memory, add_one, kRead);
        if (!reader) return world_.check("reader", false, reader.error());
        const bool ended = reader->wait_for_end(world_);
        world_.check("a reader that writes is ended",
                     ended && reader->state(world_).crashed && reader->crash(world_).address == kShared + 8);
        reader->release(world_);
        (void)unmap_here(kPageBytes);
        release(caller_, memory);
    }

    // Writes until it is told that its memory is lost, and goes on writing.
    static u64 write_for_ever(Environment& environment) {
        for (u64 i = 0; i < 100'000'000; ++i) {
            word(kShared + i % 4 * kPageBytes) = i;
            if (i % 1000 != 0) continue;
            (void)environment.ring.enter();
            const auto completion = environment.ring.next();
            if (!completion || completion->kind != static_cast<u8>(abi::CompletionKind::lost)) continue;
            for (u64 page = 0; page < 4; ++page) word(kShared + page * kPageBytes) = page;
            return completion->token == kShared ? 77 : 1;
        }
        return 2;
    }

    void lost() {
        const CapId memory = create_memory(caller_, world_.account, 4 * kPageBytes).value_or(CapId{});
        const CapId derived = derive(caller_, world_.account, memory).value_or(CapId{});
        auto child = child_with(derived, write_for_ever, kRead | kWrite, 4 * kPageBytes);
        if (!child) return world_.check("writer", false, child.error());
        world_.sleep(20 * kMillisecond);
        (void)map_here(memory, 4 * kPageBytes, kRead | kWrite);
        world_.check_ok("memory is taken away", revoke(caller_, world_.account, memory));
        word(kHere) = 0x1111;
        const bool ended = child->wait_for_end(world_);
        world_.check("who had it mapped is told, and does not fault", ended && child->state(world_).exit_code == 77,
                     child->state(world_).exit_code, " crash ", child->crash(world_).cause);
        world_.check("and does not reach it any more", word(kHere) == 0x1111);
        (void)unmap_here(4 * kPageBytes);
        child->release(world_);
        release(caller_, derived);
        release(caller_, memory);
    }

    // An account that goes takes its memory with it, also where it is mapped.
    void accounts() {
        const CapId account = create_account(caller_, world_.account, 64, 16, 16).value_or(CapId{});
        const CapId memory = create_memory(caller_, account, 4 * kPageBytes).value_or(CapId{});
        (void)map_here(memory, 4 * kPageBytes, kRead | kWrite);
        word(kHere) = 7;
        world_.check_error("more memory than the account has", create_memory(caller_, account, 64 * kPageBytes), Status::quota);
        release(caller_, account);
        world_.sleep(5 * kMillisecond);
        word(kHere) = 8;
        word(kHere + kPageBytes) = 9;
        world_.check("a mapping outlives the account of its memory without a fault", true);
        world_.check_error("the memory is gone", map_here(memory, kPageBytes, kRead, 0, kShared), Status::bad_capability);
        world_.check_ok("the mapping can be removed", unmap_here(4 * kPageBytes));
        release(caller_, memory);
        while (world_.ring.next()) {  // the `lost` event
        }
    }

    World& world_;
    Caller& caller_;
    const Image& image_;
};

// A space keeps one empty page table for its next mapping: from here on it is there.
void map_once(World& world) {
    const CapId memory = create_memory(world.caller, world.account, kPageBytes).value_or(CapId{});
    if (map(world.caller, world.space, memory, 0, kPageBytes, kHere, kRead | kWrite)) word(kHere) = 1;
    (void)unmap(world.caller, world.space, kHere, kPageBytes);
    release(world.caller, memory);
}

}  // namespace

void test_main(World& world) {
    const auto image = Image::create(world);
    if (!image) return world.check("image", false, image.error());
    map_once(world);
    world.sleep(kMillisecond);
    const auto before = usage(world.caller, world.account);
    const u64 frames = world.free_frames();
    MemoryTests{world, *image}.run();
    world.check("all frames are free again", world.frames_return_to(frames), world.free_frames(), " of ", frames);
    world.check("nothing is charged any more [R15]", before && world.charges_return_to(*before));
}

}  // namespace capos::test
