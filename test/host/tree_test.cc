// The intrusive ordered map against std::multimap.
#include <new>

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "core/tree.h"
#include "host/support/machine.h"

using namespace capos;
using namespace capos::kernel;

namespace {

struct Item {
    u64 key{};
    TreeLink<Item> link;
};
constexpr u64 key_of(const Item& item) { return item.key; }
using ItemTree = Tree<Item, &Item::link, key_of>;

usize depth(const Item* node) { return node == nullptr ? 0 : 1 + std::max(depth(node->link.left), depth(node->link.right)); }

// The root is the element that every search passes: the linked one that nobody has as a child.
const Item* root_of(const std::vector<Item>& items) {
    std::set<const Item*> children;
    for (const Item& item : items) children.insert({item.link.left, item.link.right});
    const auto top = [&](const Item& item) { return item.link.linked && !children.contains(&item); };
    const auto root = std::ranges::find_if(items, top);
    return root == items.end() ? nullptr : &*root;
}

constexpr usize kDepthMax = 48;  // of 4096 elements: 12 at best; random priorities give about 30

}  // namespace

TEST_CASE("a tree answers like a multimap through random operations") {
    std::mt19937_64 random{6};
    std::vector<Item> items(64);
    ItemTree tree;
    std::multimap<u64, Item*> model;
    for (int round = 0; round < 8000; ++round) {
        Item& item = items[random() % items.size()];
        if (item.link.linked) {
            tree.erase(item);
            for (auto it = model.find(item.key); it != model.end(); ++it) {
                if (it->second == &item) {
                    model.erase(it);
                    break;
                }
            }
        } else {
            item.key = random() % 40 == 0 ? ~u64{0} - random() % 2 : random() % 32;
            tree.insert(item);
            model.emplace(item.key, &item);
        }
        REQUIRE(tree.empty() == model.empty());
        REQUIRE((tree.first() != nullptr ? std::optional{tree.first()->key} : std::nullopt) ==
                (model.empty() ? std::nullopt : std::optional{model.begin()->first}));
        for (const u64 probe : {random() % 33, ~u64{0} - random() % 3, u64{0}}) {
            const auto above = model.lower_bound(probe);
            const Item* found = tree.at_or_above(probe);
            REQUIRE((found != nullptr) == (above != model.end()));
            if (found != nullptr) REQUIRE(found->key == above->first);
            const auto past = model.upper_bound(probe);
            const Item* below = tree.at_or_below(probe);
            REQUIRE((below != nullptr) == (past != model.begin()));
            if (below != nullptr) REQUIRE(below->key == std::prev(past)->first);
        }
    }
}

TEST_CASE("taking the first element again and again gives a sorted tree's elements") {
    std::mt19937_64 random{7};
    std::vector<Item> items(1000);
    ItemTree tree;
    for (Item& item : items) {
        item.key = random() % 100;
        tree.insert(item);
    }
    usize count = 0;
    for (u64 last = 0; Item* item = tree.first(); ++count) {
        REQUIRE(item->key >= last);
        last = item->key;
        tree.erase(*item);
        REQUIRE_FALSE(item->link.linked);
    }
    CHECK(count == items.size());
}

TEST_CASE("a tree stays shallow when keys are inserted in order, and when most of them are erased again") {
    std::mt19937_64 random{16};
    std::vector<Item> items(4096);
    ItemTree tree;
    for (usize i = 0; i < items.size(); ++i) {
        items[i].key = i;
        tree.insert(items[i]);
    }
    CHECK(depth(root_of(items)) < kDepthMax);
    for (int round = 0; round < 20'000; ++round) {
        Item& item = items[random() % items.size()];
        if (item.link.linked) {
            tree.erase(item);
        } else if (round < 10'000) {
            tree.insert(item);
        }
    }
    CHECK(depth(root_of(items)) > 0);
    CHECK(depth(root_of(items)) < kDepthMax);
}

TEST_CASE("inserting a linked element, or erasing one that is not, is an assertion") {
    Item item, other;
    ItemTree tree;
    tree.insert(item);
    CHECK_THROWS_AS(tree.insert(item), test::AssertionFailed);
    CHECK_THROWS_AS(tree.erase(other), test::AssertionFailed);
}
