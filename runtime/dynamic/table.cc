#include "runtime/dynamic/table.h"

#include <cstring>
#include <type_traits>

namespace capos::dynamic {

namespace {

constexpr bool is_name_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

constexpr usize round_up(usize bytes) { return (bytes + 7) / 8 * 8; }

}  // namespace

u32 bits_of(SchemaKind kind) {
    switch (kind) {
        case SchemaKind::boolean: return 1;
        case SchemaKind::int8:
        case SchemaKind::uint8: return 8;
        case SchemaKind::int16:
        case SchemaKind::uint16:
        case SchemaKind::enumeration: return 16;
        case SchemaKind::int32:
        case SchemaKind::uint32: return 32;
        case SchemaKind::int64:
        case SchemaKind::uint64: return 64;
        default: return 0;
    }
}

bool is_pointer(SchemaKind kind) { return bits_of(kind) == 0; }

Table::Table(Bytes bytes, const abi::SchemaHeader& header)
    : bytes_{bytes}, header_{header}, interfaces_at_{sizeof(abi::SchemaHeader)},
      methods_at_{interfaces_at_ + header.interfaces * sizeof(abi::SchemaInterface)},
      structs_at_{methods_at_ + header.methods * sizeof(abi::SchemaMethod)},
      fields_at_{structs_at_ + header.structs * sizeof(abi::SchemaStruct)},
      enums_at_{fields_at_ + header.fields * sizeof(abi::SchemaField)},
      enumerants_at_{enums_at_ + header.enums * sizeof(abi::SchemaEnum)},
      names_at_{enumerants_at_ + header.enumerants * sizeof(u16)}, names_end_{names_at_ + header.string_bytes} {}

Result<Table, TableError> Table::open(Bytes bytes) {
    const auto header = formats::ByteReader{bytes}.read<abi::SchemaHeader>(0);
    if (!header) return fail(TableError::truncated);
    if (header->magic != abi::kSchemaMagic || header->version != abi::kSchemaVersion || header->bytes % 8 != 0) {
        return fail(TableError::not_a_table);
    }
    if (header->bytes > abi::kSchemaTableBytesMax) return fail(TableError::too_large);
    if (header->bytes > bytes.size()) return fail(TableError::truncated);
    const Table table{bytes.first(header->bytes), *header};
    if (round_up(table.names_end_) != header->bytes || header->bases >= header->interfaces || header->string_bytes == 0) {
        return fail(TableError::bad_header);
    }
    TRY(table.check());
    return table;
}

Result<void, TableError> Table::check() const {
    for (const u16 reserved : header_.reserved) {
        if (reserved != 0) return fail(TableError::reserved);
    }
    for (usize at = names_end_; at < bytes_.size(); ++at) {
        if (bytes_[at] != std::byte{0}) return fail(TableError::reserved);
    }
    TRY(check_names());
    for (u16 i = 0; i < header_.interfaces; ++i) {
        const auto one = record<abi::SchemaInterface>(interfaces_at_, i);
        if (one.reserved[0] != 0 || one.reserved[1] != 0 || one.reserved[2] != 0) return fail(TableError::reserved);
        TRY(check_name(one.name));
    }
    TRY(check_methods());
    TRY(check_enums());
    return check_structs();
}

// The names follow one another without gaps; that each reference is to the beginning of one is not needed, only that it is a
// name from there on.
Result<void, TableError> Table::check_names() const {
    if (bytes_[names_at_] != std::byte{0}) return fail(TableError::bad_name);
    for (usize at = names_at_; at < names_end_;) {
        at += 1 + static_cast<usize>(bytes_[at]);
        if (at > names_end_) return fail(TableError::bad_name);
    }
    return done;
}

Result<void, TableError> Table::check_name(u16 offset) const {
    if (offset >= header_.string_bytes) return fail(TableError::bad_index);
    const usize at = names_at_ + offset;
    if (static_cast<usize>(bytes_[at]) > names_end_ - at - 1) return fail(TableError::bad_name);
    for (const char c : name(offset)) {
        if (!is_name_letter(c)) return fail(TableError::bad_name);
    }
    return done;
}

Result<void, TableError> Table::check_methods() const {
    for (u16 i = 0; i < header_.methods; ++i) {
        const auto one = record<abi::SchemaMethod>(methods_at_, i);
        if (one.reserved != 0) return fail(TableError::reserved);
        if (one.interface > header_.bases || one.params >= header_.structs || one.results >= header_.structs) {
            return fail(TableError::bad_index);
        }
        TRY(check_name(one.name));
    }
    return done;
}

Result<void, TableError> Table::check_enums() const {
    for (u16 i = 0; i < header_.enums; ++i) {
        const auto one = record<abi::SchemaEnum>(enums_at_, i);
        if (!formats::range_fits(one.first_enumerant, one.enumerants, header_.enumerants)) return fail(TableError::bad_index);
        TRY(check_name(one.name));
    }
    for (u16 i = 0; i < header_.enumerants; ++i) TRY(check_name(record<u16>(enumerants_at_, i)));
    return done;
}

Result<void, TableError> Table::check_structs() const {
    usize fields = 0;
    for (u16 i = 0; i < header_.structs; ++i) {
        const auto one = record<abi::SchemaStruct>(structs_at_, i);
        TRY(check_name(one.name));
        if (one.first_field != fields || one.fields > header_.fields - fields) return fail(TableError::bad_index);
        for (u16 j = 0; j < one.fields; ++j, ++fields) {
            TRY(check_field(record<abi::SchemaField>(fields_at_, static_cast<u16>(fields)), one));
        }
    }
    return fields == header_.fields ? Result<void, TableError>{} : fail(TableError::bad_index);
}

Result<void, TableError> Table::check_field(const abi::SchemaField& field, const abi::SchemaStruct& owner) const {
    TRY(check_name(field.name));
    if (field.reserved != 0 || field.flags > abi::kSchemaFieldSecret) return fail(TableError::reserved);
    if (field.kind == SchemaKind::list) {
        if (field.element == SchemaKind::list) return fail(TableError::bad_type);
        TRY(check_type(field.element, field.type));
    } else {
        if (field.element != SchemaKind{}) return fail(TableError::bad_type);
        TRY(check_type(field.kind, field.type));
    }
    const u32 bits = bits_of(field.kind);
    const bool is_inside = bits == 0 ? field.offset < owner.pointers : (u64{field.offset} + 1) * bits <= owner.data_words * 64u;
    return is_inside ? Result<void, TableError>{} : fail(TableError::bad_layout);
}

// Of a field that is no list, or of a list's elements.
Result<void, TableError> Table::check_type(SchemaKind kind, u16 type) const {
    if (kind < SchemaKind::boolean || kind > SchemaKind::capability) return fail(TableError::bad_type);
    bool is_known = type == abi::kSchemaAnyInterface;
    if (kind == SchemaKind::enumeration) is_known = type < header_.enums;
    if (kind == SchemaKind::structure) is_known = type < header_.structs;
    if (kind == SchemaKind::capability) is_known = is_known || type < header_.interfaces;
    return is_known ? Result<void, TableError>{} : fail(TableError::bad_index);
}

template <typename Record>
Record Table::record(usize base, u16 index) const {
    static_assert(std::is_trivially_copyable_v<Record>);
    Record one;
    std::memcpy(&one, bytes_.data() + base + index * sizeof(Record), sizeof(Record));
    return one;
}

std::string_view Table::name(u16 offset) const {
    const auto* const at = reinterpret_cast<const char*>(bytes_.data()) + names_at_ + offset;
    return {at + 1, static_cast<unsigned char>(*at)};
}

Interface Table::interface(u16 index) const {
    const auto one = record<abi::SchemaInterface>(interfaces_at_, index);
    return {one.id, name(one.name)};
}

Method Table::method(u16 index) const {
    const auto one = record<abi::SchemaMethod>(methods_at_, index);
    return {name(one.name), interface(one.interface), one.ordinal, one.params, one.results};
}

std::optional<Method> Table::find_method(std::string_view name) const {
    for (u16 i = 0; i < methods(); ++i) {
        if (method(i).name == name) return method(i);
    }
    return std::nullopt;
}

std::optional<Method> Table::find_method(u64 interface_id, u16 ordinal) const {
    for (u16 i = 0; i < methods(); ++i) {
        const Method one = method(i);
        if (one.interface.id == interface_id && one.ordinal == ordinal) return one;
    }
    return std::nullopt;
}

Structure Table::structure(u16 index) const {
    const auto one = record<abi::SchemaStruct>(structs_at_, index);
    return {name(one.name), one.data_words, one.pointers, one.first_field, one.fields};
}

Field Table::field(u16 index) const {
    const auto one = record<abi::SchemaField>(fields_at_, index);
    return {name(one.name), one.offset, one.type, one.kind, one.element, (one.flags & abi::kSchemaFieldSecret) != 0};
}

std::string_view Table::enum_name(u16 index) const { return name(record<abi::SchemaEnum>(enums_at_, index).name); }

std::optional<std::string_view> Table::enumerant(u16 index, u16 value) const {
    const auto one = record<abi::SchemaEnum>(enums_at_, index);
    if (value >= one.enumerants) return std::nullopt;
    return name(record<u16>(enumerants_at_, static_cast<u16>(one.first_enumerant + value)));
}

std::optional<u16> Table::find_enumerant(u16 index, std::string_view wanted) const {
    const auto one = record<abi::SchemaEnum>(enums_at_, index);
    for (u16 value = 0; value < one.enumerants; ++value) {
        if (enumerant(index, value) == wanted) return value;
    }
    return std::nullopt;
}

std::string_view Table::kind_name(SchemaKind kind, u16 type) const {
    switch (kind) {
        case SchemaKind::boolean: return "Bool";
        case SchemaKind::int8: return "Int8";
        case SchemaKind::int16: return "Int16";
        case SchemaKind::int32: return "Int32";
        case SchemaKind::int64: return "Int64";
        case SchemaKind::uint8: return "UInt8";
        case SchemaKind::uint16: return "UInt16";
        case SchemaKind::uint32: return "UInt32";
        case SchemaKind::uint64: return "UInt64";
        case SchemaKind::text: return "Text";
        case SchemaKind::data: return "Data";
        case SchemaKind::list: return "List";
        case SchemaKind::enumeration: return enum_name(type);
        case SchemaKind::structure: return structure(type).name;
        case SchemaKind::capability: return type == abi::kSchemaAnyInterface ? "AnyPointer" : interface(type).name;
    }
    return "";
}

Table::TypeName Table::type_name(const Field& field) const {
    if (field.kind == SchemaKind::list) return {"List(", kind_name(field.element, field.type), ")"};
    return {"", kind_name(field.kind, field.type), ""};
}

const char* describe(TableError error) {
    switch (error) {
        case TableError::truncated: return "the table is cut off";
        case TableError::not_a_table: return "not a schema table of version 1";
        case TableError::too_large: return "a table of more than 6144 bytes";
        case TableError::bad_header: return "the table's counts do not add up to its size";
        case TableError::bad_name: return "a name with other than letters, digits, _ and .";
        case TableError::bad_type: return "a type that does not exist or may not stand there";
        case TableError::bad_index: return "a reference to what is not in the table";
        case TableError::bad_layout: return "a field outside its struct";
        case TableError::reserved: return "what is reserved is not zero";
    }
    return "unknown error";
}

}  // namespace capos::dynamic
