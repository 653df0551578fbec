// start_message.h - reads and writes the start-up message (abi/start.h): a process's arguments and named capabilities.
//
// The message comes from whoever made the process. It is checked once, in parse; what is given out afterwards is in bounds and
// NUL-terminated. The texts lie in the arena of the first ring and stay there: nothing reuses that piece (Ring::reserve).
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "abi/ring.h"
#include "abi/start.h"
#include "formats/support/result.h"

namespace capos::runtime {

// A named capability. Values.
struct NamedCapability {
    std::string_view name;
    u64 interface_id{};
    abi::CapId id;
};

class StartMessage {
public:
    StartMessage() = default;  // of a process that was given nothing

    // Errors: bad_message when a count, a name or a text leaves the message or lacks its NUL.
    static Result<StartMessage, Status> parse(std::span<const std::byte> message);

    usize capability_count() const { return capability_count_; }
    NamedCapability capability(usize index) const;
    // The capability of that name, if it has that interface; else kNoCapability, on which every call fails.
    abi::CapId find(std::string_view name, u64 interface_id) const;

    usize argument_count() const { return argument_count_; }
    std::string_view argument(usize index) const { return index < argument_count_ ? text(index) : std::string_view{}; }
    // The value of an environment entry NAME=value.
    std::optional<std::string_view> environment(std::string_view name) const;

private:
    std::string_view text(usize index) const;

    const std::byte* capabilities_{};
    const char* texts_{};
    u16 capability_count_{};
    u16 argument_count_{};
    u16 environment_count_{};
};

// Puts a start-up message together in memory of the caller. Capabilities first, then arguments, then environment entries.
class StartMessageBuilder {
public:
    explicit StartMessageBuilder(std::span<std::byte> out);

    void capability(std::string_view name, u64 interface_id, abi::CapId id);
    void argument(std::string_view text) { add_text(text, header_.argument_count); }
    void environment(std::string_view entry) { add_text(entry, header_.environment_count); }

    // The message. Errors: no_buffer when something had no room, or a name is too long.
    Result<std::span<const std::byte>, Status> finish();

private:
    void add_text(std::string_view text, u16& count);
    std::byte* take(usize bytes);

    std::span<std::byte> out_;
    usize used_;
    bool failed_{};
    abi::StartHeader header_{.magic = abi::kStartMagic, .version = abi::kStartVersion};
};

}  // namespace capos::runtime
