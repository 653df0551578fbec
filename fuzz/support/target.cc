// The glue between a fuzz target and libFuzzer. `fuzz-NAME --write-seeds=FOLDER` writes the target's seeds and ends.
#include "support/target.h"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace capos::fuzz {

void check(bool holds, const char* property, std::source_location where) {
    if (holds) return;
    std::fprintf(stderr, "%s:%u: this does not hold: %s\n", where.file_name(), where.line(), property);
    std::abort();
}

namespace {

bool write_seeds(const std::string& folder) {
    unsigned number = 0;
    for (const ByteVector& seed : seeds()) {
        const std::string path = folder + "/seed-" + std::to_string(number++);
        std::FILE* file = std::fopen(path.c_str(), "wb");
        if (file == nullptr) return false;
        const bool written = std::fwrite(seed.data(), 1, seed.size(), file) == seed.size();
        if (std::fclose(file) != 0 || !written) return false;
    }
    return true;
}

}  // namespace
}  // namespace capos::fuzz

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
    constexpr std::string_view kWriteSeeds = "--write-seeds=";
    for (int i = 1; i < *argc; ++i) {
        const std::string_view argument{(*argv)[i]};
        if (!argument.starts_with(kWriteSeeds)) continue;
        const bool written = capos::fuzz::write_seeds(std::string{argument.substr(kWriteSeeds.size())});
        if (!written) std::perror("the seeds cannot be written");
        std::exit(written ? 0 : 1);
    }
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const capos::u8* data, capos::usize size) {
    capos::fuzz::run({reinterpret_cast<const std::byte*>(data), size});
    return 0;
}
