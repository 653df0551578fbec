// Programs of several processes on the simulated machine: the input draws what they do, and in which order CPUs, timers and
// interrupts come. All invariants of test/sim hold after every few steps, and at the end everything comes back.
#include "sim/simulation.h"

#include "support/target.h"

namespace capos::fuzz {

namespace {

constexpr u64 kStepsMax = 2'000;

}  // namespace

void run(Bytes input) {
    if (input.empty()) return;
    // The first byte says how many CPUs, and whether memory changes while the kernel reads it.
    const auto first = static_cast<u8>(input.front());
    sim::Simulation simulation{sim::Random{input.subspan(1)},
                               {.cpus = 1 + first % 4u, .frames = 500, .check_every = 8, .adversary = (first & 4) != 0,
                                .until_exhausted = true}};
    try {
        simulation.run(kStepsMax);
        simulation.finish();
    } catch (const std::exception& problem) {
        check(false, problem.what());
    }
}

std::vector<ByteVector> seeds() {
    std::vector<ByteVector> all;
    for (u8 seed = 0; seed < 24; ++seed) {
        sim::Random random{seed};
        ByteWriter bytes;
        bytes.put(seed);
        for (int i = 0; i < 6'000; ++i) bytes.put(static_cast<u8>(random.next() >> 32));
        all.push_back(bytes.take());
    }
    return all;
}

}  // namespace capos::fuzz
