// schema_store.h - SchemaStore: the schema tables that the shell has seen. It carries those of the system's own interfaces; for
// others it asks the registry, if it was given one.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "idl/schemas.h"
#include "runtime/dynamic/table.h"

namespace capos::shell {

class SchemaStore {
public:
    explicit SchemaStore(std::optional<idl::Schemas::Client> registry);

    // Null when nobody knows it. The table stays for as long as the store.
    runtime::Task<const dynamic::Table*> find(u64 interface_id);
    // Only among those seen so far.
    const dynamic::Table* find_known(u64 interface_id) const;

private:
    struct Fetched {
        std::vector<std::byte> bytes;
        dynamic::Table table;
    };

    std::optional<idl::Schemas::Client> registry_;
    std::map<u64, dynamic::Table> own_;
    std::map<u64, std::unique_ptr<Fetched>> fetched_;
};

}  // namespace capos::shell
