// object.h - what all kernel objects have in common: a type, the account that pays, and the root of the capabilities to it.
//
// Life of an object. It is made through an account, together with its root node (node.h). It dies when its last capability
// goes, when its account ends, or when a method ends it; from that step on every capability to it fails. A dead object then
// waits on the reaper's list until its pieces are taken down in bounded steps, and its memory is free again (reaper.cc).
#pragma once

#include <string_view>

#include "core/list.h"
#include "core/types.h"

namespace capos::kernel {

class Account;
struct Node;

enum class ObjectType : u8 {
    none,
    account,
    process,
    thread,
    address_space,
    memory,
    endpoint,
    notification,
    io_ports,
    interrupt,
    // Objects without state of their own; one of each exists, made at boot.
    clock,
    kernel_log,
    entropy,
    power,
    platform_info,
    profile,
    io_port_space,
    interrupt_space,
};

// For people who debug: shown in logs and crash records, never looked up.
struct ObjectName {
    static constexpr usize kBytesMax = 31;
    char text[kBytesMax + 1]{};
    std::string_view view() const { return text; }
    // Cut off when it is too long; what is not printable becomes '.'.
    void set(std::string_view name) {
        usize length = 0;
        for (const char c : name.substr(0, kBytesMax)) text[length++] = c > ' ' && c < 0x7f ? c : '.';
        text[length] = 0;
    }
};

struct Object {
    ObjectType type{ObjectType::none};
    bool dead{};
    u8 phase{};           // of the teardown; each type counts its own
    Account* account{};   // pays; null only for objects made at boot
    Node* root{};         // the first capability; all others descend from it
    ListLink account_link;    // in Account::objects
    ListLink reap_link;       // in Consequences::dead
    ListLink attention_link;  // in Consequences::attention

    Object() = default;
    explicit Object(ObjectType t) : type{t} {}
};

}  // namespace capos::kernel
