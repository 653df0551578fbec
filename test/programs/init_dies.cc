// An init that ends, in the way that the kernel's command line names: die=exit or die=fault. The kernel has to notice.

#include "support/world.h"

namespace capos::test {

void test_main(World& world) {
    const auto reply = world.caller.call<idl::PlatformInfo::CommandLine>(world.platform);
    const std::string_view arguments = reply ? reply->fields.text : std::string_view{};
    if (arguments.contains("die=fault")) __builtin_trap();
    runtime::exit(7);
}

}  // namespace capos::test
