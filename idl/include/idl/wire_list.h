// wire_list.h - List(T) of a schema as a value: a view of either a validated list in a message, or elements in memory that are
// to be encoded. Copies are cheap and live no longer than what they view.
#pragma once

#include <concepts>
#include <cstddef>
#include <iterator>
#include <span>

#include "idl/wire_reader.h"

namespace capos::idl {

template <typename T>
class List {
public:
    List() = default;
    // A view of elements that stay where they are until the list was used: of an array or vector, or of what a span views.
    template <typename Range>
        requires(!std::same_as<Range, List> && !std::ranges::enable_borrowed_range<Range> &&
                 std::constructible_from<std::span<const T>, const Range&>)
    List(const Range& elements [[clang::lifetimebound]])  // NOLINT(google-explicit-constructor): a view, as a span is one
        : List{std::span<const T>{elements}, 0} {}
    template <typename Range>
        requires(std::ranges::enable_borrowed_range<Range> && std::constructible_from<std::span<const T>, const Range&>)
    List(Range elements) : List{std::span<const T>{elements}, 0} {}  // NOLINT(google-explicit-constructor): likewise
    // Made by StructReader::list.
    explicit List(const wire::Elements& elements) : elements_{elements}, count_{elements.count} {}

    usize size() const { return count_; }
    bool empty() const { return count_ == 0; }

    // By value: the element is read at this moment. `index` is below size().
    T operator[](usize index) const {
        if (native_ != nullptr) return native_[index];
        const u32 at = static_cast<u32>(index);
        if constexpr (std::same_as<T, bool>) {
            return elements_.bit(at);
        } else {
            wire::StructReader reader{elements_.message, elements_.sections(at), 0};
            return reader.template element<T>();
        }
    }

    class Iterator {
    public:
        using value_type = T;
        using difference_type = std::ptrdiff_t;

        Iterator() = default;
        Iterator(const List* list, usize index) : list_{list}, index_{index} {}
        T operator*() const { return (*list_)[index_]; }
        Iterator& operator++() {
            ++index_;
            return *this;
        }
        Iterator operator++(int) {
            Iterator before = *this;
            ++index_;
            return before;
        }
        bool operator==(const Iterator&) const = default;

    private:
        const List* list_{};
        usize index_{};
    };
    Iterator begin() const { return {this, 0}; }
    Iterator end() const { return {this, count_}; }

private:
    List(std::span<const T> elements, int) : native_{elements.data()}, count_{elements.size()} {}

    const T* native_{};
    wire::Elements elements_{};
    usize count_{};
};

}  // namespace capos::idl
