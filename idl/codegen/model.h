// model.h - a schema file as plain data: what the emitters of capnpc-capos read. Host tool; nothing here knows Cap'n Proto.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "abi/types.h"

namespace capos::codegen {

enum class TypeKind : u8 {
    nothing,  // Void
    boolean,
    int8, int16, int32, int64,
    uint8, uint16, uint32, uint64,
    float32, float64,
    text, data,
    list, enumeration, structure,
    capability,   // an interface, Capability or AnyPointer: whatever it is, it travels beside the message
    any_other,    // AnyStruct, AnyList, or a parameter of a generic
};

struct Type {
    TypeKind kind{};
    u64 id{};          // of the enum, struct or interface
    std::string name;  // as the schema writes it: UInt64, List(Text), Memory
    std::string file;  // that declares it, as File::name
    bool nested{};     // declared inside another declaration
    bool generic{};    // an instance of a generic declaration
    std::vector<Type> element;  // of a list: one
};

struct Field {
    std::string name;
    std::string doc;
    Type type;
    u32 offset{};      // data section: in units of the type's size (Bool: bits). Pointers: index
    bool is_default_zero{true};
    bool is_group{};
    bool is_in_union{};
};

struct Struct {
    u64 id{};
    std::string file;  // that declares it
    std::string name;  // with the names of what it is nested in: Outer.Inner
    std::string doc;
    u16 data_words{};
    u16 pointers{};
    bool generic{};
    bool is_group{};
    bool is_implicit{};  // the parameter or result list of a method
    bool is_stream{};    // `-> stream`
    std::vector<Field> fields;  // in the order of the text
};

struct Enumerant {
    std::string name;
    std::string doc;
    u16 value{};
};

struct Enum {
    u64 id{};
    std::string name;
    std::string doc;
    std::vector<Enumerant> enumerants;  // by value
};

struct Method {
    std::string name;
    std::string doc;
    u16 ordinal{};
    bool generic{};
    Struct params;
    Struct results;
};

struct Interface {
    u64 id{};
    std::string name;
    std::string doc;
    bool generic{};
    std::vector<Type> bases;
    std::vector<Method> methods;  // by ordinal
};

struct File {
    u64 id{};
    std::string name;  // as the compiler was given it, its --src-prefix removed
    std::string doc;
    std::vector<Interface> interfaces;  // these three in the order of the text, nested ones after what holds them
    std::vector<Struct> structs;
    std::vector<Enum> enums;
};

struct Model {
    std::vector<File> files;             // those to generate from
    std::map<u64, Struct> structs;       // every struct that a type in them names, in whatever file it stands
};

}  // namespace capos::codegen
