// Few (runtime/base/few.h): what lives in it, and for how long.
#include <catch2/catch.hpp>
#include <memory>

#include "runtime/base/few.h"

using capos::runtime::Few;

TEST_CASE("few values live until they are cleared, and move as a whole", "[few]") {
    const auto life = std::make_shared<int>(7);
    {
        Few<std::shared_ptr<int>, 3> few;
        CHECK(few.size() == 0);
        few.emplace(life);
        few.emplace(life);
        CHECK(life.use_count() == 3);

        Few<std::shared_ptr<int>, 3> moved{std::move(few)};
        CHECK(life.use_count() == 3);
        CHECK(moved.size() == 2);
        CHECK(moved[1] == life);

        Few<std::shared_ptr<int>, 3> assigned;
        assigned.emplace(std::make_shared<int>(8));
        assigned = std::move(moved);
        CHECK(assigned.size() == 2);
        CHECK(*assigned[0] == 7);
        CHECK(life.use_count() == 3);
        assigned.clear();
        CHECK(life.use_count() == 1);
        assigned.emplace(life);
    }
    CHECK(life.use_count() == 1);
}
