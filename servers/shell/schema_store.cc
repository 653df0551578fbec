#include "servers/shell/schema_store.h"

// Made by capnpc-capos: the tables of the system's interfaces, one behind the other.
extern "C" const std::byte capos_schema_tables[], capos_schema_tables_end[];

namespace capos::shell {

SchemaStore::SchemaStore(std::optional<idl::Schemas::Client> registry) : registry_{std::move(registry)} {
    dynamic::Bytes rest{capos_schema_tables, capos_schema_tables_end};
    while (const auto table = dynamic::Table::open(rest)) {
        own_.emplace(table->interface().id, *table);
        rest = rest.subspan(table->bytes().size());
    }
}

const dynamic::Table* SchemaStore::find_known(u64 id) const {
    if (const auto own = own_.find(id); own != own_.end()) return &own->second;
    const auto fetched = fetched_.find(id);
    return fetched == fetched_.end() ? nullptr : &fetched->second->table;
}

runtime::Task<const dynamic::Table*> SchemaStore::find(u64 id) {
    if (const dynamic::Table* known = find_known(id)) co_return known;
    if (!registry_) co_return nullptr;
    const auto reply = co_await runtime::attempt(registry_->find(id));
    if (!reply) co_return nullptr;
    std::vector<std::byte> bytes{reply->table.begin(), reply->table.end()};
    const auto table = dynamic::Table::open(bytes);
    if (!table || table->interface().id != id) co_return nullptr;
    // Moving the vector leaves its bytes where the table looks at them.
    const auto place = fetched_.emplace(id, std::make_unique<Fetched>(std::move(bytes), *table)).first;
    co_return &place->second->table;
}

}  // namespace capos::shell
