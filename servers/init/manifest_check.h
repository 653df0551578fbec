// manifest_check.h - whether a manifest makes sense as a whole. Pure; init calls it before it starts anything, and imagegen
// when it makes an image, so that a mistake is found at the desk. Every problem is named: a list to work through.
//
// What must hold:
//   numbers     the version is ours; priorities, limits, ring geometry, times and counts lie in their ranges
//   names       of services, endpoints and grants are well-formed and unique where they have to be; the binary and every file
//               are in the boot archive; services and endpoints that are referred to exist
//   authority   no I/O port and no interrupt line is granted twice; a grant expects the interface that the endpoint serves
//   order       waiting for clients' servers (grants that are not weak, and restart.needs) has no cycle; nor has the order of
//               stopping; restarting a service needs neither itself nor something that depends on it
//   priorities  a server's is at least that of each client, weak or not
//   whole       the limits and state of all services together leave init its share of the machine
#pragma once

#include <span>
#include <string>

#include "servers/init/manifest.h"

namespace capos::init {

inline constexpr usize kServicesMax = 60;
inline constexpr usize kGrantsMax = 32;
inline constexpr usize kEndpointsMax = 8;
inline constexpr usize kNameBytesMax = 31;      // abi::kStartNameBytes with its NUL
inline constexpr usize kStartTextsBytesMax = 2048;  // arguments and environment of one service
inline constexpr u32 kRestartTimesMax = 32;
inline constexpr u64 kInitShareKib = 4096;      // what the limits of services leave to init

// What the manifest is held against.
struct Surroundings {
    std::span<const std::string_view> files;  // of the boot archive
    u64 memory_kib{};                         // 0: only what the manifest itself says
    u32 objects{};                            // 0: not known
    u32 nodes{};
};

// The problems, each a sentence that names what is wrong: "service `shell`: grant `log`: there is no service `logg`".
// None: the manifest is good.
std::vector<std::string> check_manifest(const Manifest& manifest, const Surroundings& surroundings);

}  // namespace capos::init
