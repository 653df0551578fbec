// Methods of InterruptSpace and Interrupt, and the way of an interrupt to its receiver (core/interrupt.h).

#include "core/kernel.h"

namespace capos::kernel {

namespace {
constexpr u8 kIsaInterrupts = 16;
constexpr u32 kArrivalUnits = 2;
}

KernelResult<Kernel::Restart> Kernel::call_interrupt_space(ObjectCall& call) {
    switch (call.method()) {
        case idl::InterruptSpace::Line::kOrdinal: {
            const auto params = TRY(call.decode<idl::InterruptSpace::Line>());
            return claim_line(call, {.interrupt = params.line, .active_low = params.low, .level_triggered = params.level});
        }
        case idl::InterruptSpace::IsaLine::kOrdinal: {
            const auto params = TRY(call.decode<idl::InterruptSpace::IsaLine>());
            if (params.number >= kIsaInterrupts) return fail(Status::bad_argument);
            return claim_line(call, isa_interrupt_source(interrupt_overrides_, params.number));
        }
        default: return fail(Status::unimplemented);
    }
}

KernelResult<Kernel::Restart> Kernel::claim_line(ObjectCall& call, const InterruptSource& source) {
    if (!port::has_line(source.interrupt)) return fail(Status::bad_argument);
    u32 place = kInterruptsMax;
    for (u32 i = kInterruptsMax; i-- > 0;) {
        if (interrupts_[i] != nullptr && interrupts_[i]->dead) {  // the reaper has not come to it
            if (here_->steps_left == 0) return Restart::again;
            spend(1);
            release_interrupt(*interrupts_[i]);
        }
        if (interrupts_[i] == nullptr) {
            place = i;
        } else if (interrupts_[i]->source.interrupt == source.interrupt) {
            return fail(Status::exists);
        }
    }
    if (place == kInterruptsMax) return fail(Status::quota);
    TRY(call.reserve(1));
    Interrupt* interrupt = TRY(make_object<Interrupt>(call.payer(), Interface::interrupt, {}, source, place));

    // Point of no return.
    interrupts_[place] = interrupt;
    port::route_line(source, place);
    port::unmask_line(source.interrupt);
    call.give(*interrupt->root);
    return call.reply(idl::InterruptSpace::Line::Results{.interrupt = {0}});
}

KernelResult<Kernel::Restart> Kernel::call_interrupt(ObjectCall& call) {
    if (call.method() != idl::Interrupt::Acknowledge::kOrdinal) return fail(Status::unimplemented);
    TRY(call.decode<idl::Interrupt::Acknowledge>());
    auto& interrupt = static_cast<Interrupt&>(*call.node.object);
    if (interrupt.in_service) {
        interrupt.in_service = false;
        if (!interrupt.pending) port::unmask_line(interrupt.source.interrupt);
        look_at_interrupt(interrupt);
    }
    return call.reply(idl::Interrupt::Acknowledge::Results{});
}

// What has arrived at this CPU since its last step: at most one in each priority class of its local APIC, as long as that waits
// for the end of interrupt.
void Kernel::take_interrupts() {
    while (const std::optional<u32> number = here_->arrived.take()) {
        spend(kArrivalUnits);
        Interrupt* interrupt = interrupts_[*number];
        if (interrupt == nullptr) continue;  // released meanwhile
        if (interrupt->dead) {
            release_interrupt(*interrupt);
            continue;
        }
        interrupt->pending = true;
        port::mask_line(interrupt->source.interrupt);
        look_at_interrupt(*interrupt);
    }
}

// Delivers what is pending, if somebody receives.
void Kernel::look_at_interrupt(Interrupt& interrupt) {
    if (!interrupt.pending || interrupt.in_service) return;
    if (!deliver_event(interrupt.receivers, abi::CompletionKind::signal, 1)) return;
    interrupt.pending = false;
    interrupt.in_service = true;
    if (!interrupt.source.level_triggered) port::unmask_line(interrupt.source.interrupt);
}

// Idempotent.
void Kernel::release_interrupt(Interrupt& interrupt) {
    if (interrupts_[interrupt.number] != &interrupt) return;
    port::mask_line(interrupt.source.interrupt);
    interrupts_[interrupt.number] = nullptr;
}

bool Kernel::reap_interrupt(Interrupt& interrupt, u32& units) {
    release_interrupt(interrupt);
    if (!kill_capabilities(interrupt, units)) return false;
    if (!interrupt.receivers.empty()) return false;
    if (interrupt.attention_link.linked()) interrupt.attention_link.unlink();
    interrupt.~Interrupt();
    free_cell(interrupt, {});
    return true;
}

}  // namespace capos::kernel
