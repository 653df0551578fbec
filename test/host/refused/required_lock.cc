// Breaks: REQUIRES.
#include "state.h"

namespace capos::kernel {

void use(State& state, Cpu& cpu) {
    state.lock.acquire(cpu);
    state.lock.release();
    state.change();
}

}  // namespace capos::kernel
