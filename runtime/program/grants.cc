#include "runtime/program/program.h"

namespace capos::runtime {

Error Grants::missing(std::string_view name) {
    return Error{Status::bad_capability, 0, "not given: " + std::string{name}};
}

}  // namespace capos::runtime
