// child.h - child processes of a test program: other address spaces that run functions of the same program.
//
// The image of the program is copied once into a sealed memory, which is mapped executable at its own addresses into each
// child. A child starts like any program (runtime/ring/program.h) and finds its capabilities in its start-up message.
#pragma once

#include "abi/crash.h"
#include "support/world.h"

namespace capos::test {

using ChildFunction = u64 (*)(Environment& environment);

inline constexpr u64 kChildStackTop = 0x7000'0000;
inline constexpr u64 kChildStackBytes = 4 * kPageBytes;

// The program's own code and constants. Made once.
class Image {
public:
    static Expected<Image> create(World& world);
    CapId memory() const { return memory_; }
    static u64 start();
    static u64 bytes();

private:
    explicit Image(CapId memory) : memory_{memory} {}
    CapId memory_;
};

struct Endowment {
    std::string_view name;
    u64 interface_id;
    CapId id;  // in the maker's table
};

// Memory that is mapped into a child before it starts. Executable when it is sealed, and `protection` says so.
struct Mapping {
    CapId memory;
    u64 address{};
    u64 bytes{};
    u8 protection{};
};

struct ChildOptions {
    CapId account{};  // none: the program's own
    u32 slots{64};
    u8 priority{10};
    u32 cpu{~u32{0}};  // pinned to, or anywhere
    u32 region_bytes{};
    u16 submission_entries{};
    u16 completion_entries{};
    u64 number{};  // for the child: number_of(environment)
    std::span<const Mapping> mappings{};
    bool itself{};  // it gets `process`, `space` and `thread`: its own
    CapId shared_memory{};  // one page, readable and writable at shared_address in the child
    u64 shared_address{};
};

// A child process and what was made for it.
class Child {
public:
    // Makes it and starts it. Errors: those of the methods it takes.
    static Expected<Child> create(World& world, const Image& image, std::string_view name, ChildFunction function,
                                  std::initializer_list<Endowment> endowments = {}, ChildOptions options = {});
    Child(Child&& other) = default;
    Child& operator=(Child&&) = delete;

    CapId process, space, thread, stack;
    u64 region{};

    // Waits until nothing of it is left. False: it still lives when `timeout_ns` have passed.
    bool wait_for_end(World& world, u64 timeout_ns = 2'000'000'000);
    idl::Process::State::Results state(World& world);
    // Its crash record; all zero when there is none.
    abi::CrashRecord crash(World& world);
    // Gives back all capabilities, which ends it.
    void release(World& world);

private:
    Child() = default;
    CapId ended_;  // notification
};

// In a child: the number from its options.
u64 number_of(const Environment& environment);

// In a child: a capability by its name.
template <typename Interface>
CapId capability(const Environment& environment, std::string_view name) {
    return environment.start.find(name, Interface::kInterfaceId);
}
// Facets have any interface; in endowments they go by 0.
inline CapId facet(const Environment& environment, std::string_view name) { return environment.start.find(name, 0); }

}  // namespace capos::test
