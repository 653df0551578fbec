// tree.h - an intrusive ordered map: the link lives in the element, so that inserting never allocates and never fails.
//
// A treap: a search tree by key that is also a heap by a pseudo-random priority drawn from the element's address, which users
// don't choose. Search, insert and erase take O(log n) steps with overwhelming probability. Keys may be equal; equal keys are
// ordered by address. Guarded by the lock of whoever owns the tree.
#pragma once

#include <functional>

#include "core/assert.h"
#include "core/types.h"

namespace capos::kernel {

template <typename T>
struct TreeLink {
    T* left{};
    T* right{};
    bool linked{};
};

// `Key` is a function: u64 key(const T&).
template <typename T, TreeLink<T> T::* Link, auto Key>
class Tree {
public:
    bool empty() const { return root_ == nullptr; }

    T* first() const {
        T* node = root_;
        while (node != nullptr && (node->*Link).left != nullptr) node = (node->*Link).left;
        return node;
    }
    // The element with the greatest key that is at most `key`, or null.
    T* at_or_below(u64 key) const {
        T* best = nullptr;
        for (T* node = root_; node != nullptr;) {
            if (Key(*node) <= key) {
                best = node;
                node = (node->*Link).right;
            } else {
                node = (node->*Link).left;
            }
        }
        return best;
    }
    // The element with the smallest key that is at least `key`, or null.
    T* at_or_above(u64 key) const {
        T* best = nullptr;
        for (T* node = root_; node != nullptr;) {
            if (Key(*node) >= key) {
                best = node;
                node = (node->*Link).left;
            } else {
                node = (node->*Link).right;
            }
        }
        return best;
    }

    void insert(T& item) {
        KERNEL_ASSERT(!(item.*Link).linked);
        T** position = &root_;
        while (*position != nullptr && priority(**position) > priority(item)) {
            position = before(item, **position) ? &((*position)->*Link).left : &((*position)->*Link).right;
        }
        split(*position, item);
        *position = &item;
        (item.*Link).linked = true;
    }
    void erase(T& item) {
        KERNEL_ASSERT((item.*Link).linked);
        T** position = &root_;
        while (*position != &item) {
            KERNEL_ASSERT(*position != nullptr);
            position = before(item, **position) ? &((*position)->*Link).left : &((*position)->*Link).right;
        }
        merge(position, (item.*Link).left, (item.*Link).right);
        item.*Link = {};
    }

private:
    static bool before(const T& a, const T& b) {
        return Key(a) != Key(b) ? Key(a) < Key(b) : std::less<const T*>{}(&a, &b);
    }
    static u64 priority(const T& item) {
        u64 x = reinterpret_cast<u64>(&item) * 0x9e3779b97f4a7c15ull;
        return (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9ull;
    }
    // Distributes the subtree over the two sides of `item`.
    static void split(T* subtree, T& item) {
        T** less = &(item.*Link).left;
        T** more = &(item.*Link).right;
        while (subtree != nullptr) {
            if (before(*subtree, item)) {
                *less = subtree;
                less = &(subtree->*Link).right;
                subtree = *less;
            } else {
                *more = subtree;
                more = &(subtree->*Link).left;
                subtree = *more;
            }
        }
        *less = nullptr;
        *more = nullptr;
    }
    // Joins two trees, all of `low` before all of `high`.
    static void merge(T** position, T* low, T* high) {
        while (low != nullptr && high != nullptr) {
            if (priority(*low) > priority(*high)) {
                *position = low;
                position = &(low->*Link).right;
                low = *position;
            } else {
                *position = high;
                position = &(high->*Link).left;
                high = *position;
            }
        }
        *position = low != nullptr ? low : high;
    }

    T* root_{};
};

}  // namespace capos::kernel
