// table.h - Table: a checked view of one schema table (abi/schema_table.h), and how to find the tables of a program. Pure.
//
// open() looks at every byte: all indices lie inside the table, every field inside its struct, every name is made of the
// letters that names are made of. So what reads a table needs no checks, and may print names as they are. The view points into
// the bytes, which are a private copy: memory that somebody else can write is copied first.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "abi/schema_table.h"
#include "formats/support/bytes.h"
#include "formats/support/result.h"

namespace capos::dynamic {

using abi::SchemaKind;
using formats::Bytes;

enum class TableError : u8 {
    truncated,    // it ends before what its header announces
    not_a_table,  // no magic, another version, or a size that is no multiple of 8
    too_large,
    bad_header,   // counts that don't add up to the size, or without the interface itself
    bad_name,
    bad_type,     // an unknown kind, or one that may not stand there
    bad_index,    // a reference to what is not in the table
    bad_layout,   // a field outside its struct
    reserved,     // what has to be zero is not
};
const char* describe(TableError error);

struct Interface {
    u64 id{};
    std::string_view name;
};

struct Method {
    std::string_view name;
    Interface interface;  // which declares it
    u16 ordinal{};
    u16 params{}, results{};
};

struct Field {
    std::string_view name;
    u16 offset{};
    u16 type{};
    SchemaKind kind{}, element{};
    bool is_secret{};
};

struct Structure {
    std::string_view name;
    u16 data_words{}, pointers{};
    u16 first_field{}, fields{};
};

class Table {
public:
    // Reads the table at the beginning of `bytes`, which may be longer. Errors: every TableError.
    static Result<Table, TableError> open(Bytes bytes);

    Bytes bytes() const { return bytes_; }
    Interface interface(u16 index = 0) const;
    u16 interfaces() const { return header_.interfaces; }
    u16 bases() const { return header_.bases; }

    // Inherited ones included.
    u16 methods() const { return header_.methods; }
    Method method(u16 index) const;
    std::optional<Method> find_method(std::string_view name) const;
    std::optional<Method> find_method(u64 interface_id, u16 ordinal) const;

    Structure structure(u16 index) const;
    Field field(u16 index) const;

    std::string_view enum_name(u16 index) const;
    // The name of an enumerant, or nothing for a value that the table doesn't know.
    std::optional<std::string_view> enumerant(u16 index, u16 value) const;
    std::optional<u16> find_enumerant(u16 index, std::string_view name) const;

    // As a schema writes it: UInt32, List(Text), ReadableMemory.
    struct TypeName {
        std::string_view prefix, name, suffix;
    };
    TypeName type_name(const Field& field) const;

private:
    Table(Bytes bytes, const abi::SchemaHeader& header);

    template <typename Record>
    Record record(usize base, u16 index) const;
    std::string_view name(u16 offset) const;
    std::string_view kind_name(SchemaKind kind, u16 type) const;

    Result<void, TableError> check() const;
    Result<void, TableError> check_names() const;
    Result<void, TableError> check_name(u16 offset) const;
    Result<void, TableError> check_methods() const;
    Result<void, TableError> check_structs() const;
    Result<void, TableError> check_field(const abi::SchemaField& field, const abi::SchemaStruct& owner) const;
    Result<void, TableError> check_type(SchemaKind kind, u16 type) const;
    Result<void, TableError> check_enums() const;

    Bytes bytes_;
    abi::SchemaHeader header_;
    usize interfaces_at_, methods_at_, structs_at_, fields_at_, enums_at_, enumerants_at_, names_at_, names_end_;
};

// The width of a number, enumerant or Bool in the data section, in bits; 0 for what is a pointer.
u32 bits_of(SchemaKind kind);
bool is_pointer(SchemaKind kind);

// The contents of the section `.capos.schemas` of a 64-bit ELF file; empty when it has none, or is no such file.
Bytes find_schema_section(Bytes elf);

}  // namespace capos::dynamic
