// The intrusive list against a std::vector, and the bugs that it asserts.
#include <new>

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "core/list.h"
#include "host/support/machine.h"

using namespace capos;
using namespace capos::kernel;

namespace {

struct Item {
    int number{};
    ListLink first_link;
    ListLink second_link;  // an element may be in one list per link
};
using FirstList = List<Item, &Item::first_link>;
using SecondList = List<Item, &Item::second_link>;

std::vector<Item*> elements(const FirstList& list) {
    std::vector<Item*> found;
    for (Item* item = list.front(); item != nullptr; item = list.next(*item)) found.push_back(item);
    return found;
}

}  // namespace

TEST_CASE("a list keeps its elements in the order of a model through random operations") {
    std::mt19937_64 random{5};
    std::vector<Item> items(24);
    FirstList list;
    std::vector<Item*> model;
    for (int round = 0; round < 20'000; ++round) {
        Item& item = items[random() % items.size()];
        const auto position = std::ranges::find(model, &item);
        REQUIRE(FirstList::contains_link(item) == (position != model.end()));
        if (position != model.end()) {
            FirstList::remove(item);
            model.erase(position);
        } else if (random() % 2 != 0) {
            list.push_back(item);
            model.push_back(&item);
        } else {
            list.push_front(item);
            model.insert(model.begin(), &item);
        }
        if (random() % 8 == 0) {
            Item* expected = model.empty() ? nullptr : model.front();
            REQUIRE(list.pop_front() == expected);
            if (expected != nullptr) model.erase(model.begin());
        }
        REQUIRE(elements(list) == model);
        REQUIRE(list.empty() == model.empty());
    }
    while (list.pop_front() != nullptr) {
    }
}

TEST_CASE("an element is in one list for each of its links") {
    Item item;
    FirstList first;
    SecondList second;
    first.push_back(item);
    second.push_back(item);
    FirstList::remove(item);
    CHECK(first.empty());
    CHECK(second.front() == &item);
    SecondList::remove(item);
}

TEST_CASE("adding a linked element again is an assertion") {
    Item item;
    FirstList list, other;
    list.push_back(item);
    CHECK_THROWS_AS(list.push_front(item), test::AssertionFailed);
    CHECK_THROWS_AS(other.push_back(item), test::AssertionFailed);
    list.pop_front();
    CHECK_NOTHROW(other.push_back(item));
    other.pop_front();
}
