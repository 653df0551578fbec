// The command log.
#include <deque>

#include "runtime/dynamic/text.h"
#include "servers/shell/columns.h"
#include "servers/shell/session.h"

namespace capos::shell {

namespace {

using runtime::Task;

constexpr usize kNewest = 40;      // shown when nobody asks to follow
constexpr u32 kRecordsMax = 32;    // of one call
constexpr std::string_view kLevels[] = {"error", "warn", "info", "debug"};

struct Wanted {
    bool follow{};
    std::string service;
    std::optional<idl::LogLevel> level;
    // For as long as this.
    idl::LogFilter filter() const {
        return {.service = service, .level = level.value_or(idl::LogLevel::error), .any_level = !level};
    }
};

std::string_view name_of(idl::LogLevel level) {
    const auto index = static_cast<usize>(level);
    return index < std::size(kLevels) ? kLevels[index] : "?";
}

// The level of that name.
std::optional<idl::LogLevel> level_of(std::string_view name) {
    for (usize i = 0; i < std::size(kLevels); ++i) {
        if (kLevels[i] == name) return static_cast<idl::LogLevel>(i);
    }
    return std::nullopt;
}

// Everything in a record was written by somebody else.
std::string line_of(const idl::LogRecord& record) {
    std::string time = std::to_string(record.time_ns / 1'000'000);
    if (time.size() < 4) time.insert(0, 4 - time.size(), '0');
    time.insert(time.size() - 3, ".");
    std::string line;
    if (record.lost != 0) {
        line = "(" + std::to_string(record.lost) + " records of " + dynamic::shown(record.service) + " were lost)\n";
    }
    if (time.size() < 10) line.append(10 - time.size(), ' ');
    line += time + " " + std::string{name_of(record.level)} + " " + dynamic::shown(record.service) + ": " +
            dynamic::shown(record.text);
    for (const idl::LogField& field : record.fields) {
        line += " " + dynamic::shown(field.name) + "=" + dynamic::shown(field.value);
    }
    return line + "\n";
}

// Prints the newest records and returns the number of the last one. `reader` outlives the task.
Task<u64> show_newest(Session& session, const idl::LogReader::Client& reader, Wanted wanted) {
    std::deque<std::string> lines;
    u64 after = 0;
    while (true) {
        const auto reply = co_await reader.read(after, kRecordsMax, wanted.filter());
        if (reply.records.size() == 0) break;
        for (const idl::LogRecord& record : reply.records) {
            lines.push_back(line_of(record));
            if (lines.size() > kNewest) lines.pop_front();
        }
        after = reply.next;
    }
    for (const std::string& line : lines) session.print(line);
    co_return after;
}

}  // namespace

Task<int> show_log(Session& session, Words words) {
    Wanted wanted;
    while (true) {
        const auto word = words.next();
        if (!word) co_return session.wrong_at(word.error().position, word.error().text);
        if (!*word) break;
        const std::string& text = (*word)->text;
        if (text == "-f") wanted.follow = true;
        else if (const auto level = level_of(text)) wanted.level = level;
        else if (wanted.service.empty() && !text.starts_with('-')) wanted.service = text;
        else co_return session.wrong_at((*word)->position, "usage: log [-f] [SERVICE] [error|warn|info|debug]");
    }
    const auto reader = co_await session.grants().find<idl::LogReader>("logs");
    u64 after = co_await show_newest(session, reader, wanted);
    while (wanted.follow) {
        const auto reply = co_await reader.follow(after, kRecordsMax, wanted.filter()).unbounded();
        for (const idl::LogRecord& record : reply.records) session.print(line_of(record));
        after = reply.next;
        co_await session.terminal().room();
    }
    co_return kStatusOk;
}

}  // namespace capos::shell
