// manifest_reader.h - the manifest's message to the values that init works with. Pure.
#pragma once

#include <optional>
#include <span>

#include "servers/init/manifest.h"

namespace capos::init {

// Nothing when `message` is not a well-formed message of idl/manifest.capnp. Whether what it says makes sense is for
// check_manifest. Texts point into `message`.
std::optional<Manifest> read_manifest(std::span<const std::byte> message);

}  // namespace capos::init
