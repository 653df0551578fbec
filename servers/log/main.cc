// log - the system's log. Serves Log to every service (the badge of its facet says which: the supervisor names them in our
// environment, `client.BADGE=NAME`), SupervisorLog to the supervisor, and LogReader to whoever may read.
//
// Endpoints: `writer`, `reader`, `supervisor`. Granted: `control`, to say that we are ready.
#include <charconv>

#include "idl/errors.h"
#include "idl/log.h"
#include "runtime/base/counted.h"
#include "runtime/program/server.h"
#include "records.h"

namespace capos::log {

namespace {

using runtime::Grants;
using runtime::Loop;
using runtime::Task;

constexpr usize kReadersMax = 16;
constexpr usize kAnswerBytesMax = 6000;  // of records in one message, which has room for 8192
constexpr u32 kRecordsMax = 64;          // in one answer

// A level that we do not know is of a newer writer, who cares about more than we can tell apart.
LogLevel known(LogLevel level) { return std::min(level, LogLevel::debug); }

// Everything the three interfaces share. Readers that follow wait here, and look again when something was added.
struct Log {
    explicit Log(Grants& grants) : loop{grants.loop()}, grants{grants} {}

    std::string_view service(u64 badge) const {
        std::string name = "client." + std::to_string(badge);
        return grants.start().environment(name).value_or("unnamed");
    }
    u64 now() const { return loop.now(); }

    Loop& loop;
    Grants& grants;
    Records records;
    runtime::Event added;
    usize readers{};
};

// Both writers: what differs is whose name stands on a record.
template <typename Interface>
class WriterBase : public Interface {
public:
    explicit WriterBase(Log& log) : log_{log} {}

    Task<void> write(idl::LogLevel level, std::string_view text, idl::List<idl::LogField> fields, u32 lost) override {
        if (log_.records.add(log_.now(), log_.service(this->caller_badge()), known(level), text, fields, lost)) {
            log_.added.notify();
        }
        co_return done;
    }
    Task<idl::Log::Level::Answer> level() override {
        co_return {.level = log_.records.level(log_.service(this->caller_badge()))};
    }

protected:
    Log& log_;
};

using Writer = WriterBase<idl::Log::Server>;

class Supervisor final : public WriterBase<idl::SupervisorLog::Server> {
public:
    using WriterBase::WriterBase;
    Task<void> crash(std::string_view service, std::string_view summary, std::span<const std::byte> record) override {
        log_.records.add_crash(log_.now(), service, summary, {record.begin(), record.end()});
        log_.added.notify();
        co_return done;
    }
};

// As many records as one answer holds.
struct Page {
    std::vector<idl::LogRecord> records;
    std::vector<std::vector<idl::LogField>> fields;  // what the records' lists view
    u64 next{};
};

Page page(const Records& all, u64 after, u32 max, const Filter& filter) {
    Page page{.records = {}, .fields = {}, .next = after};
    page.fields.reserve(kRecordsMax);
    usize bytes = 0;
    while (page.records.size() < std::min(max, kRecordsMax)) {
        const Record* record = all.next(page.next, filter);
        if (record == nullptr || bytes + record->bytes() > kAnswerBytesMax) break;
        bytes += record->bytes();
        std::vector<idl::LogField>& fields = page.fields.emplace_back();
        for (const Field& field : record->fields) fields.push_back({.name = field.name, .value = field.value});
        page.records.push_back({.number = record->number,
                                .time_ns = record->time_ns,
                                .service = *record->service,
                                .level = record->level,
                                .text = record->text,
                                .fields = std::span<const idl::LogField>{fields},
                                .lost = record->lost});
        page.next = record->number;
    }
    return page;
}

class Reader final : public idl::LogReader::Server {
public:
    explicit Reader(Log& log) : log_{log} {}

    Task<idl::LogReader::Read::Answer> read(u64 after, u32 max, idl::LogFilter filter) override {
        const Page found = page(log_.records, after, max, wanted(filter));
        co_return {.records = std::span<const idl::LogRecord>{found.records}, .next = found.next};
    }

    Task<idl::LogReader::Follow::Answer> follow(u64 after, u32 max, idl::LogFilter filter) override {
        if (log_.readers == kReadersMax) co_return fail(runtime::Error{Status::overloaded});
        const runtime::Counted counted{log_.readers};
        while (log_.records.next(after, wanted(filter)) == nullptr) co_await log_.added.wait();
        const Page found = page(log_.records, after, std::max<u32>(max, 1), wanted(filter));
        co_return {.records = std::span<const idl::LogRecord>{found.records}, .next = found.next};
    }

    Task<void> set_level(std::string_view service, idl::LogLevel level) override {
        if (!log_.records.set_level(service, known(level))) {
            co_return runtime::failed(idl::ErrorCode::not_found, "that service has not written anything");
        }
        co_return done;
    }

    Task<idl::LogReader::Crashes::Answer> crashes(u64 after) override {
        std::vector<idl::Crash> found;
        usize bytes = 0;
        for (u64 number = after; const CrashRecord* crash = log_.records.next_crash(number); number = crash->number) {
            bytes += crash->record.size() + crash->summary.size() + sizeof(idl::Crash);
            if (!found.empty() && bytes > kAnswerBytesMax) break;
            found.push_back({.number = crash->number,
                             .time_ns = crash->time_ns,
                             .service = crash->service,
                             .summary = crash->summary,
                             .record = crash->record});
        }
        co_return {.crashes = std::span<const idl::Crash>{found}};
    }

    Task<idl::LogReader::Usage::Answer> usage() override {
        co_return {.records = log_.records.count(),
                   .bytes = log_.records.bytes(),
                   .bytes_max = Records::kBytesMax,
                   .dropped = log_.records.dropped()};
    }

private:
    static Filter wanted(const idl::LogFilter& filter) {
        return {.service = filter.service, .level = filter.any_level ? LogLevel::debug : known(filter.level)};
    }

    Log& log_;
};

}  // namespace

}  // namespace capos::log

capos::runtime::Task<void> capos::runtime::program_main(Grants& grants) {
    using namespace capos::log;
    Log log{grants};
    Writer writer{log};
    Supervisor supervisor{log};
    Reader reader{log};
    // Readers that follow each keep a receive buffer while they wait.
    const auto writers = co_await serve(grants, "writer", writer, {.buffers = 6, .buffer_bytes = 2048, .slots = 0});
    const auto supervisors = co_await serve(grants, "supervisor", supervisor, {.buffers = 2, .buffer_bytes = 6144, .slots = 0});
    const auto readers =
        co_await serve(grants, "reader", reader, {.buffers = kReadersMax + 4, .buffer_bytes = 256, .slots = 0});
    co_await ready(grants);
    co_await forever(grants.loop());
    co_return done;
}
