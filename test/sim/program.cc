#include "sim/program.h"

#include <algorithm>

#include "sim/simulation.h"

namespace capos::sim {

using namespace kernel;
namespace entry = runtime::entry;

namespace {

constexpr u64 kCode = 0x40'0000, kStack = 0x7000'0000;

bool is_silent(const abi::Submission& e) {
    switch (static_cast<abi::Opcode>(e.opcode)) {
        case abi::Opcode::return_:
        case abi::Opcode::release:
        case abi::Opcode::finish:
        case abi::Opcode::signal:
        case abi::Opcode::wake: return true;
        case abi::Opcode::receive: return (e.flags & abi::kProvide) != 0;
        default: return false;
    }
}

template <typename Method>
bool is_call_of(const abi::Submission& e) {
    return e.interface_id == Method::kInterfaceId && e.method == Method::kOrdinal;
}
// What the first capability is that a call of a kernel object returns.
Interface result_of(const abi::Submission& e) {
    if (is_call_of<idl::Account::CreateAccount>(e)) return Interface::account;
    if (is_call_of<idl::Account::CreateMemory>(e)) return Interface::memory;
    if (is_call_of<idl::Account::CreateEndpoint>(e)) return Interface::endpoint;
    if (is_call_of<idl::Account::CreateProcess>(e)) return Interface::process;
    if (is_call_of<idl::Process::CreateThread>(e)) return Interface::thread;
    if (is_call_of<idl::Memory::Readable>(e)) return Interface::readable_memory;
    if (is_call_of<idl::Endpoint::Receiver>(e)) return Interface::receiver;
    if (is_call_of<idl::IoPortSpace::Range>(e)) return Interface::io_ports;
    return Interface::none;
}

}  // namespace

template <typename Method>
abi::Submission Program::encode(abi::CapId target, const typename Method::Params& params,
                                std::initializer_list<u64> capabilities) {
    const usize length = params.encode({user_.arena(params_area()), 256});
    usize n = 0;
    for (const u64 id : capabilities) std::memcpy(user_.arena(list_area()) + 8 * n++, &id, sizeof id);
    const u8 slots = random_.percent(92) ? Method::Results::kCapabilities : static_cast<u8>(random_.below(3));
    return entry::call(target, Method::kInterfaceId, Method::kOrdinal,
                       {{params_area(), static_cast<u32>(length)}, list_area(), static_cast<u8>(n)},
                       {{reply_area(), random_.percent(95) ? 256 : 96 + 8 * random_.below32(20)}, slots});
}

std::vector<Program::Cap> Program::holdings() {
    std::vector<Cap> held;
    for (const auto& [id, interface] : inspector_.slots(user_.thread().process())) held.push_back({id, interface});
    return held;
}

abi::CapId Program::some(Interface interface) {
    if (random_.percent(temper_.hostile_percent)) return any();
    std::vector<abi::CapId> fitting;
    for (const Cap& c : held_) {
        if (c.interface == interface) fitting.push_back(c.id);
    }
    return fitting.empty() ? any() : random_.pick(fitting);
}

abi::CapId Program::any() {
    if (held_.empty() || random_.percent(temper_.hostile_percent)) return abi::CapId{random_.next() >> random_.below(64)};
    return random_.pick(held_).id;
}

u64 Program::some_address(bool inside) {
    const auto regions = inspector_.regions(user_.thread().process());
    if (regions.empty() || !inside) return 0x1'0000 * (1 + random_.below(64));
    const auto& range = random_.pick(regions);
    return range.start + random_.below(range.pages) * kPageBytes + 4 * random_.below(8);
}

// --- what happens to submissions ---

void Program::notice_accepted() {
    for (const u32 head = user_.thread().ring.sq_head(); sq_seen_ != head; ++sq_seen_) {
        if (pushed_.empty()) throw Violation{"the kernel took an entry that nobody submitted"};
        accepted_.emplace(pushed_.front().user_data, pushed_.front().silent);
        pushed_.pop_front();
    }
}

void Program::read_completions(u32 most) {
    notice_accepted();
    for (; most > 0; --most) {
        const auto c = user_.pop();
        if (!c) break;
        switch (static_cast<abi::CompletionKind>(c->kind)) {
            case abi::CompletionKind::done: {
                const auto found = accepted_.find(c->user_data);
                if (found == accepted_.end()) throw Violation{"a completion for an entry that has completed, or never was"};
                if (found->second && c->status == 0)
                    throw Violation{"an entry that is silent on success has completed with success"};
                accepted_.erase(found);
                break;
            }
            case abi::CompletionKind::call: tokens_.push_back(c->token); break;
            case abi::CompletionKind::cancelled:
                if (std::ranges::find(tokens_, c->token) == tokens_.end()) tokens_.push_back(c->token);
                break;
            case abi::CompletionKind::signal:
                if (c->token == 0) throw Violation{"a signal without bits"};
                break;
            case abi::CompletionKind::notice:
            case abi::CompletionKind::lost: break;
            default: throw Violation{"a completion of a kind that does not exist"};
        }
    }
    if (user_.unread() != 0) return;
    // Everything is read: what has not completed waits in a record, or was silent.
    std::erase_if(accepted_, [](const auto& a) { return a.second; });
    u64 waiting = 0;
    for (const Pending& p : user_.thread().ring.pending()) {
        if (p.what == PendingKind::unused) continue;
        ++waiting;
        if (!accepted_.contains(p.user_data)) throw Violation{"a record waits for an entry that has completed"};
    }
    if (waiting != accepted_.size()) throw Violation{"an accepted entry has neither completed nor does it wait"};
}

// --- actions ---

void Program::act(u32 cpu) {
    slot_ = random_.below32(16);
    if (random_.percent(temper_.hostile_percent) && random_.percent(20)) return misbehave(cpu);
    if (random_.percent(25)) return touch(cpu);
    enter(cpu);
}

void Program::system_call(u32 cpu, abi::SystemCall number, u64 rdi, u64 rsi, u64 rdx) {
    UserContext& context = user_.thread().context;
    context.rax = static_cast<u64>(number);
    context.rdi = rdi;
    context.rsi = rsi;
    context.rdx = rdx;
    user_.machine().system_call(cpu);
}

void Program::enter(u32 cpu) {
    if (random_.percent(80)) read_completions(random_.percent(85) ? ~0u : random_.below32(4));
    else notice_accepted();
    const RingGeometry& g = user_.thread().ring.geometry();
    held_ = holdings();
    last_ = "enters:";
    const u64 count = random_.percent(60) ? 1 : random_.below(5);
    for (u64 i = 0; i < count && user_.header().sq_tail - user_.thread().ring.sq_head() < g.sq_entries; ++i) {
        abi::Submission e = draw();
        slot_ = (slot_ + 1) % 16;
        if (random_.percent(8)) e.flags |= abi::kLink;
        e.user_data = next_user_data_++;
        last_ += " " + std::to_string(e.opcode) + "/" + std::to_string(e.interface_id & 0xff) + "." + std::to_string(e.method);
        pushed_.push_back({e.user_data, is_silent(e)});
        user_.push(e);
    }
    const u32 submit = std::min(user_.header().sq_tail - user_.thread().ring.sq_head(), g.sq_entries);
    const u64 wait = random_.percent(50) ? 0 : random_.below(3);
    // Mostly not for ever: somebody has to go on.
    const u64 deadline = random_.percent(95) ? user_.machine().time.ns + random_.below(300'000) : ~u64{0};
    system_call(cpu, abi::SystemCall::enter, submit, wait, deadline);
}

void Program::touch(u32 cpu) {
    const auto regions = inspector_.regions(user_.thread().process());
    if (regions.empty()) return;
    const auto& range = random_.pick(regions);
    u64 address = range.start + random_.below(range.pages) * kPageBytes + 8 * random_.below(8);
    AccessKind kind = random_.percent(50) ? AccessKind::read : AccessKind::write;
    if (range.access == Access::read_execute && random_.percent(50)) kind = AccessKind::execute;
    if (range.access != Access::read_write && kind == AccessKind::write) kind = AccessKind::read;
    if (random_.percent(temper_.hostile_percent) && random_.percent(20)) {
        address = some_address(random_.percent(50)) & ~u64{7};
        kind = static_cast<AccessKind>(random_.below(3));
    }
    last_ = "touches";
    Machine& m = user_.machine();
    Fault fault;
    if (inspector_.is_ring(user_.thread().process(), address)) return;  // that is what enter does
    if (const auto physical = m.translate(cpu, address, kind, fault)) {
        u64 value = random_.next();
        std::byte* at = m.memory(*physical);
        if (kind == AccessKind::write) std::memcpy(at, &value, sizeof value);
        else std::memcpy(&value, at, sizeof value);
        return;
    }
    m.fault(cpu, fault);
}

void Program::misbehave(u32 cpu) {
    last_ = "misbehaves";
    Machine& m = user_.machine();
    switch (random_.below(8)) {
        case 0: return system_call(cpu, abi::SystemCall::exit, random_.next(), 0, 0);
        case 1:
            return m.fault(
                cpu,
                {.vector = static_cast<u8>(random_.below(20)), .error_code = random_.below(32), .address = random_.next()});
        case 2:
            return system_call(cpu, static_cast<abi::SystemCall>(random_.next()), random_.next(), random_.next(),
                               random_.next());
        case 3: user_.header().sq_tail += random_.below32(40); break;
        case 4: user_.header().cq_head += random_.below32(40); break;
        case 5: return system_call(cpu, abi::SystemCall::enter, random_.below(40), random_.below(80), random_.next());
        case 6: return system_call(cpu, abi::SystemCall::exit, 0, 0, 0);
        default:
            for (int i = 0; i < 16; ++i)
                user_.region()[random_.below(user_.thread().ring.geometry().region_bytes)] ^= std::byte{1};
            break;
    }
    // It no longer knows what it has submitted: its account of that is worthless, and so it ends soon.
    system_call(cpu, abi::SystemCall::exit, 1, 0, 0);
}

// --- entries ---

abi::Submission Program::draw() {
    const u64 r = random_.below(100);
    if (r < 2) return entry::nop();
    if (r < 26) return draw_call();
    if (r < 56) return draw_object_call();
    if (r < 63) return draw_receive();
    if (r < 78) return draw_return();
    if (r < 81) return entry::cancel(next_user_data_ - 1 - random_.below(24));
    if (r < 84) return entry::finish(static_cast<u8>(random_.below(17)));
    if (r < 88) return entry::release(random_.percent(temper_.destroy_percent) ? any() : some(Interface::facet));
    if (r < 91) return entry::wait(some_address(true), static_cast<u32>(random_.below(2)));
    if (r < 94) return entry::wake(some_address(true), random_.below(4));
    if (r < 96) return entry::timer(user_.machine().time.ns + random_.below(200'000));
    if (r < 99)
        return entry::signal(some(Interface::notification),
                             random_.percent(95) ? 1 + random_.below(1u << 20) : random_.next());
    return draw_garbage();
}

abi::Submission Program::draw_garbage() {
    abi::Submission e;
    if (!random_.percent(temper_.hostile_percent * 10)) return entry::nop();
    auto* bytes = reinterpret_cast<u8*>(&e);
    for (usize i = 0; i < sizeof e; ++i) bytes[i] = random_.percent(50) ? 0 : static_cast<u8>(random_.next() >> 40);
    return e;
}

abi::Submission Program::draw_call() {
    u32 length = random_.percent(90) ? random_.below32(200) : random_.below32(9000);
    u32 offset = params_area();
    if (length > 256) offset = 0;
    u8 capabilities = random_.percent(60) ? 0 : static_cast<u8>(random_.below(4));
    for (u8 i = 0; i < capabilities; ++i) {
        const u64 word = capability_word(any());
        std::memcpy(user_.arena(list_area()) + 8 * i, &word, sizeof word);
    }
    const runtime::Message message{{offset, length}, list_area(), capabilities};
    const runtime::ReplyBuffer reply{{reply_area(), 256}, static_cast<u8>(random_.below(3))};
    abi::Submission e;
    if (random_.percent(25)) {
        const u64 interface = random_.percent(60)   ? 5
                              : random_.percent(50) ? idl::Clock::kInterfaceId
                                                    : idl::ReadableMemory::kInterfaceId;
        e = entry::pipelined_call({static_cast<u8>(random_.below(17)), static_cast<u8>(random_.below(3))}, interface, 0,
                                  message, reply);
        if (interface != 5) e.params_length = 0, e.capability_count = 0;
    } else {
        e = entry::call(some(Interface::facet), random_.next(), static_cast<u16>(random_.below(100)), message, reply);
    }
    if (random_.percent(30)) {
        const u64 answer = random_.below(abi::kAnswersDefault + 1);
        if (answer < abi::kAnswersDefault) promised_[answer] = Interface::none;
        e = entry::fills(e, static_cast<u8>(answer));
    }
    return e;
}

abi::Submission Program::draw_receive() {
    if (random_.percent(35)) {
        return entry::receive_signals(some(random_.percent(60) ? Interface::notification : Interface::interrupt));
    }
    if (random_.percent(25)) return entry::provide(static_cast<u8>(random_.below(3)), static_cast<u8>(random_.below(4)));
    const u8 group = static_cast<u8>(random_.below(3));
    return entry::receive_calls(some(Interface::receiver),
                                {.group = group,
                                 .count = static_cast<u8>(1 + random_.below(3)),
                                 .first_offset = kBuffers + 1024u * group,
                                 .bytes_each = random_.percent(90) ? 336 : 96 + 8 * random_.below32(30),
                                 .slots_each = static_cast<u8>(random_.below(4))});
}

abi::Submission Program::draw_return() {
    if (tokens_.empty()) return random_.percent(50) ? entry::nop() : entry::reply(random_.below(1 << 20), {});
    const usize at = random_.below(tokens_.size());
    const u64 token = tokens_[at];
    if (random_.percent(97)) tokens_.erase(tokens_.begin() + static_cast<std::ptrdiff_t>(at));
    if (random_.percent(12)) {
        return entry::reply_error(token, static_cast<Status>(1 + random_.below(4)), 3, {params_area(), random_.below32(100)});
    }
    const u8 capabilities = random_.percent(50) ? 0 : static_cast<u8>(random_.below(4));
    for (u8 i = 0; i < capabilities; ++i) {
        const u64 word = capability_word(any());
        std::memcpy(user_.arena(list_area()) + 8 * i, &word, sizeof word);
    }
    abi::Submission e = entry::reply(token, {{params_area(), random_.below32(220)}, list_area(), capabilities});
    if (random_.percent(10)) e.flags = 0;
    return e;
}

// A method of something that the process holds, or is promised.
abi::Submission Program::draw_object_call() {
    if (held_.empty()) return entry::nop();
    const auto answer = static_cast<u8>(random_.below(abi::kAnswersDefault));
    abi::Submission e = entry::nop();
    if (random_.percent(15)) {
        const bool known = promised_[answer] != Interface::none && random_.percent(85);
        e = object_call({abi::CapId{}, known ? promised_[answer] : random_.pick(held_).interface});
        e.capability = (u64{answer} + 1) << 32 | (random_.percent(95) ? 0 : random_.below(10));
        e.flags |= abi::kPipelined;
    } else {
        for (int tries = 0; tries < 4 && e.opcode != static_cast<u8>(abi::Opcode::call); ++tries) {
            e = object_call(random_.pick(held_));
        }
        if (random_.percent(20)) {
            promised_[answer] = result_of(e);
            e = entry::fills(e, answer);
        }
    }
    if (e.opcode != static_cast<u8>(abi::Opcode::call)) return entry::nop();
    if (random_.percent(temper_.hostile_percent)) e.method = static_cast<u16>(random_.below(16));
    if (random_.percent(temper_.hostile_percent)) e.params_length = random_.below32(48);
    return e;
}

abi::Submission Program::object_call(const Cap& c) {
    switch (c.interface) {
        case Interface::account: return call_account(c.id);
        case Interface::process: return call_process(c.id);
        case Interface::thread: return call_thread(c.id);
        case Interface::address_space: return call_space(c.id);
        case Interface::memory: return call_memory(c.id, false);
        case Interface::readable_memory: return call_memory(c.id, true);
        case Interface::endpoint: return call_endpoint(c.id);
        case Interface::receiver: return encode<idl::Receiver::Mint>(c.id, {.badge = random_.below(1000)});
        case Interface::io_ports: return call_ports(c.id);
        case Interface::interrupt_space: return claim_interrupt(c.id);
        default: return call_machine(c);
    }
}

// Objects that stand for the machine. Power is nobody's here.
abi::Submission Program::call_machine(const Cap& c) {
    switch (c.interface) {
        case Interface::clock: return encode<idl::Clock::Now>(c.id, {});
        case Interface::kernel_log:
            return encode<idl::KernelLog::Write>(c.id, {.level = static_cast<u8>(random_.below(5)), .text = "simulated"});
        case Interface::io_port_space:
            return encode<idl::IoPortSpace::Range>(
                c.id, {.first = (random_.percent(80) ? 0x3f0 : 0x10) + random_.below32(24), .count = random_.below32(12)});
        case Interface::interrupt: return encode<idl::Interrupt::Acknowledge>(c.id, {});
        case Interface::entropy: return encode<idl::Entropy::Fill>(c.id, {.bytes = random_.below32(300)});
        case Interface::platform_info:
            switch (random_.below(3)) {
                case 0: return encode<idl::PlatformInfo::Cpus>(c.id, {});
                case 1: return encode<idl::PlatformInfo::Memory>(c.id, {});
                default: return encode<idl::PlatformInfo::CommandLine>(c.id, {});
            }
        case Interface::profile:
            switch (random_.below(3)) {
                case 0: return encode<idl::Profile::Lock>(c.id, {});
                case 1: return encode<idl::Profile::ResetLock>(c.id, {});
                default: return encode<idl::Profile::Sizes>(c.id, {});
            }
        default: return entry::nop();
    }
}

abi::Submission Program::call_account(abi::CapId id) {
    switch (random_.below(12)) {
        case 0:
            return encode<idl::Account::CreateAccount>(id, {.frames = random_.below(120), .objects = random_.below32(12),
                                                            .nodes = random_.below32(16), .name = "child"});
        case 1:
        case 2: {
            const u64 pages = random_.percent(95) ? 1 + random_.below(8) : random_.percent(50) ? 512 : random_.below(1u << 25);
            return encode<idl::Account::CreateMemory>(id, {.bytes = pages * kPageBytes + (random_.percent(2) ? 1 : 0)});
        }
        case 3:
        case 4: return encode<idl::Account::CreateEndpoint>(id, {.name = "e"});
        case 5: return encode<idl::Account::CreateNotification>(id, {});
        case 6:
            return encode<idl::Account::CreateProcess>(
                id, {.slots = random_.percent(95) ? 1 : random_.below32(20'000), .name = "p"});
        case 7: return encode<idl::Account::Usage>(id, {});
        case 8:
        case 9: return encode<idl::Account::Derive>(id, {.capability = {0}}, {any().value});
        default:
            if (!random_.percent(temper_.destroy_percent * 2))
                return encode<idl::Account::Derive>(id, {.capability = {0}}, {any().value});
            return encode<idl::Account::Revoke>(id, {.capability = {0}}, {any().value});
    }
}

abi::Submission Program::call_process(abi::CapId id) {
    switch (random_.below(12)) {
        case 0:
        case 1:
        case 2:
        case 3: return encode<idl::Process::Grant>(id, {.capability = {0}}, {capability_word(any())});
        case 4:
        case 5: {
            const bool plain = random_.percent(80);
            return encode<idl::Process::CreateThread>(
                id, {.name = "t",
                     .priority = static_cast<u8>(random_.below(12)),
                     .region_bytes = plain ? 16'384 : 4096u << random_.below(5),
                     .submission_entries = static_cast<u16>(plain ? 0 : 1u << random_.below(6)),
                     .completion_entries = static_cast<u16>(plain ? 0 : 1u << random_.below(6))});
        }
        case 6:
            if (!random_.percent(temper_.destroy_percent)) return encode<idl::Process::State>(id, {});
            return encode<idl::Process::Kill>(id, {});
        case 7:
            return encode<idl::Process::Supervise>(id, {.notification = {0}, .bit = static_cast<u8>(random_.below(64))},
                                                   {some(Interface::notification).value});
        case 8: return encode<idl::Process::Crash>(id, {});
        default: return encode<idl::Process::Grant>(id, {.capability = {0}}, {any().value});
    }
}

abi::Submission Program::call_thread(abi::CapId id) {
    switch (random_.below(10)) {
        case 0: {
            std::byte data[40]{};
            return encode<idl::Thread::WriteArena>(id, {.offset = random_.below32(13'000), .data = data});
        }
        case 1:
        case 2:
        case 3: return encode<idl::Thread::Start>(id, {.entry = kCode, .stack = kStack, .argument = random_.next()});
        case 4:
            if (!random_.percent(temper_.destroy_percent)) return encode<idl::Thread::SetPriority>(id, {.priority = 5});
            return random_.percent(60) ? encode<idl::Thread::Kill>(id, {}) : encode<idl::Thread::Wait>(id, {});
        case 5: return encode<idl::Thread::SetPriority>(id, {.priority = static_cast<u8>(random_.below(14))});
        case 6:
            if (random_.percent(50)) return encode<idl::Thread::SetBudget>(id, {});
            return encode<idl::Thread::SetBudget>(
                id, {.budget = 1'000 + random_.below(150'000), .period = 90'000 + random_.below(200'000)});
        case 7: return encode<idl::Thread::SetCpu>(id, {.cpu = random_.percent(50) ? ~0u : random_.below32(5)});
        default:
            if (random_.percent(30)) return encode<idl::Thread::HandleFaults>(id, {});
            return encode<idl::Thread::HandleFaults>(id, {.handler = {0}, .timeout = 1 + random_.below(100'000)},
                                                     {some(Interface::facet).value});
    }
}

abi::Submission Program::call_space(abi::CapId id) {
    const auto regions = inspector_.regions_of_space(user_.thread().process(), id);
    if (random_.percent(55) || regions.empty()) {
        const abi::CapId memory = some(random_.percent(80) ? Interface::memory : Interface::readable_memory);
        const u64 address = random_.percent(60) ? 0 : 0x5000'0000 + kPageBytes * random_.below(64);
        const u8 protection = random_.percent(85) ? (random_.percent(60) ? 3 : 1) : static_cast<u8>(random_.below(9));
        const u64 pages = random_.percent(95) ? 1 + random_.below(8) : 512;
        return encode<idl::AddressSpace::Map>(id,
                                              {.memory = {0},
                                               .offset = kPageBytes * random_.below(2),
                                               .bytes = kPageBytes * pages,
                                               .address = pages == 512 ? 0x8000'0000 : address,
                                               .protection = protection},
                                              {memory.value});
    }
    auto [start, pages, access] = random_.pick(regions);
    if (random_.percent(5)) pages += 1;
    if (random_.percent(50)) return encode<idl::AddressSpace::Unmap>(id, {.address = start, .bytes = pages * kPageBytes});
    return encode<idl::AddressSpace::Protect>(
        id, {.address = start,
             .bytes = pages * kPageBytes,
             .protection = static_cast<u8>(random_.percent(90) ? 1 + 2 * random_.below(3) : 7)});
}

abi::Submission Program::call_memory(abi::CapId id, bool readable) {
    std::byte data[100];
    std::memset(data, 0x3c, sizeof data);
    if (readable) return encode<idl::ReadableMemory::Size>(id, {});
    switch (random_.below(8)) {
        case 0: return random_.percent(30) ? encode<idl::Memory::Seal>(id, {}) : encode<idl::ReadableMemory::Size>(id, {});
        case 1:
        case 2: return encode<idl::Memory::Readable>(id, {});
        case 3:
        case 4: return encode<idl::Memory::Read>(id, {.offset = random_.below(9 * kPageBytes), .length = random_.below32(150)});
        default:
            return encode<idl::Memory::Write>(
                id, {.offset = random_.below(9 * kPageBytes), .data = std::span{data}.first(random_.below(100))});
    }
}

abi::Submission Program::call_endpoint(abi::CapId id) {
    switch (random_.below(8)) {
        case 0: return encode<idl::Endpoint::SetDown>(id, {.down = random_.percent(30)});
        case 1:
        case 2: return encode<idl::Endpoint::Receiver>(id, {});
        default: return encode<idl::Endpoint::Mint>(id, {.badge = random_.percent(98) ? random_.below(1000) : random_.next()});
    }
}

abi::Submission Program::call_ports(abi::CapId id) {
    const std::byte data[20]{};
    const u32 offset = random_.below32(10);
    const u8 width = static_cast<u8>(random_.percent(90) ? 1 << random_.below(3) : random_.below(9));
    switch (random_.below(5)) {
        case 0: return encode<idl::IoPorts::Extent>(id, {});
        case 1: return encode<idl::IoPorts::Read>(id, {.offset = offset, .width = width});
        case 2:
            return encode<idl::IoPorts::Write>(
                id, {.offset = offset, .width = width, .value = random_.percent(80) ? 1u : ~u32{0}});
        case 3:
            return encode<idl::IoPorts::WriteBytes>(id, {.offset = offset, .data = std::span{data}.first(random_.below(20))});
        default:
            return encode<idl::IoPorts::ReadWhile>(id, {.offset = offset,
                                                        .limit = static_cast<u8>(random_.below(20)),
                                                        .status = random_.below32(10),
                                                        .mask = 1,
                                                        .wanted = static_cast<u8>(random_.below(3))});
    }
}

// The same few lines for everybody, so that claims meet.
abi::Submission Program::claim_interrupt(abi::CapId id) {
    if (random_.percent(30)) return encode<idl::InterruptSpace::IsaLine>(id, {.number = static_cast<u8>(random_.below(18))});
    return encode<idl::InterruptSpace::Line>(
        id, {.line = random_.percent(95) ? random_.below32(4) : random_.below32(30), .level = random_.percent(50),
             .low = random_.percent(50)});
}

}  // namespace capos::sim
