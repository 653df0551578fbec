// From the first instruction to program_main: ring, start-up message, musl, loop.
#include <elf.h>

#include <cstdio>
#include <optional>

#include "runtime/libc/personality.h"
#include "runtime/program/program.h"
#include "runtime/ring/program.h"

extern "C" {
// The linker's names for the ELF header, which the first segment contains, and for the dynamic section. Hidden: found relative
// to the code, before anything is relocated.
[[gnu::visibility("hidden")]] extern const Elf64_Ehdr __ehdr_start;  // NOLINT
[[gnu::visibility("hidden")]] extern const Elf64_Dyn _DYNAMIC[];     // NOLINT
int __libc_start_main(int (*main)(int, char**, char**), int argc, char** argv, void (*)(), void (*)(), void (*)());
int main(int argc, char** argv, char** environment);
}

namespace capos::runtime {

namespace {

constexpr usize kVectorMax = 128;  // arguments and environment entries that musl is shown
constexpr usize kRandomBytes = 16;

// Not made by a constructor: nothing has run yet when _start needs it.
struct Started {
    std::optional<Ring> ring;
    std::optional<StartMessage> message;
};
constinit Started started;

// What a System V program finds on its stack: argc, argv, environment, auxiliary vector (System V ABI, AMD64, §3.4.1).
class StartVector {
public:
    StartVector(const StartMessage& message, const std::byte* random) {
        add(message.argument_count());
        for (usize i = 0; i < message.argument_count(); ++i) add(reinterpret_cast<u64>(message.argument(i).data()));
        add(0);
        add(0);  // programs read their environment from the start-up message
        const u64 header = reinterpret_cast<u64>(&__ehdr_start);
        auxiliary(AT_PHDR, header + __ehdr_start.e_phoff);
        auxiliary(AT_PHNUM, __ehdr_start.e_phnum);
        auxiliary(AT_PHENT, __ehdr_start.e_phentsize);
        auxiliary(AT_PAGESZ, 4096);
        auxiliary(AT_RANDOM, reinterpret_cast<u64>(random));
        auxiliary(AT_NULL, 0);
    }
    int argc() const { return static_cast<int>(words_[0]); }
    char** argv() { return reinterpret_cast<char**>(words_ + 1); }

private:
    void add(u64 word) {
        if (count_ < kVectorMax) words_[count_++] = word;
    }
    void auxiliary(u64 kind, u64 value) {
        add(kind);
        add(value);
    }

    u64 words_[kVectorMax]{};
    usize count_{};
};

// A static PIE is loaded anywhere and relocates itself: until this has run, no constant may hold an address. Nothing but
// relative relocations is left by the linker (System V ABI, AMD64, §4.4.1).
void relocate() {
    const u64 base = reinterpret_cast<u64>(&__ehdr_start);
    u64 table = 0, bytes = 0;
    for (const Elf64_Dyn* entry = _DYNAMIC; entry->d_tag != DT_NULL; ++entry) {
        if (entry->d_tag == DT_RELA) table = base + entry->d_un.d_ptr;
        if (entry->d_tag == DT_RELASZ) bytes = entry->d_un.d_val;
    }
    const auto* relocations = reinterpret_cast<const Elf64_Rela*>(table);
    for (u64 i = 0; i < bytes / sizeof(Elf64_Rela); ++i) {
        if (ELF64_R_TYPE(relocations[i].r_info) != R_X86_64_RELATIVE) __builtin_trap();
        *reinterpret_cast<u64*>(base + relocations[i].r_offset) = base + static_cast<u64>(relocations[i].r_addend);
    }
}

u64 start(std::byte* region) {
    Result<Ring, Status> ring = Ring::attach(region);
    if (!ring) return kExitNoRing;
    started.ring.emplace(*std::move(ring));
    const abi::RingHeader& header = started.ring->header();
    const auto message = StartMessage::parse(started.ring->bytes({header.start_offset, header.start_length}));
    if (!message) return kExitNoStartMessage;
    started.message.emplace(*message);
    libc::attach(*started.ring, *started.message);

    static constinit std::byte random[kRandomBytes]{};
    libc::random_bytes(random, sizeof random);
    StartVector vector{*started.message, random};
    return static_cast<u64>(__libc_start_main(::main, vector.argc(), vector.argv(), nullptr, nullptr, nullptr));
}

}  // namespace

extern "C" [[noreturn, gnu::used]] void capos_program_start(u64, std::byte* region) {
    relocate();
    exit(start(region));
}

// Entered as ring/program_start.cc says.
extern "C" [[gnu::naked, noreturn]] void _start() {
    asm volatile(
        "xorl %ebp, %ebp\n"
        "cld\n"
        "call capos_program_start\n"
        "ud2\n");
}

}  // namespace capos::runtime

int main(int, char**, char**) {
    using namespace capos::runtime;
    Loop loop{*started.ring};
    Grants grants{loop, *started.message};
    const auto report = [](void*, const Error& error) {
        std::fprintf(stderr, "failed: %s %s\n", std::string{name_of(error.status)}.c_str(), error.text.c_str());
    };
    loop.on_failure(report, nullptr);
    const Outcome<void> ended = loop.run(program_main(grants));
    if (ended) return 0;
    report(nullptr, ended.error());
    return static_cast<int>(kExitFailed);
}
