#include "runtime/ring/start_message.h"

namespace capos::runtime {

namespace {

template <typename T>
T load(const std::byte* from) {
    T value;
    __builtin_memcpy(&value, from, sizeof(T));
    return value;
}

usize count_terminators(std::string_view texts) {
    usize count = 0;
    for (const char c : texts) count += c == '\0' ? 1 : 0;
    return count;
}

}  // namespace

Result<StartMessage, Status> StartMessage::parse(std::span<const std::byte> message) {
    if (message.size() < sizeof(abi::StartHeader)) return fail(Status::bad_message);
    const auto header = load<abi::StartHeader>(message.data());
    if (header.magic != abi::kStartMagic || header.version != abi::kStartVersion) return fail(Status::bad_message);

    const std::span<const std::byte> rest = message.subspan(sizeof(abi::StartHeader));
    const usize capability_bytes = usize{header.capability_count} * sizeof(abi::StartCapability);
    if (capability_bytes > rest.size() || header.text_bytes > rest.size() - capability_bytes) return fail(Status::bad_message);
    for (usize i = 0; i < header.capability_count; ++i) {
        const auto entry = load<abi::StartCapability>(rest.data() + i * sizeof(abi::StartCapability));
        if (entry.name[0] == '\0' || count_terminators({entry.name, abi::kStartNameBytes}) == 0)
            return fail(Status::bad_message);
    }
    const std::string_view texts{reinterpret_cast<const char*>(rest.data()) + capability_bytes, header.text_bytes};
    const usize text_count = usize{header.argument_count} + header.environment_count;
    if (count_terminators(texts) != text_count || (!texts.empty() && texts.back() != '\0')) return fail(Status::bad_message);

    StartMessage start;
    start.capabilities_ = rest.data();
    start.texts_ = texts.data();
    start.capability_count_ = header.capability_count;
    start.argument_count_ = header.argument_count;
    start.environment_count_ = header.environment_count;
    return start;
}

NamedCapability StartMessage::capability(usize index) const {
    if (index >= capability_count_) return {};
    const std::byte* at = capabilities_ + index * sizeof(abi::StartCapability);
    const auto entry = load<abi::StartCapability>(at);
    return {.name = std::string_view{reinterpret_cast<const char*>(at)}, .interface_id = entry.interface_id, .id = {entry.id}};
}

abi::CapId StartMessage::find(std::string_view name, u64 interface_id) const {
    for (usize i = 0; i < capability_count_; ++i) {
        const NamedCapability entry = capability(i);
        if (entry.name == name) return entry.interface_id == interface_id ? entry.id : abi::kNoCapability;
    }
    return abi::kNoCapability;
}

// parse counted the terminators, so that `index` of them exist.
std::string_view StartMessage::text(usize index) const {
    const char* at = texts_;
    for (usize i = 0; i < index; ++i) at += std::string_view{at}.size() + 1;
    return std::string_view{at};
}

std::optional<std::string_view> StartMessage::environment(std::string_view name) const {
    for (usize i = 0; i < environment_count_; ++i) {
        const std::string_view entry = text(usize{argument_count_} + i);
        if (entry.starts_with(name) && entry.size() > name.size() && entry[name.size()] == '=')
            return entry.substr(name.size() + 1);
    }
    return std::nullopt;
}

StartMessageBuilder::StartMessageBuilder(std::span<std::byte> out)
    : out_{out}, used_{sizeof(abi::StartHeader)}, failed_{out.size() < sizeof(abi::StartHeader)} {}

std::byte* StartMessageBuilder::take(usize bytes) {
    if (failed_ || bytes > out_.size() - used_) {
        failed_ = true;
        return nullptr;
    }
    std::byte* at = out_.data() + used_;
    used_ += bytes;
    return at;
}

void StartMessageBuilder::capability(std::string_view name, u64 interface_id, abi::CapId id) {
    if (name.empty() || name.size() >= abi::kStartNameBytes || header_.text_bytes != 0) {
        failed_ = true;
        return;
    }
    abi::StartCapability entry{.interface_id = interface_id, .id = id.value};
    name.copy(entry.name, name.size());
    if (std::byte* at = take(sizeof(entry))) {
        __builtin_memcpy(at, &entry, sizeof(entry));
        ++header_.capability_count;
    }
}

void StartMessageBuilder::add_text(std::string_view text, u16& count) {
    if (text.find('\0') != std::string_view::npos || (&count == &header_.argument_count && header_.environment_count != 0)) {
        failed_ = true;
        return;
    }
    if (std::byte* at = take(text.size() + 1)) {
        __builtin_memcpy(at, text.data(), text.size());
        at[text.size()] = std::byte{0};
        header_.text_bytes += static_cast<u32>(text.size() + 1);
        ++count;
    }
}

Result<std::span<const std::byte>, Status> StartMessageBuilder::finish() {
    if (failed_) return fail(Status::no_buffer);
    __builtin_memcpy(out_.data(), &header_, sizeof(header_));
    return std::span<const std::byte>{out_.data(), used_};
}

}  // namespace capos::runtime
