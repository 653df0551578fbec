#include "servers/init/world.h"

namespace capos::init {

namespace {

Task<void> write_line(idl::KernelLog::Client log, LogLevel level, std::string line) {
    (void)co_await runtime::attempt(log.write(static_cast<u8>(level), line));  // there is nowhere to report a failure
    co_return done;
}

// Takes the grant called `name` into `to`.
template <typename Client>
Outcome<void> take(runtime::Grants& grants, std::string_view name, Client& to) {
    to = TRY(grants.find<typename Client::Interface>(name));
    return done;
}

Outcome<void> take_all(runtime::Grants& grants, World& world) {
    TRY(take(grants, "account", world.account));
    TRY(take(grants, "process", world.process));
    TRY(take(grants, "space", world.space));
    TRY(take(grants, "clock", world.clock));
    TRY(take(grants, "log", world.log));
    TRY(take(grants, "entropy", world.entropy));
    TRY(take(grants, "power", world.power));
    TRY(take(grants, "platform", world.platform));
    TRY(take(grants, "profile", world.profile));
    TRY(take(grants, "ports", world.ports));
    TRY(take(grants, "interrupts", world.interrupts));
    return done;
}

}  // namespace

Outcome<World> World::create(runtime::Grants& grants) {
    World world;
    world.loop = &grants.loop();
    TRY(take_all(grants, world));
    if (auto archive = grants.find<idl::ReadableMemory>("archive")) world.archive = *std::move(archive);
    return world;
}

void World::say(LogLevel level, std::string line) const {
    if (line.size() > runtime::Log::kLineBytes) line.resize(runtime::Log::kLineBytes);
    loop->spawn(write_line(idl::KernelLog::Client{runtime::Client::borrowed(*loop, log.id())}, level, std::move(line)));
}

Task<bool> World::on_command_line(std::string_view word) const {
    const auto reply = co_await platform.command_line();
    std::string_view rest = reply.text;
    while (!rest.empty()) {
        const usize end = rest.find(' ');
        if (rest.substr(0, end) == word) co_return true;
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    }
    co_return false;
}

Task<formats::UstarArchive> World::open_archive() {
    const u64 bytes = (co_await archive.size()).bytes;
    const u64 address = (co_await space.map(archive, 0, bytes, 0, runtime::kRead)).address;
    const auto opened = formats::UstarArchive::open({reinterpret_cast<const std::byte*>(address), bytes});
    if (!opened) co_return fail(runtime::Error{Status::bad_message, 0, formats::describe(opened.error())});
    co_return *opened;
}

}  // namespace capos::init
