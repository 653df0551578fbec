// few.h - up to kMax values in place. Those that are not there cost nothing: most messages carry no capability.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#include "abi/types.h"

namespace capos::runtime {

template <typename T, usize kMax>
class Few {
public:
    Few() {}  // NOLINT(modernize-use-equals-default): the storage stays as it is
    Few(Few&& other) noexcept { take(other); }
    Few& operator=(Few&& other) noexcept {
        if (this == &other) return *this;
        clear();
        take(other);
        return *this;
    }
    ~Few() { clear(); }

    u8 size() const { return count_; }
    T& operator[](usize index) { return *place(index); }
    // Only while size() < kMax.
    template <typename... Arguments>
    T& emplace(Arguments&&... arguments) {
        return *std::construct_at(place(count_++), std::forward<Arguments>(arguments)...);
    }
    // The last one first.
    void clear() {
        while (count_ != 0) std::destroy_at(place(--count_));
    }

private:
    T* place(usize index) { return std::launder(reinterpret_cast<T*>(storage_)) + index; }
    void take(Few& other) {
        for (usize i = 0; i < other.count_; ++i) emplace(std::move(other[i]));
        other.clear();
    }

    alignas(T) std::byte storage_[sizeof(T) * kMax];
    u8 count_{};
};

}  // namespace capos::runtime
