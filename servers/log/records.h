// records.h - what the log server keeps: records of all services in one bounded memory, oldest dropped first, and crashes apart
// from them. Pure: time is an argument; compiled for the server and for the host tests.
//
// Bounds: kBytesMax of records; a service adds at most kRate records a second, kBurst at once (a token bucket), so that a flood
// of one pushes out little of the others; what is beyond is counted and told with the next record that is kept. Texts are kept
// raw, cut to their limits at a UTF-8 boundary.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "idl/log_messages.h"

namespace capos::log {

using idl::LogLevel;

struct Field {
    std::string name, value;
};

struct Record {
    u64 number{};
    u64 time_ns{};
    const std::string* service{};  // owned by Records, for its whole life
    LogLevel level{};
    std::string text;
    std::vector<Field> fields;
    u32 lost{};

    usize bytes() const;
};

struct CrashRecord {
    u64 number{};
    u64 time_ns{};
    std::string service, summary;
    std::vector<std::byte> record;
};

struct Filter {
    std::string_view service;  // empty: all
    LogLevel level{LogLevel::debug};
    bool matches(const Record& record) const {
        return record.level <= level && (service.empty() || *record.service == service);
    }
};

class Records {
public:
    static constexpr usize kTextBytesMax = 800, kNameBytesMax = 32, kValueBytesMax = 200, kFieldsMax = 8;
    static constexpr usize kBytesMax = 512 * 1024, kCrashesMax = 64, kServicesMax = 256;
    static constexpr u32 kRate = 100, kBurst = 200;

    // Adds a record, or counts it as lost when the service writes too fast; above the service's level it is dropped without a
    // trace. True when it was kept.
    bool add(u64 now_ns, std::string_view service, LogLevel level, std::string_view text,
             const idl::List<idl::LogField>& fields, u32 lost);
    void add_crash(u64 now_ns, std::string_view service, std::string_view summary, std::vector<std::byte> record);

    // The first kept record after `number` that passes; null when there is none.
    const Record* next(u64 number, const Filter& filter) const;
    const CrashRecord* next_crash(u64 number) const;

    LogLevel level(std::string_view service) const;
    // False for a service that never wrote.
    bool set_level(std::string_view service, LogLevel level);

    usize count() const { return records_.size(); }
    usize bytes() const { return bytes_; }
    u64 dropped() const { return dropped_; }

private:
    struct Service {
        LogLevel level{LogLevel::info};
        u64 tokens_ns{kBurst * kTokenNs};  // what the bucket holds, in ns of waiting
        u64 filled_ns{};
        u32 lost{};
    };
    static constexpr u64 kTokenNs = 1'000'000'000 / kRate;

    // The entry of a service; the last one, `others`, for all beyond kServicesMax.
    std::map<std::string, Service, std::less<>>::iterator service(std::string_view name);
    static bool take_token(Service& service, u64 now_ns);
    void keep(Record record);

    std::map<std::string, Service, std::less<>> services_;
    std::deque<Record> records_;
    std::deque<CrashRecord> crashes_;
    u64 next_number_{1}, next_crash_{1};
    usize bytes_{};
    u64 dropped_{};
};

}  // namespace capos::log
