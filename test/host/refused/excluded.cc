// Breaks: EXCLUDES.
#include "state.h"

namespace capos::kernel {

void use(State& state, Cpu& cpu) {
    state.lock.acquire(cpu);
    state.take_and_change(cpu);
    state.lock.release();
}

}  // namespace capos::kernel
