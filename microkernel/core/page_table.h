// page_table.h - x86-64 four-level page tables (Intel SDM vol. 3A §4.5). Works on simulated memory as on real memory: every
// entry goes through port::read_entry and port::write_entry, and each single write leaves a state that is either old or new.
//
// Guarded by the kernel lock. An entry that points to a table carries, in bits 52 to 61 which the processor ignores, how many
// entries of that table are in use; so an empty table is found without scanning it. Tables are never freed here: a table
// that became empty is handed to the caller, because other CPUs may still walk it until they have flushed (epoch.h).
#pragma once

#include <optional>

#include "core/types.h"

namespace capos::kernel {

// What a mapping allows. Writable and executable at once cannot be said (R12).
enum class Access : u8 { read, read_write, read_execute };
enum class CacheMode : u8 { write_back, uncached };

struct PageAttributes {
    Access access{Access::read};
    bool user{};
    bool global{};
    CacheMode cache{CacheMode::write_back};
    constexpr bool operator==(const PageAttributes&) const = default;
};

struct Translation {
    PhysicalAddress address;  // of the page
    u64 page_bytes;           // 4 KiB, 2 MiB or 1 GiB
    PageAttributes attributes;
};

// Where tables come from and where they go.
class TableSource {
public:
    // A zeroed frame; nothing when there is none.
    std::optional<PhysicalAddress> take() { return take_(context_); }
    // A table that no entry points to any more, but that a CPU may still walk until the caller's invalidation is complete.
    void retire(PhysicalAddress table) { retire_(context_, table); }

    TableSource(void* context, std::optional<PhysicalAddress> (*take)(void*), void (*retire)(void*, PhysicalAddress))
        : context_{context}, take_{take}, retire_{retire} {}

private:
    void* context_;
    std::optional<PhysicalAddress> (*take_)(void*);
    void (*retire_)(void*, PhysicalAddress);
};

class PageTable {
public:
    static constexpr u64 kUserEnd = u64{1} << 47;
    static constexpr u64 kPageBytes2M = u64{1} << 21;
    static constexpr u64 kPageBytes1G = u64{1} << 30;

    PageTable() = default;
    explicit PageTable(PhysicalAddress root) : root_{root} {}
    PhysicalAddress root() const { return root_; }

    // Frames of tables that mapping [start, start + pages) can need at most, the root not counted.
    static u64 tables_worst_case(VirtualAddress start, PageCount pages);

    // Maps one page of 4 KiB, 2 MiB or 1 GiB; address and page are aligned to it. False, with nothing changed, when a table was
    // needed and there was none. The address must not be mapped.
    [[nodiscard]] bool map(VirtualAddress address, PhysicalAddress page, u64 page_bytes, PageAttributes attributes,
                           TableSource& tables);
    // Changes the page at `address` in one write. False if none is mapped there.
    bool protect(VirtualAddress address, PageAttributes attributes);
    // Removes the page at `address`; tables that became empty are retired. The caller flushes.
    std::optional<Translation> unmap(VirtualAddress address, TableSource& tables);
    std::optional<Translation> lookup(VirtualAddress address) const;
    // Bytes from `address` on in which surely nothing is mapped; 0 when a page is mapped there.
    u64 empty_bytes(VirtualAddress address) const;

    // Makes the upper half that of `kernel`: the kernel's own mappings, shared by all address spaces.
    void share_kernel_half(const PageTable& kernel);

private:
    static constexpr int kLevels = 4;
    struct Step {
        PhysicalAddress table;
        unsigned index;
    };
    // The entries from the root down to the leaf or the first empty entry; returns the level reached (3 = root .. 0 = 4 KiB).
    int walk(VirtualAddress address, Step (&path)[kLevels]) const;

    PhysicalAddress root_;
};

}  // namespace capos::kernel
