#include "runtime/dynamic/parse.h"

#include "runtime/dynamic/builder.h"
#include "runtime/dynamic/cursor.h"
#include "runtime/dynamic/print.h"

namespace capos::dynamic {

namespace {

bool is_signed(SchemaKind kind) { return kind >= SchemaKind::int8 && kind <= SchemaKind::int64; }

u64 size_code(u32 bits) {
    switch (bits) {
        case 1: return idl::wire::kBitElements;
        case 8: return 2;
        case 16: return 3;
        case 32: return 4;
        case 64: return 5;
        default: return idl::wire::kPointerElements;
    }
}

class Parser {
public:
    Parser(const Table& table, std::string_view text) : table_{table}, cursor_{text} {}

    Result<Message, ParseError> run(u16 structure) {
        cursor_.skip_blanks();
        const Structure root = table_.structure(structure);
        const u64 at = TRY(take(u64{root.data_words} + root.pointers));
        builder_.point_to_struct(0, at, root.data_words, root.pointers);
        if (!cursor_.at_end()) TRY(parse_struct(structure, at, 0));
        cursor_.skip_blanks();
        if (!cursor_.at_end()) return cursor_.error("nothing is expected here");
        return Message{builder_.finish(), std::move(capabilities_)};
    }

private:
    using Parsed = Result<void, ParseError>;

    Result<u64, ParseError> take(u64 words) {
        if (const auto at = builder_.take(words)) return *at;
        return cursor_.error("the message becomes larger than 8192 bytes");
    }

    // Fields of the struct that starts at word `at`.
    Parsed parse_struct(u16 index, u64 at, u32 depth) {
        if (depth == kNestingMax) return cursor_.error("structs are nested too deeply");
        const Structure structure = table_.structure(index);
        TRY(cursor_.expect('(', "at the beginning of a struct"));
        if (cursor_.accept(')')) return done;
        std::vector<bool> seen(structure.fields);
        do {
            cursor_.skip_blanks();
            const usize start = cursor_.position();
            const std::string_view name = cursor_.word();
            const u16 which = TRY(find_field(structure, name, start));
            if (seen[which]) return Cursor::error_at(start, "the field " + std::string{name} + " is there twice");
            seen[which] = true;
            TRY(cursor_.expect('=', "behind the name of a field"));
            cursor_.skip_blanks();
            TRY(parse_field(structure, table_.field(static_cast<u16>(structure.first_field + which)), at, depth));
        } while (cursor_.accept(','));
        return cursor_.expect(')', "at the end of a struct");
    }

    Result<u16, ParseError> find_field(const Structure& structure, std::string_view name, usize start) const {
        std::string known;
        for (u16 i = 0; i < structure.fields; ++i) {
            const std::string_view one = table_.field(static_cast<u16>(structure.first_field + i)).name;
            if (one == name) return i;
            known += i == 0 ? "" : ", ";
            known += one;
        }
        if (structure.fields == 0) return Cursor::error_at(start, "there are no fields here");
        if (name.empty()) return Cursor::error_at(start, "the name of a field is missing; there are " + known);
        return Cursor::error_at(start, "no field is called " + std::string{name} + "; there are " + known);
    }

    Parsed parse_field(const Structure& structure, const Field& field, u64 at, u32 depth) {
        if (!is_pointer(field.kind)) {
            const u64 value = TRY(parse_scalar(field.kind, field.type));
            builder_.set_bits(at, u64{field.offset} * bits_of(field.kind), value);
            return done;
        }
        const u64 pointer = at + structure.data_words + field.offset;
        return field.kind == SchemaKind::list ? parse_list(field, pointer, depth)
                                              : parse_pointer(field.kind, field.type, pointer, depth);
    }

    // The bits of the value; those above its width are zero.
    Result<u64, ParseError> parse_scalar(SchemaKind kind, u16 type) {
        const usize start = cursor_.position();
        if (cursor_.at_number() && kind != SchemaKind::boolean) {
            const Cursor::Number number = TRY(cursor_.number());
            const u32 bits = bits_of(kind);
            const u64 max = is_signed(kind) ? (u64{1} << (bits - 1)) - 1 : ~u64{0} >> (64 - bits);
            const u64 min = is_signed(kind) ? max + 1 : 0;  // its magnitude
            if (number.magnitude > (number.is_negative ? min : max)) {
                return Cursor::error_at(start, is_signed(kind) || !number.is_negative
                                                   ? "the number does not fit into " + std::to_string(bits) + " bits"
                                                   : "the number can't be negative");
            }
            return (number.is_negative ? ~number.magnitude + 1 : number.magnitude) & ~u64{0} >> (64 - bits);
        }
        const std::string_view word = cursor_.word();
        if (kind == SchemaKind::boolean) {
            if (word == "true" || word == "false") return word == "true" ? u64{1} : u64{0};
            return Cursor::error_at(start, "true or false is expected here");
        }
        if (kind == SchemaKind::enumeration) return parse_enumerant(type, word, start);
        return Cursor::error_at(start, "a number is expected here");
    }

