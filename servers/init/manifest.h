// manifest.h - the manifest as init works with it: the message's structs, but for those with lists in them, which are made by
// manifest_reader.h. The fields are explained in idl/manifest.capnp. Texts point into the message.
#pragma once

#include <string_view>
#include <vector>

#include "idl/manifest_messages.h"

namespace capos::init {

inline constexpr u32 kManifestVersion = 1;

// What holds no list is the message's own.
using idl::AccountLimits, idl::DmaPolicy, idl::EndpointEntry, idl::GrantEntry, idl::GrantSource, idl::KernelObject,
    idl::RestartOn, idl::RingGeometry, idl::SpeculationPolicy, idl::SystemProfile;

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
