// defaults.h - a field's default as the schema compiler passes it on. Host tool.
#pragma once

#include <capnp/schema.capnp.h>

namespace capos::codegen {

// Whether the field has a default other than zero, false, or empty: none of our representations can hold one.
bool has_other_default(capnp::schema::Field::Slot::Reader slot);

}  // namespace capos::codegen