    Result<u64, ParseError> parse_enumerant(u16 type, std::string_view word, usize start) const {
        if (const auto value = table_.find_enumerant(type, word)) return u64{*value};
        std::string known;
        for (u16 value = 0; const auto name = table_.enumerant(type, value); ++value) {
            known += value == 0 ? "" : ", ";
            known += *name;
        }
        return Cursor::error_at(start, std::string{table_.enum_name(type)} + " is expected here: " + known);
    }

    // `pointer` is where the pointer is to stand.
    Parsed parse_pointer(SchemaKind kind, u16 type, u64 pointer, u32 depth) {
        switch (kind) {
            case SchemaKind::text: {
                if (cursor_.peek() != '"') return cursor_.error("a text in `\"` is expected here");
                return put_bytes(pointer, TRY(cursor_.quoted()), 1);
            }
            case SchemaKind::data: {
                if (cursor_.at_hex_data()) return put_bytes(pointer, TRY(cursor_.hex_data()), 0);
                if (cursor_.peek() != '"') return cursor_.error("bytes are expected here: 0x\"..\" or a text in `\"`");
                return put_bytes(pointer, TRY(cursor_.quoted()), 0);
            }
            case SchemaKind::capability: return parse_capability(type, pointer);
            default: {
                const Structure structure = table_.structure(type);
                const u64 at = TRY(take(u64{structure.data_words} + structure.pointers));
                builder_.point_to_struct(pointer, at, structure.data_words, structure.pointers);
                return parse_struct(type, at, depth + 1);
            }
        }
    }

    // With `zeros` bytes of 0 behind, which count.
    Parsed put_bytes(u64 pointer, const std::string& bytes, usize zeros) {
        const usize count = bytes.size() + zeros;
        const u64 at = TRY(take((count + 7) / 8));
        builder_.point_to_list(pointer, at, idl::wire::kByteList, count);
        builder_.copy(at, bytes.data(), bytes.size());
        return done;
    }

    Parsed parse_capability(u16 type, u64 pointer) {
        const usize start = cursor_.position();
        if (!cursor_.accept('$')) {
            if (cursor_.word() == "null") return done;
            return Cursor::error_at(start, "a capability is expected here: $NAME, or null");
        }
        const std::string_view name = cursor_.word('-');
        if (name.empty()) return Cursor::error_at(start, "the name of a capability is missing behind the $");
        const u64 interface_id = type == abi::kSchemaAnyInterface ? 0 : table_.interface(type).id;
        usize index = 0;
        while (index < capabilities_.size() && capabilities_[index].name != name) ++index;
        if (index == abi::kCapabilitiesMax) return Cursor::error_at(start, "more than 8 capabilities in one message");
        if (index == capabilities_.size()) {
            capabilities_.push_back({std::string{name}, start, interface_id});
        } else if (capabilities_[index].interface_id == 0) {
            capabilities_[index].interface_id = interface_id;
        }
        builder_.set_word(pointer, idl::wire::make_capability(static_cast<u8>(index)));
        return done;
    }

    Parsed parse_list(const Field& field, u64 pointer, u32 depth) {
        TRY(cursor_.expect('[', "at the beginning of a list"));
        const u64 count = cursor_.count_elements();
        const u64 first = TRY(place_list(field, pointer, count));
        if (cursor_.accept(']')) return done;
        u64 index = 0;
        do {
            cursor_.skip_blanks();
            // Only in text that is no list: what stands in it was counted another way.
            if (index == count) return cursor_.error("`]` is missing at the end of a list");
            TRY(parse_element(field, first, index++, depth));
        } while (cursor_.accept(','));
        return cursor_.expect(']', "at the end of a list");
    }

    // Takes the room for the elements and returns where the first one starts.
    Result<u64, ParseError> place_list(const Field& field, u64 pointer, u64 count) {
        if (field.element != SchemaKind::structure) {
            const u32 bits = bits_of(field.element);
            const u64 at = TRY(take((count * (bits == 0 ? 64 : bits) + 63) / 64));
            builder_.point_to_list(pointer, at, size_code(bits), count);
            return at;
        }
        const Structure element = table_.structure(field.type);
        const u64 words = count * (u64{element.data_words} + element.pointers);
        const u64 at = TRY(take(1 + words));
        builder_.point_to_list(pointer, at, idl::wire::kStructElements, words);
        builder_.set_word(at, idl::wire::make_struct(static_cast<i64>(count), element.data_words, element.pointers));
        return at + 1;
    }

    Parsed parse_element(const Field& field, u64 first, u64 index, u32 depth) {
        if (field.element == SchemaKind::structure) {
            const Structure element = table_.structure(field.type);
            return parse_struct(field.type, first + index * (u64{element.data_words} + element.pointers), depth + 1);
        }
        const u32 bits = bits_of(field.element);
        if (bits == 0) return parse_pointer(field.element, field.type, first + index, depth);
        const u64 value = TRY(parse_scalar(field.element, field.type));
        builder_.set_bits(first, index * bits, value);
        return done;
    }

    const Table& table_;
    Cursor cursor_;
    Builder builder_;
    std::vector<NamedCapability> capabilities_;
};

}  // namespace

Result<Message, ParseError> parse(const Table& table, u16 structure, std::string_view text) {
    if (text.size() > kMessageTextBytesMax) return Cursor::error_at(kMessageTextBytesMax, "the text is too long");
    return Parser{table, text}.run(structure);
}

}  // namespace capos::dynamic
