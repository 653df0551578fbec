// The kernel's function names, for backtraces: .symtab and .strtab as the boot loader put them into memory (Multiboot2 §3.6.7;
// System V ABI, "Sections" and "Symbol table"). The kernel trusts its own file, but reads it in bounds all the same: it runs
// in a panic, where nothing may fail.

#include "arch/x86_64/machine.h"

namespace capos::kernel::x86 {

namespace {

struct SectionHeader {
    u32 name, type;
    u64 flags, address, offset, size;
    u32 link, info;
    u64 alignment, entry_bytes;
};
static_assert(sizeof(SectionHeader) == 64);

struct SymbolEntry {
    u32 name;
    u8 info, other;
    u16 section;
    u64 value, size;
};
static_assert(sizeof(SymbolEntry) == 24);

constexpr u32 kSymbolTable = 2, kStringTable = 3;
constexpr u8 kUntyped = 0, kFunction = 2, kTypeMask = 15;
constexpr u16 kReservedSections = 0xff00;  // SHN_ABS and others: not addresses

constinit SymbolTables kernel_symbols{};

std::optional<formats::Bytes> section_bytes(const formats::ElfSections& sections, u64 index, u32 type, u32* link = nullptr) {
    if (index >= sections.count) return std::nullopt;
    const auto header = formats::ByteReader{sections.headers}.read<SectionHeader>(index * sections.entry_bytes);
    if (!header || header->type != type || header->address == 0) return std::nullopt;
    if (!formats::range_fits(header->address, header->size, kEarlyMapBytes)) return std::nullopt;
    if (link != nullptr) *link = header->link;
    return formats::Bytes{direct(header->address), header->size};
}

}  // namespace

std::optional<SymbolTables> find_symbols(const formats::ElfSections& sections) {
    for (u64 index = 0; index < sections.count; ++index) {
        u32 link = 0;
        const auto symbols = section_bytes(sections, index, kSymbolTable, &link);
        if (!symbols) continue;
        const auto names = section_bytes(sections, link, kStringTable);
        if (!names) return std::nullopt;
        return SymbolTables{*symbols, *names};
    }
    return std::nullopt;
}

void use_symbols(const SymbolTables& tables) { kernel_symbols = tables; }

std::optional<Symbol> symbol_at(u64 address) {
    const formats::ByteReader symbols{kernel_symbols.symbols};
    const std::string_view names{reinterpret_cast<const char*>(kernel_symbols.names.data()), kernel_symbols.names.size()};
    // A function knows its size; labels of assembly do not, so the nearest one below counts.
    std::optional<SymbolEntry> best;
    for (u64 offset = 0; const auto entry = symbols.read<SymbolEntry>(offset); offset += sizeof(SymbolEntry)) {
        const u8 type = entry->info & kTypeMask;
        if (address < entry->value || entry->section == 0 || entry->section >= kReservedSections) continue;
        const bool function = type == kFunction && address - entry->value < entry->size;
        const bool label = type == kUntyped && entry->size == 0;
        if (!function && !(label && (!best || entry->value > best->value))) continue;
        best = entry;
        if (function) break;
    }
    if (!best || best->name >= names.size()) return std::nullopt;
    const std::string_view name = names.substr(best->name);
    const usize end = name.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    return Symbol{name.substr(0, end), best->value};
}

}  // namespace capos::kernel::x86
