// manifest.h - the manifest as init works with it: plain values, made by manifest_reader.h from the message. The fields are
// explained in idl/manifest.capnp. Texts point into the message.
#pragma once

#include <string_view>
#include <vector>

#include "abi/types.h"

namespace capos::init {

inline constexpr u32 kManifestVersion = 1;

enum class SystemProfile : u16 { release, development };
enum class DmaPolicy : u16 { isolated, unprotected };
enum class SpeculationPolicy : u16 { safe, unsafe };
enum class RestartOn : u16 { any_end, crash, never };
enum class GrantSource : u16 { endpoint, kernel, supervisor, file, archive };
enum class KernelObject : u16 { none, power, platform, profile, ports, interrupt };

struct AccountLimits {
    u64 memory_kib{};
    u32 objects{};
    u32 nodes{};
};

struct RingGeometry {
    u32 region_kib{};
    u16 submissions{};
    u16 completions{};
    u32 stack_kib{};
    u32 slots{};
};

struct EndpointEntry {
    std::string_view name;
    std::string_view interface;
    u64 interface_id{};
};

struct GrantEntry {
    std::string_view name;
    GrantSource source{};
    std::string_view service;
    std::string_view endpoint;
    u64 interface_id{};
    bool weak{};
    KernelObject object{};
    u32 first{};
    u32 count{};
    std::string_view file;
};

struct RestartEntry {
    RestartOn on{};
    u32 times{};
    u32 window_s{};
    std::vector<std::string_view> needs;
};

struct ServiceEntry {
    std::string_view name;
    std::string_view binary;
    std::vector<std::string_view> arguments;
    std::vector<std::string_view> environment;
    u8 priority{};
    AccountLimits limits;
    RingGeometry ring;
    std::vector<EndpointEntry> endpoints;
    std::vector<GrantEntry> grants;
    RestartEntry restart;
    bool required{};
    bool manual{};
    u32 ready_ms{};
    u32 stop_ms{};
    bool no_ping{};
    std::vector<std::string_view> stop_after;
    bool inspect_never{};
    u32 state_kib{};
};

struct Manifest {
    u32 version{};
    std::string_view name;
    SystemProfile profile{};
    DmaPolicy dma{};
    SpeculationPolicy speculation{};
    u64 memory_kib{};
    std::vector<ServiceEntry> services;
};

// What a 0 in the message stands for.
inline constexpr u32 kRegionKibDefault = 16, kStackKibDefault = 64, kSlotsDefault = 256;
inline constexpr u16 kSubmissionsDefault = 16, kCompletionsDefault = 32;
inline constexpr u32 kReadyMsDefault = 10'000, kStopMsDefault = 1'000, kRestartTimesDefault = 5, kRestartWindowSDefault = 60;

template <typename Number>
constexpr Number or_default(Number value, Number otherwise) {
    return value == 0 ? otherwise : value;
}

}  // namespace capos::init
