// result.h - Result<T, E>: a value or an error that the caller may not ignore. Pure, freestanding; for kernel, target and host.
//
// Result derives from std::expected because an alias of it would lose [[nodiscard]] and be silently discarded.
#pragma once

#include <expected>
#include <utility>

namespace capos {

template <typename T, typename E>
struct [[nodiscard]] Result : std::expected<T, E> {
    using std::expected<T, E>::expected;
    constexpr Result(std::expected<T, E>&& other) : std::expected<T, E>(std::move(other)) {}
};

// Success of a Result<void, E>: `return done;`
struct Done {
    template <typename E>
    constexpr operator Result<void, E>() const {  // NOLINT(google-explicit-constructor): the point of `done`
        return Result<void, E>{};
    }
};
inline constexpr Done done{};

// `return fail(Error::x);` in a function that returns Result<T, Error>.
template <typename E>
constexpr std::unexpected<E> fail(E error) {
    return std::unexpected<E>(std::move(error));
}

}  // namespace capos

// TRY(expr): the value of a Result, or return its error from the enclosing function. A GNU statement expression, so that it
// can stand inside a larger expression; both compilers in use (clang for kernel, target and host) have it.
#define TRY(...)                                                                  \
    ({                                                                            \
        auto capos_try_result = (__VA_ARGS__);                                    \
        if (!capos_try_result) return ::capos::fail(capos_try_result.error());    \
        *::std::move(capos_try_result);                                           \
    })
