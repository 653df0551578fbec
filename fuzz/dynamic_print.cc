// The printer of messages, on a hostile schema table and message. The input: which method, the length of the table, both.
#include "runtime/dynamic/print.h"

#include "dynamic_tables.h"
#include "runtime/dynamic/parse.h"
#include "runtime/dynamic/text.h"
#include "support/target.h"

namespace capos::fuzz {

namespace {

constexpr usize kPrefixBytes = 4;
constexpr usize kTextBytesMax = 4096;

bool is_clean(std::string_view text) {
    while (!text.empty()) {
        const dynamic::CodePoint point = dynamic::first_code_point(text);
        if (!point.is_valid || !dynamic::is_printable(point.value)) return false;
        text.remove_prefix(point.bytes);
    }
    return true;
}

void check_message(const dynamic::Table& table, u16 structure, Bytes message, u8 capability_count) {
    const dynamic::Printed printed =
        dynamic::print(table, structure, message, capability_count, {.bytes_max = kTextBytesMax, .capabilities = {}});
    check(is_clean(printed.text), "no byte of a message reaches the terminal but as printable text");
    check(printed.text.size() <= kTextBytesMax + 3, "the text has the length asked for");
    check(printed.is_complete || printed.text.ends_with("..."), "what is cut off looks so");
    check(printed.is_valid || !printed.is_complete || printed.text.find("<invalid>") != std::string::npos,
          "what is invalid looks so");
}

}  // namespace

void run(Bytes input) {
    check(inside(input, dynamic::find_schema_section(input)), "a program's section lies in its file");
    if (input.size() < kPrefixBytes) return;
    const u16 which = static_cast<u16>(static_cast<u16>(input[0]) >> 1);
    const usize wanted = static_cast<usize>(input[2]) | static_cast<usize>(input[3]) << 8;
    const usize length = std::min(input.size() - kPrefixBytes, wanted);
    const ByteVector bytes(input.begin() + kPrefixBytes, input.begin() + static_cast<std::ptrdiff_t>(kPrefixBytes + length));
    const auto table = dynamic::Table::open(bytes);
    if (!table) {
        check(dynamic::describe(table.error()) != std::string_view{"unknown error"}, "each error has a text");
        return;
    }
    if (table->methods() == 0) return;
    const dynamic::Method method = table->method(which % table->methods());
    check(is_clean(dynamic::signature(*table, method)), "a signature is printable");
    const bool wants_results = (static_cast<u8>(input[0]) & 1) != 0;
    const ByteVector message(input.begin() + static_cast<std::ptrdiff_t>(kPrefixBytes + length), input.end());
    check_message(*table, wants_results ? method.results : method.params, message, static_cast<u8>(input[1]) % 9);
}

std::vector<ByteVector> seeds() {
    constexpr std::string_view kTexts[] = {
        "(flag = true, large = 18446744073709551615, signedLarge = -1, colour = deepBlue)",
        "(text = \"a\\n\", data = 0x\"00 ff\", point = (x = 1), node = (name = \"n\", children = [(name = \"m\")]), any = $a)",
        "(flags = [true, false], smalls = [-1], colours = [green], texts = [\"x\"], datas = [\"y\"], "
        "points = [(x = 1), (y = 2)], nodes = [(name = \"a\")], empties = [()], bases = [$a, null])",
        "(user = \"u\", password = \"p\")"};
    const Bytes all = std::as_bytes(std::span{kDynamicTables});
    std::vector<ByteVector> result;
    for (Bytes rest = all; !rest.empty();) {
        const auto table = dynamic::Table::open(rest);
        rest = rest.subspan(table->bytes().size());
        if (table->interface().name != "Everything") continue;
        for (u16 i = 0; i < std::size(kTexts); ++i) {
            ByteWriter seed;
            seed.put(static_cast<u8>(i << 1)).put(u8{1}).put(static_cast<u16>(table->bytes().size()));
            ByteVector bytes = seed.take();
            bytes.insert(bytes.end(), table->bytes().begin(), table->bytes().end());
            const auto message = dynamic::parse(*table, table->method(i).params, kTexts[i]);
            check(message.has_value(), "a seed is a message");
            bytes.insert(bytes.end(), message->bytes.begin(), message->bytes.end());
            result.push_back(std::move(bytes));
        }
    }
    return result;
}

}  // namespace capos::fuzz
