// spawn.h - makes processes of ELF files: the one loader of user space.
//
//      auto image = co_await ProgramImage::load(tools, file)             once: checks the file, fills what instances share
//      auto child = co_await spawn(tools, image, {.name = "uart", .account = account, ...})
//
// W^X: read-only and executable segments are filled once and sealed, and every instance maps the same memory; writable ones are
// made anew for each, from its own account. The kernel refuses anything else (R12).
// A child gets `process`, `thread`, `space` and `account` of its own, and what the request names, copied. Nothing else.
// Whatever fails on the way, nothing is left behind but what the request's account pays for: whoever made it ends it.
#pragma once

#include <string>
#include <vector>

#include "formats/elf.h"
#include "idl/kernel.h"
#include "runtime/loop/loop.h"
#include "runtime/spawn/layout.h"

namespace capos::runtime {

// What a spawner works with; all of it outlives the spawning.
struct SpawnTools {
    Loop& loop;
    const idl::Account::Client& account;     // pays for what instances share
    const idl::AddressSpace::Client& space;  // the spawner's own: memory is filled through it
    const idl::Entropy::Client& entropy;     // for the places of programs and stacks
};

class ProgramImage {
public:
    // Errors: bad_message with the reason when the file is no program (formats/elf.h); those of the calls. `file` stays where
    // it is for as long as the image lives.
    static Task<ProgramImage> load(SpawnTools tools, std::span<const std::byte> file);

    const formats::ElfImage& elf() const { return elf_; }
    std::span<const std::byte> contents(const formats::ElfSegment& segment) const {
        return file_.subspan(segment.file_offset, segment.file_bytes);
    }
    // Of a segment that instances share; names nothing for a writable one.
    const idl::Memory::Client& shared(usize segment) const { return shared_[segment]; }

private:
    formats::ElfImage elf_;
    std::span<const std::byte> file_;
    std::vector<idl::Memory::Client> shared_;  // one for each segment
};

struct NamedGrant {
    std::string name;
    u64 interface_id{};
    abi::CapId id;  // in the spawner's table
};

inline constexpr u8 kOwnPriority = 255;  // the spawner's

struct SpawnRequest {
    std::string name;                           // of the process
    const idl::Account::Client& account;        // pays for the child, and is what it can spend
    std::vector<std::string> arguments;         // after the name, which is the first one
    std::vector<std::string> environment;       // NAME=value
    std::vector<NamedGrant> grants;
    u8 priority{kOwnPriority};
    u32 region_bytes{};                         // of the ring; 0: the default, likewise the entries
    u16 submissions{}, completions{};
    u64 stack_bytes{64 * 1024};
    u32 slots{256};
    const idl::Notification::Client* notification{};  // told of the end, by setting `bit`
    u8 bit{};
};

struct Spawned {
    idl::Process::Client process;
    idl::Thread::Client thread;
    u64 number{};  // of the process
};

// Errors: those of the calls; no_buffer when the start-up message does not fit into the child's arena.
Task<Spawned> spawn(SpawnTools tools, const ProgramImage& image, SpawnRequest request);

// Memory of `bytes` bytes, a multiple of the page size, with `content` at `skip`; `sealed`: for ever.
Task<idl::Memory::Client> filled_memory(SpawnTools tools, const idl::Account::Client& account, u64 bytes, u64 skip,
                                        std::span<const std::byte> content, bool sealed);

}  // namespace capos::runtime
