#include "codegen/defaults.h"

#include <cmath>

namespace capos::codegen {

namespace schema = capnp::schema;

namespace {

bool is_zero(schema::Value::Reader value) {
    switch (value.which()) {
        case schema::Value::BOOL: return !value.getBool();
        case schema::Value::INT8: return value.getInt8() == 0;
        case schema::Value::INT16: return value.getInt16() == 0;
        case schema::Value::INT32: return value.getInt32() == 0;
        case schema::Value::INT64: return value.getInt64() == 0;
        case schema::Value::UINT8: return value.getUint8() == 0;
        case schema::Value::UINT16: return value.getUint16() == 0;
        case schema::Value::UINT32: return value.getUint32() == 0;
        case schema::Value::UINT64: return value.getUint64() == 0;
        case schema::Value::ENUM: return value.getEnum() == 0;
        case schema::Value::TEXT: return value.getText().size() == 0;
        case schema::Value::DATA: return value.getData().size() == 0;
        case schema::Value::FLOAT32: return value.getFloat32() == 0 && !std::signbit(value.getFloat32());
        case schema::Value::FLOAT64: return value.getFloat64() == 0 && !std::signbit(value.getFloat64());
        default: return false;
    }
}

}  // namespace

bool has_other_default(schema::Field::Slot::Reader slot) {
    return slot.getHadExplicitDefault() && !is_zero(slot.getDefaultValue());
}

}  // namespace capos::codegen
