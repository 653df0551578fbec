// state.h - something that the kernel lock guards, for the files in this folder that misuse it (lock_annotations_test.cc).
#pragma once

#include "core/lock.h"

namespace capos::kernel {

struct State {
    KernelLock lock;
    int value GUARDED_BY(lock) {};

    void change() REQUIRES(lock) { ++value; }
    void take_and_change(Cpu& cpu) EXCLUDES(lock) {
        lock.acquire(cpu);
        change();
        lock.release();
    }
};

}  // namespace capos::kernel
