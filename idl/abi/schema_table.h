// schema_table.h - schema tables: what an interface looks like, for programs that were not compiled with it. Version 1.
//
// A table describes one interface: its methods and those it inherits, and every struct and enum that their messages contain.
// It is complete in itself. capnpc-capos writes tables (`--schema-section`), a program carries those of the interfaces it
// serves or calls in its ELF section `.capos.schemas`, one after another, and its spawner registers them (schemas.capnp).
// runtime/dynamic/table.h checks every byte before anything is believed: a table comes from a program, and so from anyone.
//
//      SchemaHeader
//      SchemaInterface[interfaces]  the table's own; those it inherits from, directly or not; those that are only named
//      SchemaMethod[methods]        by interface, then by ordinal
//      SchemaStruct[structs]
//      SchemaField[fields]          of the first struct, of the second ..; within one in the order of the schema's text
//      SchemaEnum[enums]
//      u16[enumerants]              names; of the first enum, of the second ..; within one by value
//      names                        string_bytes: each one byte of length and that many of [A-Za-z0-9_.]
//
// and zeros up to a multiple of 8. Numbers are little-endian. A name is the offset of its length byte from the first of the
// names; the name at 0 is the empty one, of structs that are a method's parameter or result list. What is reserved is 0.
#pragma once

#include <cstddef>
#include <type_traits>

#include "abi/types.h"

namespace capos::abi {

inline constexpr u32 kSchemaMagic = 0x48435343;  // "CSCH"
inline constexpr u16 kSchemaVersion = 1;
inline constexpr usize kSchemaTableBytesMax = 6144;  // so that a table fits into a message
inline constexpr const char* kSchemaSection = ".capos.schemas";

struct SchemaHeader {
    u32 magic;
    u16 version;
    u16 bases;  // the interfaces [1, 1 + bases) are inherited from
    u32 bytes;  // of the whole table
    u16 interfaces;
    u16 methods;
    u16 structs;
    u16 fields;
    u16 enums;
    u16 enumerants;
    u16 string_bytes;
    u16 reserved[3];
};
static_assert(sizeof(SchemaHeader) == 32 && offsetof(SchemaHeader, interfaces) == 12);
static_assert(std::is_trivially_copyable_v<SchemaHeader>);

struct SchemaInterface {
    u64 id;
    u16 name;
    u16 reserved[3];
};
static_assert(sizeof(SchemaInterface) == 16 && std::is_trivially_copyable_v<SchemaInterface>);

struct SchemaMethod {
    u16 name;
    u16 interface;  // which of the interfaces declares it: calls name that one
    u16 ordinal;
    u16 params, results;  // structs
    u16 reserved;
};
static_assert(sizeof(SchemaMethod) == 12 && std::is_trivially_copyable_v<SchemaMethod>);

struct SchemaStruct {
    u16 name;
    u16 data_words;
    u16 pointers;
    u16 first_field, fields;
};
static_assert(sizeof(SchemaStruct) == 10 && std::is_trivially_copyable_v<SchemaStruct>);

enum class SchemaKind : u8 {
    boolean = 1,
    int8, int16, int32, int64,
    uint8, uint16, uint32, uint64,
    text, data, list, enumeration, structure, capability,
};

inline constexpr u8 kSchemaFieldSecret = 1;      // SchemaField::flags: never shown ($secret)
inline constexpr u16 kSchemaAnyInterface = 0xffff;  // type of a capability of no particular interface; of kinds without a type

struct SchemaField {
    u16 name;
    u16 offset;  // data section: in units of the type's size (Bool: bits); pointer section: which pointer
    u16 type;    // of an enumeration, structure or capability, or of a list of such: which enum, struct, interface
    SchemaKind kind;
    SchemaKind element;  // of a list: anything but a list; otherwise 0
    u8 flags;
    u8 reserved;
};
static_assert(sizeof(SchemaField) == 10 && std::is_trivially_copyable_v<SchemaField>);

struct SchemaEnum {
    u16 name;
    u16 first_enumerant, enumerants;
};
static_assert(sizeof(SchemaEnum) == 6 && std::is_trivially_copyable_v<SchemaEnum>);

}  // namespace capos::abi
