// Page tables in a recording memory: after each single write every address translates as before or as afterwards.
#include <new>

#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>

#include "core/page_table.h"
#include "host/support/machine.h"

using namespace capos;
using namespace capos::kernel;

namespace {

constexpr u64 kPresent = 1, kWritable = 2, kUser = 4, kLarge = 0x80, kNoExecute = u64{1} << 63,
              kFrameMask = 0x000f'ffff'ffff'f000;
constexpr u64 k2M = PageTable::kPageBytes2M, k1G = PageTable::kPageBytes1G;

// What a processor makes of the tables: an implementation of its own, after SDM vol. 3A figure 4-8.
struct Reached {
    u64 physical;
    bool writable, user, executable;
    bool operator==(const Reached&) const = default;
};
std::optional<Reached> hardware_walk(PhysicalAddress root, u64 address) {
    u64 table = root.value;
    Reached rights{0, true, true, true};
    for (int shift = 39;; shift -= 9) {
        const u64 entry = test::machine().word(PhysicalAddress{table}, static_cast<unsigned>(address >> shift & 511));
        if ((entry & kPresent) == 0) return std::nullopt;
        rights.writable &= (entry & kWritable) != 0;
        rights.user &= (entry & kUser) != 0;
        rights.executable &= (entry & kNoExecute) == 0;
        if (shift == 12 || (entry & kLarge) != 0) {
            const u64 page = u64{1} << shift;
            rights.physical = (entry & kFrameMask & ~(page - 1)) + address % page;
            return rights;
        }
        table = entry & kFrameMask;
    }
}

// Page tables in a machine that hands out frames, counts them, and keeps retired ones readable until the caller has flushed.
struct Fixture {
    Fixture() : table{make_root()} {}

    PhysicalAddress make_root() { return *take(); }
    std::optional<PhysicalAddress> take() {
        if (supply == 0) return std::nullopt;
        --supply;
        const PhysicalAddress frame{next_frame += kPageBytes};
        machine.add_frame(frame);
        live.insert(frame.value);
        return frame;
    }
    void retire(PhysicalAddress frame) {
        REQUIRE(live.erase(frame.value) == 1);
        retired.push_back(frame);
    }
    // All CPUs have flushed: nobody walks the retired tables any more.
    void flush() {
        for (const PhysicalAddress frame : retired) machine.remove_frame(frame);
        retired.clear();
    }
    usize tables() const { return live.size() - 1; }  // the root not counted

