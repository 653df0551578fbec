#include "records.h"

#include <algorithm>
#include <utility>

namespace capos::log {

namespace {

constexpr std::string_view kOthers = "others";
constexpr usize kCrashBytesMax = 4096;

bool continues_a_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

std::string cut(std::string_view text, usize bytes_max) {
    if (text.size() <= bytes_max) return std::string{text};
    while (bytes_max > 0 && continues_a_character(text[bytes_max])) --bytes_max;
    return std::string{text.substr(0, bytes_max)};
}

}  // namespace

usize Record::bytes() const {
    usize sum = sizeof(Record) + text.size();
    for (const Field& field : fields) sum += sizeof(Field) + field.name.size() + field.value.size();
    return sum;
}

std::map<std::string, Records::Service, std::less<>>::iterator Records::service(std::string_view name) {
    const auto found = services_.find(name);
    if (found != services_.end()) return found;
    const bool is_full = services_.size() >= kServicesMax;
    return services_.try_emplace(std::string{is_full ? kOthers : name}).first;
}

bool Records::take_token(Service& service, u64 now_ns) {
    service.tokens_ns = std::min(service.tokens_ns + (now_ns - service.filled_ns), kBurst * kTokenNs);
    service.filled_ns = now_ns;
    if (service.tokens_ns < kTokenNs) return false;
    service.tokens_ns -= kTokenNs;
    return true;
}

bool Records::add(u64 now_ns, std::string_view name, LogLevel level, std::string_view text,
                  const idl::List<idl::LogField>& fields, u32 lost) {
    const auto entry = service(name);
    Service& writer = entry->second;
    if (level > writer.level) {
        ++dropped_;
        return false;
    }
    writer.lost += lost;
    if (!take_token(writer, now_ns)) {
        ++writer.lost;
        ++dropped_;
        return false;
    }
    Record record{.number = next_number_++,
                  .time_ns = now_ns,
                  .service = &entry->first,
                  .level = level,
                  .text = cut(text, kTextBytesMax),
                  .fields = {},
                  .lost = std::exchange(writer.lost, 0)};
    for (const idl::LogField& field : fields) {
        if (record.fields.size() == kFieldsMax) break;
        record.fields.push_back({cut(field.name, kNameBytesMax), cut(field.value, kValueBytesMax)});
    }
    keep(std::move(record));
    return true;
}

void Records::keep(Record record) {
    bytes_ += record.bytes();
    records_.push_back(std::move(record));
    while (bytes_ > kBytesMax) {
        bytes_ -= records_.front().bytes();
        records_.pop_front();
        ++dropped_;
    }
}

void Records::add_crash(u64 now_ns, std::string_view name, std::string_view summary, std::vector<std::byte> record) {
    const auto entry = service(name);
    keep({.number = next_number_++,
          .time_ns = now_ns,
          .service = &entry->first,
          .level = LogLevel::error,
          .text = cut(summary, kTextBytesMax),
          .fields = {},
          .lost = 0});
    record.resize(std::min(record.size(), kCrashBytesMax));
    crashes_.push_back({next_crash_++, now_ns, std::string{name}, cut(summary, kTextBytesMax), std::move(record)});
    if (crashes_.size() > kCrashesMax) crashes_.pop_front();
}

// Numbers rise by one from record to record, so that the place of one follows from that of the first.
const Record* Records::next(u64 number, const Filter& filter) const {
    if (records_.empty()) return nullptr;
    const u64 first = records_.front().number;
    for (u64 i = number < first ? 0 : number - first + 1; i < records_.size(); ++i) {
        if (filter.matches(records_[i])) return &records_[i];
    }
    return nullptr;
}

const CrashRecord* Records::next_crash(u64 number) const {
    const auto found = std::ranges::find_if(crashes_, [&](const CrashRecord& crash) { return crash.number > number; });
    return found == crashes_.end() ? nullptr : &*found;
}

LogLevel Records::level(std::string_view name) const {
    const auto found = services_.find(name);
    return found == services_.end() ? LogLevel::info : found->second.level;
}

bool Records::set_level(std::string_view name, LogLevel level) {
    const auto found = services_.find(name);
    if (found == services_.end()) return false;
    found->second.level = level;
    return true;
}

}  // namespace capos::log
