// Breaks: the lock is not recursive.
#include "state.h"

namespace capos::kernel {

void use(State& state, Cpu& cpu) {
    state.lock.acquire(cpu);
    state.lock.acquire(cpu);
    state.lock.release();
}

}  // namespace capos::kernel
