// The control: keeps all rules.
#include "state.h"

namespace capos::kernel {

void use(State& state, Cpu& cpu, bool early) {
    state.take_and_change(cpu);
    state.lock.acquire(cpu);
    if (early) {
        state.lock.release();
        return;
    }
    state.value = 1;
    state.change();
    state.lock.release();
}

}  // namespace capos::kernel
