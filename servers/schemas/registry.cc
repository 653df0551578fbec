#include "servers/schemas/registry.h"

#include <algorithm>

namespace capos::schemas {

std::string_view Entry::name() const {
    const auto opened = dynamic::Table::open(table);  // it was checked when it came
    return opened ? opened->interface().name : std::string_view{};
}

Result<void, RegisterError> Registry::add(dynamic::Bytes bytes, std::string_view program, bool is_base) {
    const auto table = dynamic::Table::open(bytes);
    if (!table || table->bytes().size() != bytes.size()) return fail(RegisterError::bad_table);
    if (program.size() > kProgramBytesMax) return fail(RegisterError::bad_program);
    const u64 id = table->interface().id;
    const auto found = entries_.find(id);
    if (found != entries_.end()) {
        Entry& entry = found->second;
        const bool is_equal = std::ranges::equal(entry.table, bytes);
        if (entry.is_base) return is_equal ? Result<void, RegisterError>{} : fail(RegisterError::exists);
        if (is_base) --foreign_;
        entry = {{bytes.begin(), bytes.end()}, std::string{program}, is_base};
        return done;
    }
    if (entries_.size() >= kTablesMax || (!is_base && foreign_ >= kForeignTablesMax)) return fail(RegisterError::full);
    if (!is_base) ++foreign_;
    entries_.emplace(id, Entry{{bytes.begin(), bytes.end()}, std::string{program}, is_base});
    return done;
}

usize Registry::add_all(dynamic::Bytes section, std::string_view program, bool is_base) {
    usize taken = 0;
    while (const auto table = dynamic::Table::open(section)) {
        section = section.subspan(table->bytes().size());
        if (add(table->bytes(), program.substr(0, kProgramBytesMax), is_base)) ++taken;
    }
    return taken;
}

const Entry* Registry::find(u64 id) const {
    const auto found = entries_.find(id);
    return found == entries_.end() ? nullptr : &found->second;
}

}  // namespace capos::schemas
