// list.h - intrusive doubly linked lists: the link lives in the element, so that queueing never allocates and never fails.
//
// An element is in at most one list per link. A link that is in no list points to itself; destroying or re-adding a linked
// element is a bug of ours and asserted.
#pragma once

#include "core/assert.h"

namespace capos::kernel {

class ListLink {
public:
    ListLink() : previous_{this}, next_{this} {}
    ListLink(const ListLink&) = delete;
    ListLink& operator=(const ListLink&) = delete;

    bool linked() const { return next_ != this; }
    void unlink() {
        previous_->next_ = next_;
        next_->previous_ = previous_;
        previous_ = next_ = this;
    }

private:
    template <typename T, ListLink T::* Link>
    friend class List;
    ListLink* previous_;
    ListLink* next_;
};

template <typename T, ListLink T::* Link>
class List {
public:
    List() = default;
    List(const List&) = delete;
    List& operator=(const List&) = delete;

    bool empty() const { return !head_.linked(); }
    T* front() const { return empty() ? nullptr : element(head_.next_); }
    T* back() const { return empty() ? nullptr : element(head_.previous_); }
    // The element after `item`, or null. Valid while `item` stays in the list.
    T* next(T& item) const {
        ListLink* link = (item.*Link).next_;
        return link == &head_ ? nullptr : element(link);
    }

    void push_back(T& item) { insert_before(head_, item.*Link); }
    void push_front(T& item) { insert_before(*head_.next_, item.*Link); }
    T* pop_front() {
        T* item = front();
        if (item != nullptr) (item->*Link).unlink();
        return item;
    }
    // All of `other`, in its order, behind what is here.
    void take_all(List& other) {
        if (other.empty()) return;
        ListLink *first = other.head_.next_, *last = other.head_.previous_;
        first->previous_ = head_.previous_;
        head_.previous_->next_ = first;
        last->next_ = &head_;
        head_.previous_ = last;
        other.head_.previous_ = other.head_.next_ = &other.head_;
    }
    static void remove(T& item) { (item.*Link).unlink(); }
    static bool contains_link(const T& item) { return (item.*Link).linked(); }

private:
    static void insert_before(ListLink& position, ListLink& link) {
        KERNEL_ASSERT(!link.linked());
        link.next_ = &position;
        link.previous_ = position.previous_;
        position.previous_->next_ = &link;
        position.previous_ = &link;
    }
    // The distance of the link inside T, which offsetof cannot give for a member pointer.
    static T* element(ListLink* link) {
        alignas(T) static constexpr char probe[sizeof(T)]{};
        const T* base = reinterpret_cast<const T*>(probe);
        const auto distance = reinterpret_cast<const char*>(&(base->*Link)) - probe;
        return reinterpret_cast<T*>(reinterpret_cast<char*>(link) - distance);
    }

    ListLink head_;
};

}  // namespace capos::kernel
