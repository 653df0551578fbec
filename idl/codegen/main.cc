// capnpc-capos - turns the schema compiler's output into what capOS needs. Host tool.
//
//      capnp compile -o- --src-prefix=ROOT FILE.capnp... > REQUEST
//      capnpc-capos --source-root ROOT --request REQUEST OUTPUT...
//
//      --messages FILE.h         of a served interface's schema, one file: structs with their codec (codegen/messages.h)
//      --kernel-messages FILE.h  of the kernel's interfaces: strictly flat structs (codegen/kernel_messages.h)
//      --stubs FILE.h            of the same schema: clients and servers, on top of its messages (codegen/stubs.h)
//      --kernel-stubs FILE.h     of the kernel's interfaces: clients alone
//      --description FILE.json   everything, for tools (codegen/description.h)
//      --schema-tables FILE      a schema table for each interface (codegen/schema_table.h); --schema-section FILE.S and
//                                --schema-data FILE.S put them into a program
//      --manual FOLDER           reference pages, into a folder that exists (codegen/manual.h)
//
// The request goes through a file, so that each output has a name of its own and the tool can take arguments, which a plugin
// started by the compiler can't. What is asked for decides the rules; comments are checked always.
//
// Prints every problem as FILE:LINE: TEXT and writes nothing when there is one. Exit status 1: the schema is refused; 2: the
// tool could not do its work.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <kj/exception.h>

#include "codegen/description.h"
#include "codegen/docs.h"
#include "codegen/kernel_messages.h"
#include "codegen/manual.h"
#include "codegen/messages.h"
#include "codegen/problems.h"
#include "codegen/request.h"
#include "codegen/schema_table.h"
#include "codegen/source.h"
#include "codegen/stubs.h"

