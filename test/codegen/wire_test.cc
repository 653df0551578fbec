// The rules of idl/wire.h on messages built by hand, and lists as values.
#include <new>

#include <array>
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "service_messages.h"

using namespace capos;
using namespace capos::idl;

namespace {

using Words = std::vector<u64>;
using Numbers = Service::Numbers::Params;
using Texts = Service::Blobs::Params;
using Nodes = Service::Nodes::Params;

wire::Bytes bytes(const Words& words) { return std::as_bytes(std::span{words}); }

constexpr u64 list(i64 offset, u64 element_size, u64 count) {
    return (static_cast<u64>(offset) << 2 & 0xffff'fffc) | 1 | element_size << 32 | count << 35;
}
constexpr u64 structs(i64 offset, u16 data_words, u16 pointers) { return wire::make_struct(offset, data_words, pointers); }

template <typename T>
std::vector<std::byte> encoded(const T& fields) {
    std::vector<std::byte> out(fields.encoded_bytes());
    REQUIRE(fields.encode(out) == out.size());
    return out;
}

// A root of 8 pointers (Numbers) whose fifth, List(UInt8), leads to what follows.
std::optional<std::vector<u8>> bytes_from(u64 pointer, const Words& target) {
    Words words = {structs(0, 0, 8), 0, 0, 0, 0, pointer, 0, 0, 0};
    words.insert(words.end(), target.begin(), target.end());
    const auto fields = Numbers::decode(bytes(words), 0);
    if (!fields) return std::nullopt;
    return std::vector<u8>(fields->e.begin(), fields->e.end());
}

// One node below the other, `depth` of them.
std::vector<Node> chain(usize depth) {
    std::vector<Node> nodes(depth);
    for (usize i = 1; i < depth; ++i) nodes[i - 1].children = std::span{&nodes[i], 1};
    return nodes;
}

usize nodes_in(const Node& node) {
    usize count = 1;
    for (const Node child : node.children) count += nodes_in(child);
    return count;
}

}  // namespace

TEST_CASE("a service message carries structs in structs and lists of everything") {
    const std::array<Node, 2> leaves = {Node{.label = "a", .position = {.x = 1.5}, .owner = {2}}, Node{.label = "b"}};
    const Position position{.y = -2, .stamp = {7, Level::bad}};
    const std::array<Node, 1> roots = {Node{.label = "root", .position = position, .children = leaves}};
    const std::vector<std::byte> message = encoded(Nodes{.nodes = roots, .empties = std::array<Empty, 3>{}});
    const auto fields = Nodes::decode(message, 3);
    REQUIRE(fields);
    REQUIRE(fields->nodes.size() == 1);
    CHECK(fields->empties.size() == 3);
    CHECK(fields->stamps.empty());
    const Node root = fields->nodes[0];
    CHECK(root.label == "root");
    CHECK(root.position.y == -2);
    CHECK(root.position.stamp.level == Level::bad);
    CHECK_FALSE(root.owner.present());
    std::string labels;
    for (const Node leaf : root.children) labels += leaf.label;
    CHECK(labels == "ab");
    CHECK(root.children[0].position.x == 1.5);
    CHECK(root.children[0].owner.value == 2);
    CHECK_FALSE(Nodes::decode(message, 2));  // the capability in an inner struct did not come with the message
    CHECK(encoded(*fields) == message);      // a view of a message is encoded like what it was made of
}

TEST_CASE("a list of numbers, texts or booleans is a value of its elements") {
    const std::array<bool, 10> marks = {true, false, true, true, false, false, false, false, true, true};
    const std::vector<std::byte> first = encoded(Long{.first = 3, .marks = marks});
    const auto decoded = Long::decode(first, 0);
    REQUIRE(decoded);
    CHECK(std::vector<bool>(decoded->marks.begin(), decoded->marks.end()) == std::vector<bool>(marks.begin(), marks.end()));
    const std::array<std::string_view, 3> texts = {"one", "", "three"};
    const std::vector<std::byte> second = encoded(Texts{.texts = texts});
    const auto more = Texts::decode(second, 0);
    REQUIRE(more);
    REQUIRE(more->texts.size() == 3);
    CHECK(more->texts[0] == "one");
    CHECK(more->texts[1].empty());
    CHECK(more->texts[2] == "three");
}

TEST_CASE("encoding a service message fills what it announces, and no smaller space") {
    const std::vector<Node> nodes = chain(3);
    const std::array<Stamp, 1> stamps{};
    const Nodes fields{.nodes = nodes, .stamps = stamps};
    const usize size = fields.encoded_bytes();
    for (usize room = 0; room < size; ++room) {
        std::vector<std::byte> out(room);
        CHECK(fields.encode(out) == 0);
    }
    std::vector<std::byte> out(size + 64);
    CHECK(fields.encode(out) == size);
    CHECK(Nodes{}.encoded_bytes() == Nodes::kBytesMin);
    CHECK(Node{}.encoded_bytes() == Node::kBytesMin);
}

TEST_CASE("a message says how many capabilities it can bring, and whether its size is fixed") {
    CHECK(Node::kCapabilities == 8);  // its children may bring any number
    CHECK(Nodes::kCapabilities == 8);
    CHECK(Numbers::kCapabilities == 0);
    CHECK(Extended::Open::Results::kCapabilities == 2);
    CHECK(Position::kFixedSize);
    CHECK_FALSE(Short::kFixedSize);
    CHECK_FALSE(Service::Short::Params::kFixedSize);
    CHECK(Service::Stream::Results::kBytesMin == 8);
}

TEST_CASE("an empty service message, and a null struct, have every field at its default") {
    const auto tree = Node::decode({}, 0);
    REQUIRE(tree);
    CHECK(tree->children.empty());
    CHECK(tree->position.x == 0);
    CHECK(Node::decode(bytes({structs(0, 0, 0)}), 0));
    CHECK_FALSE(Node::decode(bytes({structs(0, 0, 1)}), 0));
    CHECK_FALSE(Node::decode(bytes({structs(-2, 0, 0)}), 0));
    CHECK_FALSE(Node::decode(bytes({structs(0, 0, 0)}).first(7), 0));
}

TEST_CASE("a list lies inside the message and has elements that its field can be read from") {
    CHECK(bytes_from(list(3, 2, 2), {0x0807'0605'0403'0201}) == std::vector<u8>{1, 2});
    CHECK_FALSE(bytes_from(list(3, 2, 9), {0}));
    CHECK_FALSE(bytes_from(list(4, 2, 1), {0}));
    CHECK(bytes_from(list(4, 2, 0), {0}));
    CHECK_FALSE(bytes_from(list(5, 2, 0), {0}));
    CHECK_FALSE(bytes_from(list(-7, 2, 1), {0}));
    CHECK_FALSE(bytes_from(structs(3, 1, 0), {0}));              // a struct
    CHECK_FALSE(bytes_from(list(3, 0, 1), {0}));                 // nothing
    CHECK_FALSE(bytes_from(list(3, 1, 1), {0}));                 // bits
    CHECK_FALSE(bytes_from(list(3, 6, 1), {0}));                 // pointers
    CHECK(bytes_from(list(3, 4, 2), {0x02'0000'0001}) == std::vector<u8>{1, 2});  // wider numbers
    CHECK_FALSE(bytes_from(list(3, 2, u64{1} << 28), {0}));
}

TEST_CASE("a list of structs has a tag that fits, and is read as its first field where the schema has a plain list") {
    const Words two = {wire::make_struct(2, 1, 1), 5, 0, 6, 0};
    const auto numbers = bytes_from(list(3, 7, 4), two);
    REQUIRE(numbers);
    REQUIRE(numbers->size() == 2);
    CHECK((*numbers)[1] == 6);
    CHECK_FALSE(bytes_from(list(3, 7, 5), two));                               // more words than there are
    CHECK_FALSE(bytes_from(list(3, 7, 3), two));                               // fewer than the tag says
    CHECK_FALSE(bytes_from(list(3, 7, 4), {list(2, 1, 1), 5, 0, 6, 0}));       // not a struct tag
    CHECK_FALSE(bytes_from(list(3, 7, 4), {wire::make_struct(2, 0, 2), 0, 0, 0, 0}));  // no data
    CHECK_FALSE(bytes_from(list(3, 7, 0), {}));                                // no room for the tag
}

TEST_CASE("a plain list is read as structs with one field, where the schema has grown to structs") {
    const std::array<u16, 2> before = {4, 5};
    const std::vector<std::byte> old = encoded(Service::Short::Results{.many = before});
    // The first pointer of Service.nodes' parameters is a list of structs without a number; Short has one.
    Words words(old.size() / 8);
    __builtin_memcpy(words.data(), old.data(), old.size());
    words.insert(words.begin() + 1, 0);  // the pointer is the second one of Service.short's parameters
    words[0] = structs(0, 0, 2);
    const auto fields = Service::Short::Params::decode(bytes(words), 0);
    REQUIRE(fields);
    REQUIRE(fields->many.size() == 2);
    CHECK(fields->many[1].first == 5);
    CHECK(fields->many[1].name.empty());
}

TEST_CASE("a list of Bool is a list of bits, and a list of bits nothing else") {
    // Long: one word of numbers, a second one, then three pointers of which the last is marks.
    const auto marks = [](u64 pointer) {
        const Words words = {structs(0, 2, 3), 0, 0, 0, 0, pointer, ~u64{0}};
        const auto fields = Long::decode(bytes(words), 0);
        return fields && fields->marks[fields->marks.size() - 1];
    };
    CHECK(marks(list(0, 1, 64)));
    CHECK_FALSE(marks(list(0, 1, 65)));
    CHECK_FALSE(marks(list(0, 2, 8)));
    CHECK_FALSE(marks(list(0, 0, 8)));
    const Words bits = {structs(0, 0, 3), list(2, 1, 3), 0, 0, 0};
    CHECK_FALSE(Nodes::decode(bytes(bits), 0));
}

TEST_CASE("each Text in a list ends in zero") {
    const auto text = [](u64 pointer) -> std::optional<std::string> {
        const Words words = {structs(0, 0, 2), list(1, 6, 1), 0, pointer, 0x00'6261};
        const auto fields = Texts::decode(bytes(words), 0);
        if (!fields) return std::nullopt;
        return std::string{fields->texts[0]};
    };
    CHECK(text(list(0, 2, 3)) == "ab");
    CHECK(text(0) == "");
    CHECK_FALSE(text(list(0, 2, 2)));
    CHECK_FALSE(text(list(0, 2, 0)));
    CHECK_FALSE(text(3));
}

TEST_CASE("structs nest up to a limit, which encode keeps as well") {
    // The root is one level, each node a list and a struct, and the innermost holds structs two deep.
    constexpr usize kDepthMax = (wire::kNestingMax - 3) / 2;
    const std::vector<Node> deepest = chain(kDepthMax), deeper = chain(kDepthMax + 1);
    const std::vector<std::byte> message = encoded(Nodes{.nodes = std::span{&deepest[0], 1}});
    const auto fields = Nodes::decode(message, 0);
    REQUIRE(fields);
    CHECK(nodes_in(fields->nodes[0]) == kDepthMax);
    const Nodes too_deep{.nodes = std::span{&deeper[0], 1}};
    std::vector<std::byte> out(too_deep.encoded_bytes());
    CHECK(too_deep.encode(out) == 0);

    // A node that is its own child.
    const Words loop = {structs(0, 0, 4), 0, 0, list(1, 7, 4), 0, wire::make_struct(1, 0, 4), 0, 0, list(-4, 7, 4), 0};
    CHECK_FALSE(Node::decode(bytes(loop), 0));
}

TEST_CASE("a short message can't make a reader look at one part again and again") {
    // `width` structs in a list, each with children in the same second list of as many.
    const auto message = [](u64 width) {
        Words words = {structs(0, 0, 3), list(2, 7, width * 4), 0, 0};
        const auto add_list = [&](u64 child) {
            words.push_back(wire::make_struct(static_cast<i64>(width), 0, 4));
            for (u64 i = 0; i < width; ++i) {
                const u64 at = words.size() + 2;
                words.insert(words.end(), {0, 0, child == 0 ? 0 : list(static_cast<i64>(child - at - 1), 7, width * 4), 0});
            }
        };
        add_list(4 + 1 + width * 4);
        add_list(0);
        return words;
    };
    CHECK(Nodes::decode(bytes(message(5)), 0));
    CHECK_FALSE(Nodes::decode(bytes(message(100)), 0));
    // Elements without size are counted too.
    const auto empties = [](u64 count) {
        return Nodes::decode(bytes({structs(0, 0, 3), 0, 0, list(0, 7, 0), count << 2}), 0).has_value();
    };
    CHECK(empties(wire::kTraversalWordsMin - 8));
    CHECK_FALSE(empties(wire::kTraversalWordsMin));
    CHECK_FALSE(empties((u64{1} << 29) - 1));
}

TEST_CASE("a message that changes after it was decoded costs nothing but its values") {
    std::mt19937_64 random{7};
    const std::vector<Node> nodes = chain(6);
    const std::vector<std::byte> original = encoded(Nodes{.nodes = nodes});
    for (int round = 0; round < 2000; ++round) {
        std::vector<std::byte> message = original;
        const auto fields = Nodes::decode(message, 0);
        REQUIRE(fields);
        for (int i = 0; i < 8; ++i) message[random() % message.size()] = static_cast<std::byte>(random());
        usize read = 0;  // the sanitizer watches
        for (const Node node : fields->nodes) {
            for (const Node child : node.children) {
                read += child.label.size();
                for (usize at = 0; at < child.children.size() && at < 100; ++at) read += child.children[at].label.size();
                if (read > 10000) break;
            }
        }
        REQUIRE(read < (usize{1} << 32));
    }
}
