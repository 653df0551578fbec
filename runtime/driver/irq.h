// irq.h - an interrupt as a driver waits for it:
//
//      while (true) {
//          co_await irq.next();            // it has arrived, or may have: look at the device
//          ...serve the device...
//          co_await irq.acknowledge();     // the kernel may tell of the next one
//      }
//
// One task at a time waits. An interrupt that arrives while nobody waits is kept for the next who does.
#pragma once

#include "idl/kernel.h"
#include "runtime/loop/loop.h"

namespace capos::runtime {

class Irq {
public:
    // Starts to receive.
    Irq(Loop& loop, idl::Interrupt::Client interrupt);
    ~Irq();
    Irq(const Irq&) = delete;

    // An operation that ends with the next interrupt. Errors: how the kernel ended the RECEIVE, when the capability is gone.
    class Next {
    public:
        explicit Next(Irq& irq) : irq_{irq} {}
        ~Next() {
            if (irq_.state_->waiter == continuation_) irq_.state_->waiter = nullptr;
        }
        Next(const Next&) = delete;
        bool ready() const { return irq_.state_->arrived || irq_.state_->ended != Status::ok; }
        std::coroutine_handle<> start(Continuation& continuation) {
            irq_.state_->waiter = continuation_ = &continuation;
            return std::noop_coroutine();
        }
        Outcome<void> take();

    private:
        Irq& irq_;
        Continuation* continuation_{};
    };
    Next next() { return Next{*this}; }
    runtime::Call<idl::Interrupt::Acknowledge> acknowledge() { return interrupt_.acknowledge(); }

private:
    // The RECEIVE entry, which may outlive the Irq until its last completion.
    struct State final : Completable, Disposable {
        explicit State(Loop& loop) : loop{loop} {}
        void complete(const abi::Completion& completion) override;

        Loop& loop;
        Continuation* waiter{};
        bool arrived{};
        bool over{};
        Status ended{Status::ok};
    };

    Loop& loop_;
    idl::Interrupt::Client interrupt_;
    State* state_;
};

}  // namespace capos::runtime
