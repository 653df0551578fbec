// The parser of messages in text form. The input: which method, and the text.
#include "runtime/dynamic/parse.h"

#include "abi/ring.h"
#include "dynamic_tables.h"
#include "runtime/dynamic/print.h"
#include "support/target.h"

namespace capos::fuzz {

namespace {

const dynamic::Table& everything() {
    static const dynamic::Table table = [] {
        Bytes rest = std::as_bytes(std::span{kDynamicTables});
        while (true) {
            const auto one = dynamic::Table::open(rest);
            if (one->interface().name == "Everything") return *one;
            rest = rest.subspan(one->bytes().size());
        }
    }();
    return table;
}

}  // namespace

void run(Bytes input) {
    if (input.empty()) return;
    const dynamic::Table& table = everything();
    const dynamic::Method method = table.method(static_cast<u8>(input[0]) % table.methods());
    const std::string text{reinterpret_cast<const char*>(input.data()) + 1, input.size() - 1};
    const auto message = dynamic::parse(table, method.params, text);
    if (!message) {
        check(!message.error().text.empty() && message.error().position <= text.size(), "an error says what and where");
        return;
    }
    check(message->bytes.size() <= abi::kMessageBytesMax && message->bytes.size() % 8 == 0, "a message can be sent");
    check(message->capabilities.size() <= abi::kCapabilitiesMax, "a message carries at most 8 capabilities");

    std::vector<std::string> names;
    for (const auto& capability : message->capabilities) names.push_back("$" + capability.name);
    const std::vector<std::string_view> views(names.begin(), names.end());
    const dynamic::PrintOptions options{.bytes_max = usize{1} << 20, .capabilities = views};
    const auto count = static_cast<u8>(views.size());
    const dynamic::Printed printed = dynamic::print(table, method.params, message->bytes, count, options);
    check(printed.is_valid && printed.is_complete, "what is parsed is a valid message");
    if (printed.text.size() > dynamic::kMessageTextBytesMax || printed.text.find("<secret>") != std::string::npos) return;
    const auto again = dynamic::parse(table, method.params, printed.text);
    if (!again) {
        // Defaults are spelled out in print, so that a message close to the limit may become larger than it.
        check(again.error().text.find("8192") != std::string::npos, "what is printed can be parsed");
        return;
    }
    check(dynamic::print(table, method.params, again->bytes, count, options).text == printed.text, "and is the same message");
}

std::vector<ByteVector> seeds() {
    constexpr std::string_view kTexts[] = {
        "\x01(flag = true, byte = 0xff, signedLarge = -9223372036854775808, colour = green)",
        "\x02(text = \"a\\x1b\\33\\\"\", data = 0x\"00 ff\", point = (x = 1, y = -2), any = $a, middle = null)",
        "\x03(flags = [true, false], bytes = [1], texts = [\"],(\"], points = [(x = 1), ()], empties = [()], bases = [$a, $b])",
        "\x02(node = (name = \"n\", children = [(name = \"m\", next = ())], next = (next = (next = ()))))",
        "\x04(user = \"u\", password = \"p\", pin = 5)"};
    std::vector<ByteVector> result;
    for (const std::string_view text : kTexts) {
        const Bytes bytes = std::as_bytes(std::span{text});
        result.emplace_back(bytes.begin(), bytes.end());
    }
    return result;
}

}  // namespace capos::fuzz
