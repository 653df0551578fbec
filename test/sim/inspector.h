// inspector.h - looks into the core between two steps: what must hold whatever user programs do. It is the only friend of
// Kernel.
#pragma once

#include <ostream>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "sim/machine.h"

namespace capos::sim {
// Something that must hold does not.
struct Violation : std::runtime_error {
    using std::runtime_error::runtime_error;
};
}  // namespace capos::sim

namespace capos::kernel {

const char* name_of(ObjectType type);  // for people

class Inspector {
public:
    explicit Inspector(sim::Machine& machine) : machine_{machine} {}

    // All invariants: accounts, nodes and their references, frames, page tables, rings, the scheduler, and what CPUs remember.
    // Throws Violation.
    void check();
    // No work is left that the kernel would do by itself.
    bool at_rest() const;
    // Other CPUs have still to acknowledge something.
    bool retiring() const;

    // What is in use; equal before and after means that everything came back.
    struct Totals {
        u64 free_frames;
        u32 nodes, cells;
        Resources charged;  // to the root account
        bool operator==(const Totals&) const = default;
        friend std::ostream& operator<<(std::ostream& out, const Totals& t) {
            return out << t.free_frames << " frames free, " << t.nodes << " nodes, " << t.cells << " cells; charged "
                       << t.charged.frames << " frames, " << t.charged.objects << " objects, " << t.charged.nodes << " nodes";
        }
    };
    Totals totals() const;
    // For people: every object with what keeps it.
    std::string objects();

    // The live object that `id` names in the process's table, or null; and its node.
    Object* object(Process& process, abi::CapId id);
    Node* node(Process& process, abi::CapId id);
    NodeTree& nodes();

    // --- for programs that draw from what they hold, and for checks of authority ---
    // Slots in use; `none` where the capability is dead.
    std::vector<std::pair<abi::CapId, Interface>> slots(Process& process);
    struct Range {
        u64 start, pages;
        Access access;
    };
    std::vector<Range> regions(Process& process);
    std::vector<Range> regions_of_space(Process& process, abi::CapId space);
    bool is_ring(Process& process, u64 address);
    std::vector<Process*> processes();
    // At the moment of an access: all these ports belong to one live claim.
    static void check_access(const Kernel& kernel, PortRange ports);
    // All objects that the process's capabilities name, and all memory that it maps.
    std::vector<const Object*> reach(Process& process);
    // Ends every object that the root account pays for.
    void end_everything();

private:
    // Whom I/O ports and interrupts belong to, and that masks are what they have to be (inspector_views.cc).
    void check_ports();
    void check_interrupts();
    void check_translations(const std::vector<AddressSpace*>& spaces);
    struct Census;
    sim::Machine& machine_;
};

}  // namespace capos::kernel

namespace capos::sim {
using kernel::Inspector;
}
