// registry.h - Registry: the schema tables of the system, by interface id. Pure.
//
// Tables come from programs, so every one is checked (runtime/dynamic/table.h). Base tables belong to the system: nothing
// replaces one, so what `trace` shows of a system server can't be falsified by a program that claims its interface. Bounded:
// kTablesMax tables of at most abi::kSchemaTableBytesMax bytes, and a quarter of the room is kept for base tables.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/dynamic/table.h"

namespace capos::schemas {

inline constexpr usize kTablesMax = 512;
inline constexpr usize kForeignTablesMax = kTablesMax / 4 * 3;
inline constexpr usize kProgramBytesMax = 64;

enum class RegisterError : u8 {
    bad_table,    // it breaks a rule of the format, or has bytes behind its end
    bad_program,  // a name of more than kProgramBytesMax bytes
    exists,       // a base table of that id says something else
    full,
};

struct Entry {
    std::vector<std::byte> table;
    std::string program;
    bool is_base{};

    std::string_view name() const;  // of the interface
};

class Registry {
public:
    // As idl/schemas.capnp says of SchemaRegistry.register. Errors: every RegisterError.
    Result<void, RegisterError> add(dynamic::Bytes table, std::string_view program, bool is_base);
    // Every table of a program's section; what is behind a bad one is not looked at. How many were taken.
    usize add_all(dynamic::Bytes section, std::string_view program, bool is_base);

    const Entry* find(u64 id) const;
    // The entries by rising id from the first one above `after`.
    auto after(u64 id) const { return entries_.upper_bound(id); }
    auto end() const { return entries_.end(); }
    usize size() const { return entries_.size(); }

private:
    std::map<u64, Entry> entries_;
    usize foreign_{};
};

}  // namespace capos::schemas
