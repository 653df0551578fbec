// manifests.h - a small good manifest for tests to spoil.
#pragma once

#include "servers/init/manifest.h"

namespace capos::test {

inline constexpr u64 kConsoleId = 0xb39012c09ac51ec5, kLogId = 0x9a7b1c3e5d2f4b01;

// uart serves `console`, log serves `log` and writes to the console, shell uses both; 64 MiB.
init::Manifest small_manifest();
inline constexpr std::string_view kSmallFiles[] = {"bin/log", "bin/shell", "bin/uart", "manifest"};

init::ServiceEntry service(std::string_view name, std::string_view binary, u8 priority);
init::GrantEntry endpoint_grant(std::string_view name, std::string_view service, std::string_view endpoint);
init::GrantEntry kernel_grant(std::string_view name, init::KernelObject object, u32 first = 0, u32 count = 0);

}  // namespace capos::test
