// Breaks: what is acquired is released on every path.
#include "state.h"

namespace capos::kernel {

void use(State& state, Cpu& cpu, bool early) {
    state.lock.acquire(cpu);
    if (!early) state.lock.release();
}

}  // namespace capos::kernel
