// pool.h - Pool<T>: equal cells in one block of memory that is sized at boot and never given back. A cell keeps its type for
// ever, so a stale index may read a dead T but never something else.
//
// Guarded by the kernel lock. Who may take how many cells is decided by accounts: the limits of all accounts together are the
// capacity of the pool, so that a take that the account allowed cannot find the pool empty.
#pragma once

#include <new>
#include <span>
#include <utility>

#include "core/assert.h"
#include "core/types.h"

namespace capos::kernel {

template <usize kCellBytes, usize kAlign = 16>
class CellPool {
public:
    struct Cell {
        alignas(kAlign) std::byte bytes[kCellBytes];
    };

    // `memory` must outlive the pool; its contents don't matter.
    void initialise(std::span<std::byte> memory) {
        cells_ = reinterpret_cast<Cell*>(memory.data());
        capacity_ = static_cast<u32>(memory.size() / sizeof(Cell));
    }

    u32 capacity() const { return capacity_; }
    u32 used() const { return used_; }

    // Storage of one cell; the caller constructs in it. Never called beyond capacity (accounts see to that).
    void* take() {
        ++used_;
        if (free_ != nullptr) {
            FreeCell* cell = free_;
            free_ = cell->next;
            return cell;
        }
        KERNEL_ASSERT(fresh_ < capacity_);
        return &cells_[fresh_++];
    }
    void give_back(void* cell) {
        KERNEL_ASSERT(used_ > 0);
        --used_;
        free_ = new (cell) FreeCell{free_};
    }

    u32 index_of(const void* cell) const { return static_cast<u32>(static_cast<const Cell*>(cell) - cells_); }
    void* at(u32 index) const { return &cells_[index]; }
    bool touched(u32 index) const { return index < fresh_; }

private:
    struct FreeCell {
        FreeCell* next;
    };

    Cell* cells_{};
    u32 capacity_{};
    u32 fresh_{};  // cells never used so far begin here, so that making the pool touches no memory
    u32 used_{};
    FreeCell* free_{};
};

}  // namespace capos::kernel
