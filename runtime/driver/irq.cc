#include "runtime/driver/irq.h"

namespace capos::runtime {

Irq::Irq(Loop& loop, idl::Interrupt::Client interrupt)
    : loop_{loop}, interrupt_{std::move(interrupt)}, state_{loop.keep(std::make_unique<State>(loop))} {
    loop_.submit(entry::receive_signals(interrupt_.id()), state_);
}

Irq::~Irq() {
    state_->waiter = nullptr;
    if (state_->over) loop_.drop(*state_);
    else loop_.cancel(*state_);
}

void Irq::State::complete(const abi::Completion& completion) {
    if (static_cast<abi::CompletionKind>(completion.kind) == abi::CompletionKind::done) {
        over = true;
        const Status status = static_cast<Status>(completion.status);
        ended = status == Status::ok ? Status::disconnected : status;
    } else {
        arrived = true;
    }
    if (waiter != nullptr) std::exchange(waiter, nullptr)->proceed().resume();
}

Outcome<void> Irq::Next::take() {
    State& state = *irq_.state_;
    if (!state.arrived) return fail(Error{state.ended});
    state.arrived = false;
    return done;
}

}  // namespace capos::runtime
