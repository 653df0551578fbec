#include "codegen/text.h"

#include <iomanip>

namespace capos::codegen {

std::string hex(u64 id) {
    std::ostringstream stream;
    stream << "0x" << std::hex << std::setfill('0') << std::setw(16) << id;
    return stream.str();
}

}  // namespace capos::codegen