    test::Machine machine;
    u64 supply{~u64{0}};
    u64 next_frame{0x100'0000};
    std::set<u64> live;
    std::vector<PhysicalAddress> retired;
    PageTable table;
    TableSource source{this, [](void* self) { return static_cast<Fixture*>(self)->take(); },
                       [](void* self, PhysicalAddress frame) { static_cast<Fixture*>(self)->retire(frame); }};
};

using Model = std::map<u64, Translation>;  // by first address

std::optional<Reached> expected(const Model& model, u64 address) {
    auto after = model.upper_bound(address);
    if (after == model.begin()) return std::nullopt;
    const auto& [start, page] = *std::prev(after);
    if (address - start >= page.page_bytes) return std::nullopt;
    return Reached{page.address.value + (address - start), page.attributes.access == Access::read_write, page.attributes.user,
                   page.attributes.access == Access::read_execute};
}

// Runs `change`, which takes the model from `before` to `after`, and checks each state on the way at each probe address.
template <typename Change>
void check_atomic(Fixture& f, const Model& before, const Model& after, const std::vector<u64>& probes, Change change) {
    bool changed = false;
    f.machine.on_table_write = [&](const test::TableWrite&) {
        bool old_state = true, new_state = true;
        for (const u64 probe : probes) {
            const auto reached = hardware_walk(f.table.root(), probe);
            old_state &= reached == expected(before, probe);
            new_state &= reached == expected(after, probe);
        }
        // Once the new state is there it stays.
        REQUIRE((new_state || (old_state && !changed)));
        changed |= new_state && !old_state;
    };
    change();
    f.machine.on_table_write = nullptr;
    for (const u64 probe : probes) REQUIRE(hardware_walk(f.table.root(), probe) == expected(after, probe));
}

// The tables that a set of mappings needs: one for each distinct prefix at each level.
usize tables_needed(const Model& model) {
    std::set<std::pair<int, u64>> prefixes;
    for (const auto& [start, page] : model) {
        for (int shift = 39; (u64{1} << shift) > page.page_bytes; shift -= 9) prefixes.emplace(shift, start >> shift);
    }
    return prefixes.size();
}

PageAttributes random_attributes(std::mt19937_64& random) {
    return {static_cast<Access>(random() % 3), true, false, random() % 4 != 0 ? CacheMode::write_back : CacheMode::uncached};
}

}  // namespace

TEST_CASE("each page table write leaves every address either old or new, through random maps, protects and unmaps") {
    std::mt19937_64 random{9};
    Fixture f;
    Model model;
    for (int round = 0; round < 1200; ++round) {
        const u64 size = random() % 8 != 0 ? kPageBytes : random() % 3 != 0 ? k2M : k1G;
        const u64 region = (random() % 3) * (u64{1} << 39) + (random() % 3) * k1G + (random() % 3) * k2M;
        const u64 address = (region + random() % 4 * kPageBytes) / size * size;
        bool overlaps = false;
        for (const auto& [start, page] : model) overlaps |= start < address + size && address < start + page.page_bytes;
        std::vector<u64> probes{address, address + size - 1, address + size, address ^ k2M};
        for (const auto& [start, page] : model) probes.insert(probes.end(), {start, start + page.page_bytes - 1});

        Model after = model;
        if (const auto mapped = model.find(address); mapped != model.end()) {
            const u64 inside = address + random() % (mapped->second.page_bytes / kPageBytes) * kPageBytes;
            if (random() % 2 != 0) {
                after[address].attributes = random_attributes(random);
                check_atomic(f, model, after, probes,
                             [&] { REQUIRE(f.table.protect(VirtualAddress{inside}, after[address].attributes)); });
            } else {
                after.erase(address);
                check_atomic(f, model, after, probes, [&] {
                    const auto old = f.table.unmap(VirtualAddress{inside}, f.source);
                    REQUIRE(old);
                    REQUIRE(old->address == mapped->second.address);
                    REQUIRE(old->page_bytes == mapped->second.page_bytes);
                    REQUIRE(old->attributes == mapped->second.attributes);
                });
                f.flush();
            }
        } else if (!overlaps) {
            const PhysicalAddress page{(random() % 64 + 1) * k1G / size * size};
            after[address] = {page, size, random_attributes(random)};
            const u64 supply = random() % 4 != 0 ? ~u64{0} : random() % 3;  // tables that may be taken
            const u64 missing = tables_needed(after) - tables_needed(model);
            f.supply = supply;
            if (missing <= supply) {
                check_atomic(f, model, after, probes, [&] {
                    REQUIRE(f.table.map(VirtualAddress{address}, page, size, after[address].attributes, f.source));
                });
            } else {
                after = model;
                check_atomic(f, model, model, probes,
                             [&] { REQUIRE_FALSE(f.table.map(VirtualAddress{address}, page, size, {}, f.source)); });
                f.flush();
            }
            f.supply = ~u64{0};
        }
        model = std::move(after);
        REQUIRE(f.tables() == tables_needed(model));  // the counts in the entries are right: no table stays, none goes early
        for (const auto& [start, page] : model) {
            const auto found = f.table.lookup(VirtualAddress{start + page.page_bytes - 1});
            REQUIRE(found);
            REQUIRE(found->attributes == page.attributes);
            REQUIRE(found->page_bytes == page.page_bytes);
        }
    }
    while (!model.empty()) {
        REQUIRE(f.table.unmap(VirtualAddress{model.begin()->first}, f.source));
        model.erase(model.begin());
    }
    CHECK(f.tables() == 0);
}

TEST_CASE("a full page table of 512 entries counts them all, and is retired with the last one") {
    Fixture f;
    const VirtualAddress start{0x4000'0000};
    for (u64 i = 0; i < 512; ++i) {
        REQUIRE(f.table.map(start + PageCount{i}, PhysicalAddress{(i + 1) * kPageBytes}, kPageBytes, {}, f.source));
    }
    CHECK(f.tables() == 3);
    for (u64 i = 0; i < 511; ++i) REQUIRE(f.table.unmap(start + PageCount{i * 7 % 512}, f.source));
    CHECK(f.retired.empty());
    CHECK(f.table.unmap(start + PageCount{511 * 7 % 512}, f.source));
    CHECK(f.retired.size() == 3);
}

TEST_CASE("a retired table can still be walked until the flush, and leads nowhere new") {
    Fixture f;
    const VirtualAddress address{0x1234'5000};
    REQUIRE(f.table.map(address, PhysicalAddress{0x7000}, kPageBytes, {.user = true}, f.source));
    // A processor that is in the middle of a walk has read the upper entries already.
    const PhysicalAddress top{f.machine.word(f.table.root(), 0) & kFrameMask};
    REQUIRE(f.table.unmap(address, f.source));
    CHECK(f.machine.word(top, static_cast<unsigned>(address.value >> 30 & 511)) == 0);
    for (const PhysicalAddress retired : f.retired) {
        for (unsigned i = 0; i < 512; ++i) CHECK(f.machine.word(retired, i) == 0);
    }
    CHECK(f.retired.size() == 3);
}

TEST_CASE("mapping without memory for tables changes nothing and gives back what it took", "[R15]") {
    for (u64 supply = 0; supply < 3; ++supply) {
        Fixture f;
        f.supply = supply;
        std::vector<test::TableWrite> reachable;
        f.machine.on_table_write = [&](const test::TableWrite& write) {
            if (write.table == f.table.root()) reachable.push_back(write);
        };
        CHECK_FALSE(f.table.map(VirtualAddress{0x5000}, PhysicalAddress{0x7000}, kPageBytes, {}, f.source));
        CHECK(reachable.empty());
        CHECK(f.tables() == 0);
        CHECK(f.retired.size() == supply);
    }
}

TEST_CASE("no value of Access makes a page that is writable and executable", "[R12]") {
    for (const Access access : {Access::read, Access::read_write, Access::read_execute}) {
        for (const u64 size : {u64{kPageBytes}, k2M, k1G}) {
            Fixture f;
            REQUIRE(f.table.map(VirtualAddress{k1G}, PhysicalAddress{k1G}, size, {.access = access, .user = true}, f.source));
            const auto reached = hardware_walk(f.table.root(), k1G);
            REQUIRE(reached);
            CHECK(reached->writable == (access == Access::read_write));
            CHECK(reached->executable == (access == Access::read_execute));
            CHECK_FALSE((reached->writable && reached->executable));
        }
    }
}

TEST_CASE("a kernel page is closed to user mode, and global and cache attributes come back as they were set") {
    Fixture f;
    const PageAttributes attributes{Access::read_write, false, true, CacheMode::uncached};
    const VirtualAddress address{0xffff'ff00'0000'0000};
    REQUIRE(f.table.map(address, PhysicalAddress{0xfee0'0000}, kPageBytes, attributes, f.source));
    CHECK(f.table.lookup(address)->attributes == attributes);
    CHECK_FALSE(hardware_walk(f.table.root(), address.value)->user);
    constexpr u64 kWriteThrough = 8, kCacheDisable = 16, kAccessed = 32, kDirty = 64, kGlobal = 256;
    u64 leaf = 0;
    f.machine.on_table_write = [&](const test::TableWrite& write) { leaf = write.after; };
    REQUIRE(f.table.protect(address, attributes));
    CHECK((leaf & 0xfff) == (kPresent | kWritable | kWriteThrough | kCacheDisable | kAccessed | kDirty | kGlobal));
}

TEST_CASE("the processor never has a reason to write to a page table entry") {
    std::mt19937_64 random{10};
    Fixture f;
    f.machine.on_table_write = [&](const test::TableWrite& write) {
        constexpr u64 kAccessed = 32, kDirty = 64;
        if ((write.after & kPresent) == 0) return;
        REQUIRE((write.after & kAccessed) != 0);
        const bool leaf = (write.after & kFrameMask) < 0x100'0000;
        if (leaf) REQUIRE((write.after & kDirty) != 0);
    };
    for (u64 i = 0; i < 100; ++i) {
        REQUIRE(f.table.map(VirtualAddress{random() % 1000 * k2M + i * kPageBytes}, PhysicalAddress{0x8000}, kPageBytes,
                            random_attributes(random), f.source));
    }
}

TEST_CASE("the worst case of tables is never less than a mapping takes") {
    std::mt19937_64 random{11};
    for (int round = 0; round < 150; ++round) {
        const u64 near =
            (random() % 4 + 1) * (random() % 2 != 0 ? k1G : u64{1} << 39);  // just before a boundary, or anywhere
        const VirtualAddress start{(near - random() % 600 * kPageBytes) & ~(kPageBytes - 1)};
        const PageCount pages{1 + random() % 1200};
        Fixture f;
        for (u64 i = 0; i < pages.value; ++i) {
            REQUIRE(f.table.map(start + PageCount{i}, PhysicalAddress{0x1000}, kPageBytes, {}, f.source));
        }
        CHECK(f.tables() <= PageTable::tables_worst_case(start, pages));
        CHECK(PageTable::tables_worst_case(start, pages) <= f.tables() + 3);
    }
    CHECK(PageTable::tables_worst_case(VirtualAddress{0x1000}, PageCount{0}) == 0);
    CHECK(PageTable::tables_worst_case(VirtualAddress{0}, PageCount{PageTable::kUserEnd / kPageBytes}) ==
          (1 << 8) + (1 << 17) + (1 << 26));
}

TEST_CASE("protect and unmap of an address that is not mapped do nothing") {
    Fixture f;
    REQUIRE(f.table.map(VirtualAddress{0x20'0000}, PhysicalAddress{0x1000}, kPageBytes, {}, f.source));
    usize writes = 0;
    f.machine.on_table_write = [&](const test::TableWrite&) { ++writes; };
    for (const u64 address : {u64{0x20'1000}, u64{0}, k1G, u64{1} << 40}) {
        CHECK_FALSE(f.table.protect(VirtualAddress{address}, {}));
        CHECK_FALSE(f.table.unmap(VirtualAddress{address}, f.source));
        CHECK_FALSE(f.table.lookup(VirtualAddress{address}));
    }
    CHECK(writes == 0);
}

TEST_CASE("mapping over a mapping, or an unaligned page, is an assertion") {
    Fixture f;
    REQUIRE(f.table.map(VirtualAddress{k2M}, PhysicalAddress{k2M}, k2M, {}, f.source));
    CHECK_THROWS_AS(f.table.map(VirtualAddress{k2M}, PhysicalAddress{0}, k2M, {}, f.source), test::AssertionFailed);
    CHECK_THROWS_AS(f.table.map(VirtualAddress{k2M + 0x3000}, PhysicalAddress{0}, kPageBytes, {}, f.source),
                    test::AssertionFailed);
    CHECK_THROWS_AS(f.table.map(VirtualAddress{k1G + kPageBytes}, PhysicalAddress{0}, k2M, {}, f.source),
                    test::AssertionFailed);
    CHECK_THROWS_AS(f.table.map(VirtualAddress{k1G}, PhysicalAddress{kPageBytes}, k2M, {}, f.source), test::AssertionFailed);
}

TEST_CASE("address spaces share the kernel half and nothing else") {
    Fixture f;
    const VirtualAddress kernel_page{0xffff'8000'0000'0000}, user_page{0x40'0000};
    REQUIRE(f.table.map(kernel_page, PhysicalAddress{0x1000}, kPageBytes, {}, f.source));
    REQUIRE(f.table.map(user_page, PhysicalAddress{0x2000}, kPageBytes, {}, f.source));
    PageTable other{f.make_root()};
    other.share_kernel_half(f.table);
    CHECK(other.lookup(kernel_page)->address == PhysicalAddress{0x1000});
    CHECK_FALSE(other.lookup(user_page));
    // What the kernel maps later under the same top-level entry is seen by all.
    REQUIRE(f.table.map(kernel_page + PageCount{1}, PhysicalAddress{0x3000}, kPageBytes, {}, f.source));
    CHECK(other.lookup(kernel_page + PageCount{1})->address == PhysicalAddress{0x3000});
}