namespace capos::codegen {

namespace {

constexpr int kRefused = 1, kFailed = 2;

struct Options {
    std::string source_root;
    std::string request;
    std::string messages;
    std::string kernel_messages;
    std::string stubs;
    std::string kernel_stubs;
    std::string description;
    std::string schema_tables;
    std::string schema_section;
    std::string schema_data;
    std::string manual;
};

std::optional<Options> parse(int count, char** arguments) {
    Options options;
    const std::map<std::string_view, std::string*> known = {
        {"--source-root", &options.source_root},
        {"--request", &options.request},
        {"--messages", &options.messages},
        {"--kernel-messages", &options.kernel_messages},
        {"--stubs", &options.stubs},
        {"--kernel-stubs", &options.kernel_stubs},
        {"--description", &options.description},
        {"--schema-tables", &options.schema_tables},
        {"--schema-section", &options.schema_section},
        {"--schema-data", &options.schema_data},
        {"--manual", &options.manual}};
    for (int i = 1; i < count; i += 2) {
        const auto option = known.find(arguments[i]);
        if (option == known.end() || i + 1 == count) return std::nullopt;
        *option->second = arguments[i + 1];
    }
    if (options.source_root.empty() || options.request.empty()) return std::nullopt;
    return options;
}

std::optional<std::string> read_text(const std::string& path) {
    std::ifstream stream{path, std::ios::binary};
    std::ostringstream text;
    text << stream.rdbuf();
    if (!stream) return std::nullopt;
    return text.str();
}

// A file that says the same already keeps its time, so that nothing is built anew because of it.
bool write_text(const std::string& path, const std::string& text) {
    if (read_text(path) == text) return true;
    std::ofstream stream{path, std::ios::binary};
    stream << text;
    stream.close();
    if (!stream) std::cerr << "capnpc-capos: can't write " << path << '\n';
    return static_cast<bool>(stream);
}

int report(Problems& problems) {
    for (const Problem& problem : problems.sorted()) {
        std::cerr << problem.file << ':' << problem.line << ": " << problem.text << '\n';
    }
    return kRefused;
}

// The rules of what is asked for.
void check(const Options& options, const Model& model, const std::vector<Source>& sources, Problems& problems) {
    const std::vector<File>& files = model.files;
    check_unique(model, sources, problems);
    if (!options.messages.empty() || !options.stubs.empty()) check_messages(files[0], sources[0], model, problems);
    if (!options.kernel_messages.empty() || !options.kernel_stubs.empty()) {
        std::vector<Enum> enums;
        for (const File& file : files) enums.insert(enums.end(), file.enums.begin(), file.enums.end());
        for (usize i = 0; i < files.size(); ++i) check_flat(files[i], sources[i], enums, problems);
    }
    if (!options.stubs.empty() || !options.kernel_stubs.empty()) check_stubs(files[0], sources[0], model, problems);
}

bool write(const Options& options, const Model& model, const std::vector<SchemaTable>& tables) {
    bool written = true;
    const auto emit = [&](const std::string& path, const auto& text_of) {
        if (!path.empty()) written = write_text(path, text_of()) && written;
    };
    emit(options.messages, [&] { return emit_messages(model.files[0], model); });
    emit(options.kernel_messages, [&] { return emit_kernel_messages(model.files); });
    emit(options.stubs, [&] { return emit_stubs(model.files[0], true); });
    emit(options.kernel_stubs, [&] { return emit_stubs(model.files[0], false); });
    emit(options.description, [&] { return emit_description(model.files); });
    emit(options.schema_tables, [&] { return schema_bytes(tables); });
    emit(options.schema_data, [&] { return emit_schema_data(tables); });
    emit(options.schema_section, [&] { return emit_schema_section(tables); });
    if (options.manual.empty()) return written;
    for (const auto& [name, page] : emit_manual(model)) written = write_text(options.manual + "/" + name, page) && written;
    return written;
}

int run(const Options& options) {
    const int descriptor = open(options.request.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        std::cerr << "capnpc-capos: can't read " << options.request << '\n';
        return kFailed;
    }
    const Model model = read_request(descriptor);
    const std::vector<File>& files = model.files;
    close(descriptor);
    if (!(options.messages + options.stubs + options.kernel_stubs).empty() && files.size() != 1) {
        std::cerr << "capnpc-capos: --messages and --stubs make one header of one schema\n";
        return kFailed;
    }

    Problems problems;
    std::vector<Source> sources;
    for (const File& file : files) {
        const auto text = read_text(options.source_root + "/" + file.name);
        if (!text) {
            std::cerr << "capnpc-capos: can't read " << options.source_root << '/' << file.name << '\n';
            return kFailed;
        }
        sources.emplace_back(file.name, *text, problems);
        check_docs(file, sources.back(), problems);
    }

    check(options, model, sources, problems);
    std::vector<SchemaTable> tables;
    if (!options.schema_tables.empty() || !options.schema_section.empty() || !options.schema_data.empty()) {
        const int again = open(options.request.c_str(), O_RDONLY | O_CLOEXEC);
        tables = make_schema_tables(again, sources, problems);
        close(again);
    }
    if (!problems.empty()) return report(problems);

    return write(options, model, tables) ? 0 : kFailed;
}

}  // namespace

}  // namespace capos::codegen

int main(int count, char** arguments) {
    const auto options = capos::codegen::parse(count, arguments);
    if (!options) {
        std::cerr << "usage: capnpc-capos --source-root ROOT --request REQUEST [--messages FILE.h] "
                     "[--kernel-messages FILE.h] [--stubs FILE.h] [--kernel-stubs FILE.h] [--description FILE.json] "
                     "[--manual FOLDER] [--schema-tables FILE] [--schema-section FILE.S] [--schema-data FILE.S]\n";
        return capos::codegen::kFailed;
    }
    try {
        return capos::codegen::run(*options);
    } catch (const kj::Exception& exception) {
        std::cerr << "capnpc-capos: " << options->request << ": " << exception.getDescription().cStr() << '\n';
        return capos::codegen::kFailed;
    }
}
