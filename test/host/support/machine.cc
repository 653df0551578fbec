#include "host/support/machine.h"

#include <stdexcept>

#include "core/assert.h"
#include "core/ports.h"
#include "core/shared.h"

namespace capos::test {

namespace {
Machine* current{};
}

Machine::Machine() {
    if (current != nullptr) throw std::logic_error("a second Machine");
    current = this;
}
Machine::~Machine() { current = nullptr; }

Machine& machine() {
    if (current == nullptr) throw std::logic_error("a port was used without a Machine");
    return *current;
}

u64& Machine::word(kernel::PhysicalAddress frame, unsigned index) {
    const auto found = frames_.find(frame.value);
    if (found == frames_.end() || index >= 512) throw std::logic_error("access to memory that is not there");
    return found->second[index];
}

}  // namespace capos::test

namespace capos::kernel {

void assertion_failed(const char* expression, const char*, int) { throw test::AssertionFailed{expression}; }

LogSettings& log_settings() { return test::machine().log; }

namespace port {

u64 read_entry(PhysicalAddress table, unsigned index) { return test::machine().word(table, index); }
void write_entry(PhysicalAddress table, unsigned index, u64 value) {
    u64& word = test::machine().word(table, index);
    const test::TableWrite write{table, index, word, value};
    word = value;
    if (test::machine().on_table_write) test::machine().on_table_write(write);
}

void before_shared_read(const void* address, usize bytes) {
    if (test::machine().before_shared_read) test::machine().before_shared_read(const_cast<void*>(address), bytes);
}

void console_write(std::string_view text) { test::machine().console += text; }
ClockScale clock_scale() { return {7, u64{1} << 32}; }
Time log_time() { return test::machine().time; }

}  // namespace port
}  // namespace capos::kernel
