// wire.h - messages of served interfaces: Cap'n Proto structs with nested structs and lists, without Cap'n Proto's library.
// Freestanding; no allocation, no exceptions. The generated `idl/NAME_messages.h` are lists of fields over these primitives.
// The kernel's own messages are stricter: flat.h.
//
// The format is Cap'n Proto's encoding (capnproto.org/encoding.html): one segment, no segment table. A field is a number, Bool,
// an enum, Text, Data, a capability, a struct, or a list of these but of lists and capabilities.
//
//      const auto entry = Entry::decode(message, capability_count)     nothing: not a well-formed message
//      for (const Item item : entry->items) ...                        can't fail any more
//      const usize bytes = Entry{.items = std::span{items}}.encode(out)     0: no room
//
// decode checks everything that the schema names, down to the last element, before it yields a value:
//  - The length is a multiple of 8 and at most kMessageBytesMax. A message of length 0 has all fields at their defaults.
//  - Every struct and list lies inside the message; no far pointers; a pointer is of the kind that its field asks for. Null is
//    an empty Text, Data or List, an absent capability, a struct with all fields at their defaults.
//  - The last byte of a Text is zero and is not part of the value. A capability index is below the capabilities that came.
//  - Structs nest at most kNestingMax deep, counting each struct and each list on the way.
//  - What all pointers lead to together has at most as many words as the message (at least kTraversalWordsMin are granted), so
//    a short message can't make a reader work long by pointing to the same words again and again. An element without size
//    counts as one word.
// Evolution, all of it as libcapnp does it: a struct, also one in a list, may be shorter or longer than ours: what is missing
// reads as zero, what is beyond is not looked at. A List(Number), List(Text) or List(Data) may come as a list of wider numbers
// or of structs that start with such a field; a list of structs may come as a list of numbers, Text or Data, their first field.
// A List(Bool) is a list of bits, and a list of bits nothing else.
//
// libcapnp is laxer: it takes an empty struct or list whose pointer leaves the message, an index beyond the capabilities
// received (as a broken capability), a list of numbers for one of Bool (whose bits it then reads as if they were packed), and
// its own limit for traversal is 64 MiB. It checks a field when the field is read.
//
// Views in a decoded struct (string_view, span, List) point into the message and live as long as it. The message must be a
// private copy: if it changes after all, a view still reads nothing outside of it, and no list is longer than a message of that
// length allows, but what it reads is nonsense.
#pragma once

#include <optional>

#include "idl/wire_list.h"
#include "idl/wire_reader.h"
#include "idl/wire_writer.h"

namespace capos::idl::wire {

// What T::decode does. T is a generated struct.
template <typename T>
std::optional<T> decode(Bytes message, u8 capability_count) {
    if (message.size() % kWordBytes != 0 || message.size() > kMessageBytesMax) return std::nullopt;
    const u32 words = static_cast<u32>(message.size() / kWordBytes);
    Validation validation{traversal_words(words)};
    const Sections root{.pointers = words > 0 ? u16{1} : u16{0}};
    StructReader reader{{message.data(), words, capability_count}, root, kNestingMax, &validation};
    const T fields = reader.structure<T>(0);
    if (!validation.valid) return std::nullopt;
    return fields;
}

// What T::encode does: a message with `fields` in its root struct. Its bytes, a multiple of 8; 0 when `out` has no room, or
// something nests deeper than a reader accepts. A List that views a message is copied into this one.
template <typename T>
usize encode(const T& fields, std::span<std::byte> out) {
    Output output{out.first(out.size() < kMessageBytesMax ? out.size() : kMessageBytesMax)};
    if (!output.allocate(1)) return 0;
    StructWriter{output, 0, 0, kNestingMax}.structure(0, fields);
    return output.finish();
}

}  // namespace capos::idl::wire
