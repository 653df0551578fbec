// byte_writer.h - builds little-endian input for parsers, and lies in it on demand.
#pragma once

#include <cstring>
#include <new>
#include <string_view>
#include <type_traits>
#include <vector>

#include "abi/types.h"

namespace capos::test {

using ByteVector = std::vector<std::byte>;

class ByteWriter {
public:
    template <typename T>
        requires std::is_trivially_copyable_v<T>
    ByteWriter& put(const T& value) {
        const auto* first = reinterpret_cast<const std::byte*>(&value);
        bytes_.insert(bytes_.end(), first, first + sizeof value);
        return *this;
    }
    ByteWriter& text(std::string_view value) {
        for (const char c : value) put(c);
        return *this;
    }
    ByteWriter& append(const ByteVector& other) {
        bytes_.insert(bytes_.end(), other.begin(), other.end());
        return *this;
    }
    ByteWriter& pad_to(usize size) {
        if (bytes_.size() < size) bytes_.resize(size);
        return *this;
    }
    ByteWriter& align(usize alignment) { return pad_to((bytes_.size() + alignment - 1) / alignment * alignment); }

    usize size() const { return bytes_.size(); }
    ByteVector take() { return std::move(bytes_); }

private:
    ByteVector bytes_;
};

// Overwrites a value inside finished input.
template <typename T>
void patch(ByteVector& bytes, usize offset, T value) {
    std::memcpy(bytes.data() + offset, &value, sizeof value);
}

}  // namespace capos::test
