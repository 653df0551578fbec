// Breaks: data is touched only under its lock.
#include "state.h"

namespace capos::kernel {

void use(State& state) { state.value = 1; }

}  // namespace capos::kernel
