// Commands that work on any capability: call, methods, trace.
#include "runtime/dynamic/parse.h"
#include "runtime/dynamic/print.h"
#include "runtime/dynamic/raw_method.h"
#include "servers/shell/session.h"
#include "servers/shell/tracer.h"

namespace capos::shell {

namespace {

using dynamic::Message;
using dynamic::Method;
using dynamic::RawMethod;
using dynamic::Table;
using runtime::Task;
using runtime::attempt;

constexpr u32 kReplyBytes = 5120;  // of results: more than any interface of the system returns at once

std::string hex(u64 value) { return std::string{runtime::TextBuffer<24>{runtime::Hex{value}}.view()}; }

struct Target {
    const Holding* holding{};
    const Table* table{};
};

// The capability that a word names, and its schema. Without a table it has said why not.
Task<Target> find_target(Session& session, std::string name, usize position) {
    const Holding* const holding = session.holdings().find(name);
    if (holding == nullptr) {
        session.wrong_at(position, "there is no capability " + name + "; `caps` lists them");
        co_return Target{};
    }
    if (holding->interface_id == 0) {
        session.wrong_at(position, "it is not known which interface " + name + " has");
        co_return Target{};
    }
    const u64 id = holding->interface_id;
    const Table* const table = co_await session.schemas().find(id);
    if (table == nullptr) session.wrong_at(position, "nobody knows the schema of interface " + hex(id));
    co_return Target{session.holdings().find(name), table};
}

// The capabilities that the arguments name. False after saying which one is missing.
bool collect(Session& session, const Message& message, usize offset, runtime::CapabilityList& list) {
    for (const dynamic::NamedCapability& one : message.capabilities) {
        const Holding* const holding = session.holdings().find(one.name);
        if (holding == nullptr) {
            session.wrong_at(offset + one.position, "there is no capability " + one.name + "; `caps` lists them");
            return false;
        }
        list.add(runtime::Pass<>{holding->client});
    }
    return true;
}

// Prints the results; capabilities among them become the shell's, under the names of their fields.
int show_results(Session& session, const Table& table, const Method& method, RawMethod::Reply reply) {
    const auto count = static_cast<u8>(reply.capabilities.size());
    const dynamic::Printed found = dynamic::print(table, method.results, reply.bytes, count);
    std::vector<std::string> names(count, "<cap>");
    for (const dynamic::FoundCapability& one : found.capabilities) {
        runtime::Client& client = reply.capabilities[one.index];
        if (!client.present() || session.holdings().is_full()) continue;
        const std::string name = session.holdings().free_name(one.field);
        names[one.index] = "$" + name;
        session.holdings().add(name, one.interface_id, std::move(client));
    }
    const std::vector<std::string_view> views(names.begin(), names.end());
    const dynamic::Printed printed = dynamic::print(table, method.results, reply.bytes, count, {.capabilities = views});
    session.print(printed.text + "\n");
    return printed.is_valid ? kStatusOk : session.fail_with("the answer is not a message of this method");
}

}  // namespace

Task<int> call_capability(Session& session, Words words) {
    const auto target = words.next();
    if (!target) co_return session.wrong_at(target.error().position, target.error().text);
    const std::string name = *target ? (*target)->text : "";
    const usize position = *target ? (*target)->position : words.position(), dot = name.find('.');
    if (dot == std::string::npos) co_return session.wrong_at(position, "CAP.METHOD is expected here");
    const Target found = co_await find_target(session, name.substr(0, dot), position);
    if (found.table == nullptr) co_return kStatusUsage;
    const auto method = found.table->find_method(std::string_view{name}.substr(dot + 1));
    if (!method) {
        std::string text{found.table->interface().name};
        text += " has no method " + name.substr(dot + 1) + "; `methods " + name.substr(0, dot) + "` lists them";
        co_return session.wrong_at(position + dot + 1, text);
    }
    const usize offset = words.position();
    const auto message = dynamic::parse(*found.table, method->params, words.rest());
    if (!message) co_return session.wrong_at(offset + message.error().position, message.error().text);
    runtime::CapabilityList list;
    if (!collect(session, *message, offset, list)) co_return kStatusUsage;

    auto call =
        dynamic::raw_call(found.holding->client, method->interface.id, method->ordinal, message->bytes, list, kReplyBytes);
    auto reply = co_await attempt(std::move(call).unbounded());
    if (!reply) co_return session.fail_with(text_of(reply.error()));
    co_return show_results(session, *found.table, *method, std::move(*reply));
}

Task<int> show_methods(Session& session, Words words) {
    const auto target = words.next();
    if (!target) co_return session.wrong_at(target.error().position, target.error().text);
    if (!*target) co_return session.wrong_at(words.position(), "the name of a capability is expected here");
    const Target found = co_await find_target(session, (*target)->text, (*target)->position);
    if (found.table == nullptr) co_return kStatusUsage;
    std::string text{found.table->interface().name};
    text += "\n";
    for (u16 i = 0; i < found.table->methods(); ++i) {
        const Method method = found.table->method(i);
        text += "  " + dynamic::signature(*found.table, method);
        if (method.interface.id != found.table->interface().id) text += "  # of " + std::string{method.interface.name};
        text += "\n";
    }
    session.print(text);
    co_return kStatusOk;
}

Task<int> trace_capability(Session& session, Words words) {
    const auto target = words.next();
    if (!target) co_return session.wrong_at(target.error().position, target.error().text);
    if (!*target) co_return session.wrong_at(words.position(), "the name of a capability is expected here");
    const Target found = co_await find_target(session, (*target)->text, (*target)->position);
    if (found.table == nullptr) co_return kStatusUsage;

    std::string wanted = "traced-" + (*target)->text;
    const auto as = words.next();
    if (as && *as) {
        const auto name = words.next();
        if ((*as)->text != "as" || !name || !*name) co_return session.wrong_at((*as)->position, "`as NAME` is expected here");
        wanted = (*name)->text;
    }
    if (session.holdings().is_full()) co_return session.fail_with("the shell holds too many capabilities; `drop` some");
    const std::string name = session.holdings().free_name(wanted);
    runtime::Client facet = co_await session.tracer().interpose(session, name, *found.holding, *found.table);
    session.print("$" + name + " passes everything on to " + (*target)->text + ", and prints it.\n");
    session.holdings().add(name, found.table->interface().id, std::move(facet));
    co_return kStatusOk;
}

}  // namespace capos::shell
