// Profile: holds of the kernel lock are timed when that was asked for, and sizes are what accounts pay.
#include "sim/pair.h"

using namespace capos;
using namespace capos::sim;
using kernel::kPageBytes;

namespace {

u64 frames_of(World& w) { return w.init.call<idl::Account::Usage>(w.account).fields.frames; }

}  // namespace

TEST_CASE("a timed lock counts its holds, the longest and all together, without the one in progress") {
    Machine m{{}};
    kernel::KernelLock lock;
    lock.time_holds();
    for (const u64 ns : {u64{50}, u64{70}, u64{20}}) {
        lock.acquire(m.core_cpu(0));
        CHECK_FALSE(lock.contended());
        m.time = m.time + kernel::Duration{ns};
        lock.release();
        m.time = m.time + kernel::Duration{1000};
    }
    lock.acquire(m.core_cpu(0));
    CHECK(lock.holds().count == 3);
    CHECK(lock.holds().ticks == 140);
    CHECK(lock.holds().worst == 70);
    CHECK(lock.holds().since - lock.holds().counted_from == 3140);
    lock.count_anew();
    m.time = m.time + kernel::Duration{30};
    lock.release();
    lock.acquire(m.core_cpu(0));
    CHECK(lock.holds().count == 1);
    CHECK(lock.holds().worst == 30);
    CHECK(lock.holds().since - lock.holds().counted_from == 30);
    lock.release();
}

TEST_CASE("a lock that is not timed counts nothing") {
    World w;
    const abi::CapId profile = w.profile;
    CHECK(w.init.call<idl::Profile::ResetLock>(profile).ok());
    const auto lock = w.init.call<idl::Profile::Lock>(profile);
    REQUIRE(lock.ok());
    CHECK(lock.fields.holds == 0);
    CHECK(lock.fields.held_ticks == 0);
    CHECK(lock.fields.worst_ticks == 0);
    CHECK(lock.fields.elapsed_ticks == 0);
}

TEST_CASE("the sizes of objects are the frames that accounts pay, plus cells and nodes of the pools") {
    World w;
    const auto sizes = w.init.call<idl::Profile::Sizes>(w.profile).fields;
    CHECK(sizes.node == sizeof(kernel::Node));
    CHECK(sizes.slot == kPageBytes / kernel::CapabilityTable::kSlotsPerFrame);
    CHECK(sizes.account == kernel::kObjectCellBytes + sizes.node);
    CHECK(sizes.endpoint == sizes.account);
    CHECK(sizes.memory == sizes.account);
    CHECK(sizes.mapping == kernel::kObjectCellBytes + kPageBytes);

    const u64 before = frames_of(w);
    const auto made = w.init.call<idl::Account::CreateProcess>(w.account, {.slots = 1, .name = "empty"});
    REQUIRE(made.ok());
    const u64 with_process = frames_of(w);
    CHECK(sizes.process == (with_process - before) * kPageBytes + kernel::kObjectCellBytes + 2 * sizes.node);

    Spawned spawned{.process = made.capabilities[made.fields.process.value],
                    .space = made.capabilities[made.fields.space.value]};
    abi::CapId id;
    w.add_thread(spawned, id, {.start = false});
    const u64 tables = kernel::PageTable::tables_worst_case(kernel::VirtualAddress{}, kernel::PageCount{4});
    CHECK(sizes.thread == (frames_of(w) - with_process - tables) * kPageBytes + kernel::kObjectCellBytes + sizes.node);
}
