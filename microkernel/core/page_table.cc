#include "core/page_table.h"

#include "core/assert.h"
#include "core/ports.h"

namespace capos::kernel {

namespace {

// Entry bits, SDM vol. 3A tables 4-14 to 4-20.
constexpr u64 kPresent = 1 << 0, kWritable = 1 << 1, kUser = 1 << 2, kWriteThrough = 1 << 3, kCacheDisable = 1 << 4;
constexpr u64 kAccessed = 1 << 5, kDirty = 1 << 6, kLargePage = 1 << 7, kGlobal = 1 << 8, kNoExecute = u64{1} << 63;
constexpr u64 kAddressMask = 0x000f'ffff'ffff'f000;
constexpr unsigned kCountShift = 52;
constexpr u64 kCountMask = u64{0x3ff} << kCountShift;
constexpr u64 kCountOne = u64{1} << kCountShift;

constexpr u64 kEntries = 512;
constexpr unsigned index_at(VirtualAddress address, int level) {
    return static_cast<unsigned>(address.value >> (12 + 9 * level)) & (kEntries - 1);
}
constexpr u64 bytes_at(int level) { return u64{1} << (12 + 9 * level); }

constexpr int level_for(u64 page_bytes) {
    return page_bytes == kPageBytes ? 0 : page_bytes == PageTable::kPageBytes2M ? 1 : 2;
}

u64 leaf_entry(PhysicalAddress page, int level, PageAttributes attributes) {
    // Accessed and dirty are set at once, so that the processor never writes to a table.
    u64 entry = page.value | kPresent | kAccessed | kDirty;
    if (attributes.access == Access::read_write) entry |= kWritable;
    if (attributes.access != Access::read_execute) entry |= kNoExecute;
    if (attributes.user) entry |= kUser;
    if (attributes.global) entry |= kGlobal;
    if (attributes.cache == CacheMode::uncached) entry |= kCacheDisable | kWriteThrough;
    if (level > 0) entry |= kLargePage;
    return entry;
}

PageAttributes attributes_of(u64 entry) {
    return {.access = (entry & kWritable) != 0     ? Access::read_write
                      : (entry & kNoExecute) == 0 ? Access::read_execute
                                                  : Access::read,
            .user = (entry & kUser) != 0,
            .global = (entry & kGlobal) != 0,
            .cache = (entry & kCacheDisable) != 0 ? CacheMode::uncached : CacheMode::write_back};
}

bool is_leaf(u64 entry, int level) { return level == 0 || (entry & kLargePage) != 0; }
PhysicalAddress page_of(u64 entry, int level) { return PhysicalAddress{entry & kAddressMask & ~(bytes_at(level) - 1)}; }

// An entry that points to a table allows everything; the leaf decides. User tables are marked so in every level.
u64 table_entry(PhysicalAddress table, bool user) {
    return table.value | kPresent | kWritable | kAccessed | (user ? kUser : 0);
}

}  // namespace

u64 PageTable::tables_worst_case(VirtualAddress start, PageCount pages) {
    if (pages.value == 0) return 0;
    const u64 last = start.value + pages.value * kPageBytes - 1;
    u64 tables = 0;
    for (int level = 1; level < kLevels; ++level) tables += last / bytes_at(level) - start.value / bytes_at(level) + 1;
    return tables;
}

int PageTable::walk(VirtualAddress address, Step (&path)[kLevels]) const {
    PhysicalAddress table = root_;
    for (int level = kLevels - 1;; --level) {
        path[level] = {table, index_at(address, level)};
        const u64 entry = port::read_entry(table, path[level].index);
        if ((entry & kPresent) == 0 || is_leaf(entry, level)) return level;
        table = PhysicalAddress{entry & kAddressMask};
    }
}

bool PageTable::map(VirtualAddress address, PhysicalAddress page, u64 page_bytes, PageAttributes attributes,
                    TableSource& tables) {
    const int leaf = level_for(page_bytes);
    KERNEL_ASSERT(address.value % page_bytes == 0 && page.value % page_bytes == 0);
    Step path[kLevels];
    int level = walk(address, path);
    KERNEL_ASSERT(level >= leaf && (port::read_entry(path[level].table, path[level].index) & kPresent) == 0);

    // New tables are linked among themselves first, top-most last, so that the tree changes in one write.
    const int top = level;
    u64 chain = leaf_entry(page, leaf, attributes);
    PhysicalAddress made[kLevels];
    int made_count = 0;
    for (int below = leaf; below < top; ++below) {
        const std::optional<PhysicalAddress> table = tables.take();
        if (!table) {
            for (int i = 0; i < made_count; ++i) tables.retire(made[i]);
            return false;
        }
        made[made_count++] = *table;
        port::write_entry(*table, index_at(address, below), chain);
        chain = table_entry(*table, attributes.user) | kCountOne;
    }
    port::write_entry(path[top].table, path[top].index, chain);
    if (top < kLevels - 1) {
        const Step& parent = path[top + 1];
        port::write_entry(parent.table, parent.index, port::read_entry(parent.table, parent.index) + kCountOne);
    }
    return true;
}

bool PageTable::protect(VirtualAddress address, PageAttributes attributes) {
    Step path[kLevels];
    const int level = walk(address, path);
    const u64 entry = port::read_entry(path[level].table, path[level].index);
    if ((entry & kPresent) == 0) return false;
    port::write_entry(path[level].table, path[level].index, leaf_entry(page_of(entry, level), level, attributes));
    return true;
}

std::optional<Translation> PageTable::unmap(VirtualAddress address, TableSource& tables) {
    Step path[kLevels];
    int level = walk(address, path);
    const u64 entry = port::read_entry(path[level].table, path[level].index);
    if ((entry & kPresent) == 0) return std::nullopt;
    const Translation old{page_of(entry, level), bytes_at(level), attributes_of(entry)};
    port::write_entry(path[level].table, path[level].index, 0);
    // The root is never counted nor freed.
    for (; level < kLevels - 1; ++level) {
        const Step& parent = path[level + 1];
        const u64 parent_entry = port::read_entry(parent.table, parent.index);
        KERNEL_ASSERT((parent_entry & kCountMask) != 0);
        if ((parent_entry & kCountMask) != kCountOne) {
            port::write_entry(parent.table, parent.index, parent_entry - kCountOne);
            break;
        }
        port::write_entry(parent.table, parent.index, 0);
        tables.retire(path[level].table);
    }
    return old;
}

std::optional<Translation> PageTable::lookup(VirtualAddress address) const {
    Step path[kLevels];
    const int level = walk(address, path);
    const u64 entry = port::read_entry(path[level].table, path[level].index);
    if ((entry & kPresent) == 0) return std::nullopt;
    return Translation{page_of(entry, level), bytes_at(level), attributes_of(entry)};
}

u64 PageTable::empty_bytes(VirtualAddress address) const {
    Step path[kLevels];
    const int level = walk(address, path);
    if ((port::read_entry(path[level].table, path[level].index) & kPresent) != 0) return 0;
    return bytes_at(level) - address.value % bytes_at(level);
}

void PageTable::share_kernel_half(const PageTable& kernel) {
    for (unsigned i = kEntries / 2; i < kEntries; ++i) port::write_entry(root_, i, port::read_entry(kernel.root_, i));
}

}  // namespace capos::kernel
