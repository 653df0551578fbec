// schemas - what interfaces look like, for programs that were not compiled with them. Serves Schemas, and SchemaRegistry to
// spawners. At its start it reads the tables of every program in the boot archive: these are the base of the system.
//
// Grants: `archive` (the boot archive), `schemas.receiver`, `registry.receiver`; `control`, to say that it is ready.
#include "formats/ustar.h"
#include "idl/errors.h"
#include "idl/kernel.h"
#include "idl/schemas.h"
#include "runtime/base/memory.h"
#include "runtime/program/server.h"
#include "servers/schemas/registry.h"

namespace capos::schemas {

namespace {

using runtime::Task;

constexpr usize kEntriesMax = 32;  // of one answer

class Reader final : public idl::Schemas::Server {
public:
    explicit Reader(const Registry& registry) : registry_{registry} {}

    Task<idl::Schemas::Find::Answer> find(u64 id) override {
        const Entry* const entry = registry_.find(id);
        if (entry == nullptr) co_return runtime::failed(idl::ErrorCode::not_found, "no program brought that interface");
        co_return {.table = entry->table, .program = entry->program, .is_base = entry->is_base};
    }

    Task<idl::Schemas::List::Answer> list(u64 after) override {
        std::vector<idl::SchemaEntry> entries;
        for (auto one = registry_.after(after); one != registry_.end() && entries.size() < kEntriesMax; ++one) {
            const Entry& entry = one->second;
            entries.push_back({.id = one->first, .name = entry.name(), .program = entry.program, .is_base = entry.is_base});
        }
        co_return {.entries = std::span<const idl::SchemaEntry>{entries}};
    }

private:
    const Registry& registry_;
};

class Writer final : public idl::SchemaRegistry::Server {
public:
    explicit Writer(Registry& registry) : registry_{registry} {}

    Task<void> register_(std::span<const std::byte> table, std::string_view program, bool is_base) override {
        const auto added = registry_.add(table, program, is_base);
        if (added) co_return done;
        switch (added.error()) {
            case RegisterError::bad_table: co_return runtime::failed(idl::ErrorCode::bad_argument, "this is no schema table");
            case RegisterError::bad_program: co_return runtime::failed(idl::ErrorCode::bad_argument, "the name is too long");
            case RegisterError::exists: co_return runtime::failed(idl::ErrorCode::exists, "the system's own table is another");
            case RegisterError::full: break;
        }
        co_return fail(runtime::Error{Status::overloaded});
    }

private:
    Registry& registry_;
};

// The archive is sealed and stays mapped only for as long as it is read.
Task<void> read_archive(runtime::Grants& grants, Registry& registry) {
    const auto memory = co_await grants.find<idl::ReadableMemory>("archive");
    const auto space = co_await grants.find<idl::AddressSpace>("space");
    const auto size = co_await memory.size();
    const auto mapped = co_await space.map(memory, 0, size.bytes, 0, runtime::kRead);
    const auto archive = formats::UstarArchive::open({reinterpret_cast<const std::byte*>(mapped.address), size.bytes});
    u64 cursor = 0;
    while (archive) {
        const auto file = archive->next(cursor);
        if (!file) break;
        registry.add_all(dynamic::find_schema_section(file->content), file->name, true);
    }
    co_await space.unmap(mapped.address, size.bytes);
    co_return done;
}

}  // namespace

}  // namespace capos::schemas

capos::runtime::Task<void> capos::runtime::program_main(Grants& grants) {
    using namespace capos::schemas;
    Registry registry;
    co_await read_archive(grants, registry);
    Reader reader{registry};
    Writer writer{registry};
    const auto readers = co_await serve(grants, "schemas", reader, {.buffers = 4, .buffer_bytes = 256, .slots = 0});
    const auto writers = co_await serve(grants, "registry", writer, {.buffers = 2, .buffer_bytes = 6400, .slots = 0});
    co_await ready(grants);
    co_await forever(grants.loop());
    co_return done;
}
