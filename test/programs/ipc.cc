// Calls between processes: what arrives, what comes back, and what happens when one side does not do its part.

#include "support/puppet.h"

namespace capos::test {

namespace {

using namespace runtime;
using abi::CompletionKind;

constexpr u64 kMillisecond = 1'000'000;

Status status_of(const abi::Completion& completion) { return static_cast<Status>(completion.status); }

class Ipc {
public:
    Ipc(World& world, const Image& image, Puppeteer puppeteer, CapId endpoint, CapId receiver, CapId facet, Child server)
        : world_{world}, ring_{world.ring}, caller_{world.caller}, image_{image}, puppeteer_{puppeteer}, endpoint_{endpoint},
          receiver_{receiver}, facet_{facet}, server_{std::move(server)} {}

    void run() {
        message();
        errors();
        capabilities();
        limits();
        cancelling();
        tokens();
        pipelining();
        notices();
        entries();
        links();
        timers();
        notifications();
        words();
        revoking();
        replacing();
        finish();
    }

private:
    void message() {
        const auto echo = puppeteer_.call(facet_, Puppet::echo, 0xabcd);
        world_.check_ok("a call is answered", echo);
        if (!echo) return;
        const auto seen = puppeteer_.payload<PuppetCall>(*echo);
        world_.check("badge, interface, method and payload arrive as they were sent",
                     seen.badge == kBadge && seen.interface_id == kPuppetInterface && seen.method == 0 && seen.word == 0xabcd &&
                         seen.incarnation == 1,
                     "badge ", seen.badge, " incarnation ", seen.incarnation);
        const auto other = mint(caller_, endpoint_, 77);
        const auto second = puppeteer_.call(other.value_or(CapId{}), Puppet::echo);
        world_.check("each facet has its own badge", second && puppeteer_.payload<PuppetCall>(*second).badge == 77);
        if (other) release(caller_, *other);
    }

    void errors() {
        const auto completion = ring_.perform(puppeteer_.entry(facet_, Puppet::fail));
        world_.check("an error brings its code and text", completion && status_of(*completion) == Status::failed &&
                                                              completion->method == 42 && completion->length == 2 &&
                                                              puppeteer_.payload<u16>(*completion) == ('n' | 'o' << 8));
        world_.check_error("an unknown method is the server's to refuse", puppeteer_.call(facet_, static_cast<Puppet>(99)),
                           Status::unimplemented);
    }

    void capabilities() {
        const auto notification = create_notification(caller_, world_.account);
        if (!notification) return world_.check("notification", false);
        const auto copied = puppeteer_.call(facet_, Puppet::give_back, 0, {*notification}, 1);
        world_.check("a capability travels there and back", copied && copied->capability_count == 1 &&
                                                                puppeteer_.result(*copied) != *notification);
        if (copied) {
            const CapId copy = puppeteer_.result(*copied);
            const bool signalled = ring_.post(entry::signal(copy, 8)).has_value();
            world_.check("the copy names the same object", signalled && ring_.collect(*notification).value_or(0) == 8);
            release(caller_, copy);
        }
        const auto moved = puppeteer_.call(facet_, Puppet::hand_over, 0, {CapId{notification->value | abi::kMove}}, 1);
        world_.check("a moved capability leaves the sender's table",
                     moved && ring_.post(entry::signal(*notification, 1)).error() == Status::bad_capability);
        if (moved) {
            const CapId back = puppeteer_.result(*moved);
            world_.check("and works where it arrives", ring_.post(entry::signal(back, 1)).has_value());
            world_.check_error("more capabilities than a receive buffer has slots",
                               puppeteer_.call(facet_, Puppet::echo, 0, {back, back, back}), Status::overloaded);
            world_.check_error("more results than slots reserved", puppeteer_.call(facet_, Puppet::give_back, 0, {back}, 0),
                               Status::truncated);
            release(caller_, back);
        }
        world_.check_error("a stale capability in a message", puppeteer_.call(facet_, Puppet::echo, 0, {*notification}),
                           Status::bad_capability);
        const auto home = puppeteer_.call(facet_, Puppet::echo, 0, {facet_});
        world_.check("a facet that comes home is its badge",
                     home && puppeteer_.payload<PuppetCall>(*home).first_capability == (abi::kBadgeEntry | kBadge));
    }

    void limits() {
        abi::Submission small = puppeteer_.entry(facet_, Puppet::answer_big);
        small.reply_capacity = sizeof(abi::MessageHeader) + 64;
        const auto cut = ring_.perform(small);
        world_.check("an answer larger than its room is cut", cut && status_of(*cut) == Status::truncated && cut->length == 64);
        abi::Submission large = puppeteer_.entry(facet_, Puppet::echo);
        large.params_length = kPuppetMessageBytes + 8;
        large.params_offset = 0;
        const auto refused = ring_.perform(large);
        world_.check("a message larger than the receive buffer", refused && status_of(*refused) == Status::no_buffer);
        large.params_length = abi::kMessageBytesMax + 8;
        const auto too_large = ring_.perform(large);
        world_.check("a message larger than any may be", too_large && status_of(*too_large) == Status::bad_message);

        // Four buffers: six calls wait in order.
        for (u64 i = 1; i <= 6; ++i) (void)ring_.push(entry::tagged(puppeteer_.entry(facet_, Puppet::hold), i));
        (void)ring_.enter();
        world_.sleep(5 * kMillisecond);
        world_.check("calls beyond the buffers wait", ring_.unread() == 0);
        // All four buffers are taken, so the server cannot be asked to let go: the oldest call is cancelled to make room.
        (void)ring_.perform(entry::cancel(1));
        (void)ring_.perform(entry::cancel(2));
        (void)ring_.perform(entry::cancel(3));
        const auto let_go = puppeteer_.call(facet_, Puppet::let_go);
        world_.check_ok("a cancelled call gives its buffer back", let_go);
        u64 order[6]{}, count = 0;
        while (const auto completion = ring_.next()) order[count++ % 6] = completion->user_data * 100 + completion->status;
        world_.check("held calls are answered in order",
                     count == 6 && order[0] == 124 && order[1] == 224 && order[2] == 324 && order[3] == 400 && order[5] == 600,
                     count, ": ", order[0], " ", order[3], " ", order[5]);
    }

    void cancelling() {
        const PuppetReport before = puppeteer_.report(facet_);
        (void)ring_.push(entry::tagged(puppeteer_.entry(facet_, Puppet::hold), 5));
        (void)ring_.enter();
        const auto cancel = ring_.perform(entry::cancel(5));
        const auto call = ring_.take(5);
        world_.check("CANCEL ends a call that was received", cancel && status_of(*cancel) == Status::ok && call &&
                                                                 status_of(*call) == Status::cancelled);
        const PuppetReport after = puppeteer_.report(facet_);
        world_.check("the server is told", after.cancelled == before.cancelled + 1, after.cancelled, " after ",
                     before.cancelled);
        world_.check("its late answer is stale",
                     after.last_failure == 0 || after.last_failure == static_cast<u64>(Status::stale));
        const auto late = ring_.perform(entry::cancel(5));
        world_.check("CANCEL of what is over", late && status_of(*late) == Status::too_late);
        world_.check_error("a call ends at its deadline",
                           puppeteer_.call(facet_, Puppet::hold, 0, {}, 0, world_.now() + 2 * kMillisecond), Status::timed_out);
        world_.check("and leaves nothing behind", ring_.unread() == 0);
        (void)puppeteer_.call(facet_, Puppet::let_go);
    }

    void tokens() {
        const PuppetReport before = puppeteer_.report(facet_);
        (void)puppeteer_.call(facet_, Puppet::answer_twice);
        const PuppetReport after = puppeteer_.report(facet_);
        world_.check("a reply token works once", after.failures == before.failures + 1 &&
                                                     after.last_failure == static_cast<u64>(Status::stale), after.last_failure);
        world_.check_error("a token that was never given", ring_.post(entry::reply(0x1234, {})), Status::stale);
    }

    void pipelining() {
        const ArenaRange second = ring_.reserve(256).value_or(ArenaRange{});
        const auto ask = [&](u8 answer, u8 result) {
            return entry::tagged(entry::pipelined_call({answer, result}, kPuppetInterface, 0, {}, {.buffer = second}), 2);
        };
        // Before the return.
        (void)ring_.push(entry::tagged(entry::fills(puppeteer_.entry(facet_, Puppet::mint_late, 501, {}, 1), 3), 1));
        (void)ring_.push(ask(3, 0));
        (void)ring_.enter(2);
        const auto made = ring_.take(1), asked = ring_.take(2);
        world_.check("a call on a promise goes through once it is kept",
                     made && asked && status_of(*made) == Status::ok && status_of(*asked) == Status::ok &&
                         puppeteer_.payload<PuppetCall>(*asked).badge == 501,
                     asked ? status_of(*asked) : Status::ok);
        const CapId minted = made ? puppeteer_.result(*made) : CapId{};
        // After it.
        const auto later = ring_.perform(ask(3, 0));
        world_.check("and after it was kept", later && status_of(*later) == Status::ok);
        const auto beyond = ring_.perform(ask(3, 1));
        world_.check("a promised capability that did not come", beyond && status_of(*beyond) == Status::bad_capability);
        world_.check_ok("FINISH forgets it", ring_.post(entry::finish(3)));
        const auto forgotten = ring_.perform(ask(3, 0));
        world_.check("then a call on it is stale", forgotten && status_of(*forgotten) == Status::stale);
        world_.check_error("FINISH twice", ring_.post(entry::finish(3)), Status::stale);
        release(caller_, minted);
        // A failure goes on to what waits for it.
        (void)ring_.push(entry::tagged(entry::fills(puppeteer_.entry(facet_, Puppet::fail), 3), 1));
        (void)ring_.push(ask(3, 0));
        (void)ring_.enter(2);
        (void)ring_.take(1);
        const auto failed = ring_.take(2);
        world_.check("a broken promise breaks the calls on it", failed && status_of(*failed) == Status::failed);
        (void)ring_.post(entry::finish(3));
        // Finishing while pending, and the depth.
        (void)ring_.push(entry::tagged(entry::fills(puppeteer_.entry(facet_, Puppet::hold), 3), 1));
        for (u32 i = 0; i <= abi::kPipelineDepthMax; ++i) (void)ring_.push(ask(3, 0));
        (void)ring_.enter(1);
        const auto ninth = ring_.take(2);
        world_.check("eight calls wait on one promise, not nine", ninth && status_of(*ninth) == Status::overloaded);
        (void)ring_.post(entry::finish(3));
        u32 cancelled = 0;
        while (const auto completion = ring_.next()) cancelled += status_of(*completion) == Status::cancelled ? 1 : 0;
        world_.check("FINISH of a pending promise cancels its call and those on it", cancelled == 1 + abi::kPipelineDepthMax,
                     cancelled);
        (void)puppeteer_.call(facet_, Puppet::let_go);
    }

    void notices() {
        const PuppetReport before = puppeteer_.report(facet_);
        const auto made = puppeteer_.call(facet_, Puppet::mint, 909, {}, 1);
        world_.check_ok("a server mints a facet", made);
        if (!made) return;
        const CapId minted = puppeteer_.result(*made);
        const auto echo = puppeteer_.call(minted, Puppet::echo);
        world_.check("which works", echo && puppeteer_.payload<PuppetCall>(*echo).badge == 909);
        release(caller_, minted);
        const PuppetReport after = puppeteer_.report(facet_);
        world_.check("and is reported when nobody holds it", after.notices > before.notices && after.last_notice == 909,
                     after.notices - before.notices, " notices, last ", after.last_notice);
    }

    void refused(std::string_view name, abi::Submission entry, Status wanted) {
        const auto completion = ring_.perform(entry);
        world_.check(name, completion && status_of(*completion) == wanted,
                     completion ? status_of(*completion) : completion.error());
    }

    void entries() {
        abi::Submission nop = entry::nop();
        nop.opcode = 11;
        refused("an unknown opcode", nop, Status::bad_entry);
        nop = entry::nop();
        nop.flags = 0x80;
        refused("an unknown flag", nop, Status::bad_entry);
        nop = entry::nop();
        nop.reserved = 1;
        refused("a reserved field", nop, Status::bad_entry);
        abi::Submission call = puppeteer_.entry(facet_, Puppet::echo);
        call.params_offset = ring_.arena_bytes();
        refused("parameters outside the arena", call, Status::bad_offset);
        call = puppeteer_.entry(facet_, Puppet::echo);
        call.params_offset = 0xffff'fff8;
        refused("parameters that wrap", call, Status::bad_offset);
        call = puppeteer_.entry(facet_, Puppet::echo);
        call.reply_offset += 4;
        refused("a reply buffer that is not aligned", call, Status::bad_offset);
        call = puppeteer_.entry(facet_, Puppet::echo);
        call.reply_capacity = 8;
        refused("a reply buffer without room for its header", call, Status::bad_offset);
        call = puppeteer_.entry(facet_, Puppet::echo);
        call.capability_count = abi::kCapabilitiesMax + 1;
        refused("nine capabilities", call, Status::bad_entry);
        refused("a call on nothing", puppeteer_.entry(abi::kNoCapability, Puppet::echo), Status::bad_capability);
        refused("a call on a forged id", puppeteer_.entry(CapId::make(3, 999), Puppet::echo), Status::bad_capability);
        refused("the wrong interface of a kernel object", puppeteer_.entry(world_.clock, Puppet::echo),
                Status::wrong_interface);
        refused("receiving from a clock", entry::receive_signals(world_.clock), Status::wrong_interface);
        refused("signalling a clock", entry::signal(world_.clock, 1), Status::wrong_interface);
        refused("releasing what is not there", entry::release(CapId::make(5, 77)), Status::bad_capability);
    }

    void links() {
        (void)ring_.push(entry::linked(entry::tagged(entry::timer(world_.now() + kMillisecond), 1)));
        (void)ring_.push(entry::tagged(entry::nop(), 2));
        (void)ring_.enter(2);
        const auto first = ring_.next(), second = ring_.next();
        world_.check("a linked entry starts after the one before",
                     first && second && first->user_data == 1 && second->user_data == 2);
        (void)ring_.push(entry::linked(entry::tagged(puppeteer_.entry(abi::kNoCapability, Puppet::echo), 1)));
        (void)ring_.push(entry::linked(entry::tagged(entry::nop(), 2)));
        (void)ring_.push(entry::tagged(entry::nop(), 3));
        (void)ring_.push(entry::tagged(entry::nop(), 4));
        (void)ring_.enter(4);
        const auto a = ring_.take(1), b = ring_.take(2), c = ring_.take(3), d = ring_.take(4);
        world_.check("a failure cancels the rest of its chain, and no more",
                     a && b && c && d && status_of(*b) == Status::cancelled && status_of(*c) == Status::cancelled &&
                         status_of(*d) == Status::ok);
    }

    void timers() {
        const u64 begin = world_.now();
        const auto timer = ring_.perform(entry::timer(begin + 3 * kMillisecond));
        const u64 late = world_.now() - begin - 3 * kMillisecond;
        world_.check("a timer does not come early", timer && world_.now() >= begin + 3 * kMillisecond);
        world_.check("nor much too late", late < 20 * kMillisecond, late, " ns");
        world_.check("a time that has passed completes at once", ring_.perform(entry::timer(1)).has_value());
        (void)ring_.push(entry::tagged(entry::timer(world_.now() + 4 * kMillisecond), 2));
        (void)ring_.push(entry::tagged(entry::timer(world_.now() + 2 * kMillisecond), 1));
        (void)ring_.enter(2);
        world_.check("timers come in their order", ring_.next()->user_data == 1 && ring_.next()->user_data == 2);
        (void)ring_.push(entry::tagged(entry::timer(kNoDeadline - 1), 6));
        (void)ring_.enter();
        const auto cancel = ring_.perform(entry::cancel(6));
        const auto cancelled = ring_.take(6);
        world_.check("a timer can be cancelled", cancel && cancelled && status_of(*cancelled) == Status::cancelled);
        world_.check("enter ends at its deadline", ring_.enter(1, world_.now() + kMillisecond) == Status::timed_out);
        world_.check("enter with a deadline that has passed does not wait", ring_.enter(1, 1) == Status::timed_out);
    }

    void notifications() {
        const auto notification = create_notification(caller_, world_.account);
        if (!notification) return world_.check("notification", false);
        (void)ring_.post(entry::signal(*notification, 1));
        (void)ring_.post(entry::signal(*notification, 4));
        world_.check("bits gather until they are collected", ring_.collect(*notification).value_or(0) == 5);
        world_.check_error("and are gone then", ring_.collect(*notification, world_.now() + kMillisecond), Status::timed_out);
        world_.check_error("no bits", ring_.post(entry::signal(*notification, 0)), Status::bad_argument);
        world_.check_error("the 64th bit", ring_.post(entry::signal(*notification, u64{1} << 63)), Status::bad_argument);
        (void)ring_.push(entry::tagged(entry::receive_signals(*notification), 8));
        (void)ring_.enter();
        release(caller_, *notification);
        const auto dead = ring_.enter(1, world_.now() + 10 * kMillisecond) == Status::ok ? ring_.take(8) : std::nullopt;
        world_.check("RECEIVE holds its notification, or ends with it", !dead || status_of(*dead) == Status::disconnected);
        (void)ring_.perform(entry::cancel(8));
        while (ring_.next()) {
        }
    }

    static constexpr u64 kShared = 0x3000'0000;

    // Waits until the word is no longer 0, then says so in the next one.
    static u64 wait_for_word(Environment& environment) {
        auto* words = reinterpret_cast<volatile u32*>(kShared);
        while (words[0] == 0) (void)environment.ring.perform(entry::wait(kShared, 0));
        words[1] = 1;
        (void)environment.ring.post(entry::wake(kShared + 4, 1));
        return words[0];
    }

    void words() {
        const auto memory = create_memory(caller_, world_.account, kPageBytes);
        if (!memory) return world_.check("memory", false);
        constexpr u64 kHere = 0x3100'0000;
        (void)map(caller_, world_.space, *memory, 0, kPageBytes, kHere, kRead | kWrite);
        const Mapping mappings[] = {{*memory, kShared, kPageBytes, kRead | kWrite}};
        auto child = Child::create(world_, image_, "waiter", wait_for_word, {}, {.mappings = mappings});
        if (!child) return world_.check("waiter", false, child.error());
        auto* words = reinterpret_cast<volatile u32*>(kHere);
        world_.sleep(5 * kMillisecond);
        words[0] = 55;
        (void)ring_.post(entry::wake(kHere, ~u64{0}));
        const bool answered =
            words[1] == 1 || ring_.perform(entry::wait(kHere + 4, 0), world_.now() + 500 * kMillisecond).has_value();
        world_.check("WAKE in one process ends a WAIT in another", answered && child->wait_for_end(world_));
        world_.check("who then sees the word", child->state(world_).exit_code == 55);
        child->release(world_);
        const auto other = ring_.perform(entry::wait(kHere, 54));
        world_.check("WAIT for a value that is not there ends at once", other && status_of(*other) == Status::ok);
        refused("WAIT on no memory", entry::wait(0x7777'0000, 0), Status::bad_argument);
        refused("WAIT on half a word", entry::wait(kHere + 2, 0), Status::bad_argument);
        world_.check_error("a WAIT ends at its deadline", ring_.perform(entry::wait(kHere, 55), world_.now() + kMillisecond),
                           Status::timed_out);
        (void)unmap(caller_, world_.space, kHere, kPageBytes);
        release(caller_, *memory);
    }

    void revoking() {
        const auto derived = derive(caller_, world_.account, facet_);
        world_.check_ok("a facet is derived", derived);
        if (!derived) return;
        const auto echo = puppeteer_.call(*derived, Puppet::echo);
        world_.check("with the same badge", echo && puppeteer_.payload<PuppetCall>(*echo).badge == kBadge);
        (void)ring_.push(entry::tagged(puppeteer_.entry(*derived, Puppet::hold), 4));
        (void)ring_.enter();
        world_.sleep(kMillisecond);
        world_.check_ok("what was derived is revoked", revoke(caller_, world_.account, facet_));
        world_.check_error("then it names nothing", puppeteer_.call(*derived, Puppet::echo), Status::bad_capability);
        world_.check_ok("the one it was derived from stays", puppeteer_.call(facet_, Puppet::echo));
        (void)puppeteer_.call(facet_, Puppet::let_go);
        world_.check("a call that was received before ends in one way", ring_.take(4).has_value());
        release(caller_, *derived);
    }

    // Server after server on one endpoint.
    void replacing() {
        (void)ring_.push(entry::tagged(puppeteer_.entry(facet_, Puppet::hold), 1));
        (void)ring_.enter();
        world_.sleep(kMillisecond);
        (void)ring_.push(entry::tagged(puppeteer_.entry(facet_, Puppet::crash), 2));
        (void)ring_.enter(2, world_.now() + 1000 * kMillisecond);
        const auto held = ring_.take(1), fatal = ring_.take(2);
        world_.check("calls that a server had received end when it dies",
                     held && fatal && status_of(*held) == Status::disconnected && status_of(*fatal) == Status::disconnected);
        world_.check("it is dead", server_.wait_for_end(world_) && server_.state(world_).crashed);
        server_.release(world_);

        (void)ring_.push(entry::tagged(puppeteer_.entry(facet_, Puppet::echo, 3), 3));
        (void)ring_.enter();
        world_.sleep(2 * kMillisecond);
        world_.check("calls wait for the next server", ring_.unread() == 0);
        const auto receiver = make_receiver(caller_, endpoint_);
        world_.check_ok("a new receiver", receiver);
        if (!receiver) return;
        auto next = PuppetServer::start(world_, image_, *receiver);
        if (!next) return world_.check("a new server", false, next.error());
        (void)ring_.enter(1, world_.now() + 1000 * kMillisecond);
        const auto answered = ring_.take(3);
        world_.check("who answers them", answered && status_of(*answered) == Status::ok);
        const auto echo = puppeteer_.call(facet_, Puppet::echo);
        world_.check("and sees that the facet is of an earlier time",
                     echo && puppeteer_.payload<PuppetCall>(*echo).incarnation == 1);
        const auto fresh = mint(caller_, endpoint_, 5);
        const auto now = puppeteer_.call(fresh.value_or(CapId{}), Puppet::echo);
        world_.check("than a new one", now && puppeteer_.payload<PuppetCall>(*now).incarnation == 2);
        if (fresh) release(caller_, *fresh);

        const auto third = make_receiver(caller_, endpoint_);
        world_.check("a receiver that is replaced ends its server's RECEIVE", third && next->wait_for_end(world_));
        next->release(world_);
        world_.check_ok("an endpoint is set down", set_down(caller_, endpoint_, true));
        if (third) release(caller_, *third);
        release(caller_, *receiver);
        world_.check_error("calls then end at once",
                           puppeteer_.call(facet_, Puppet::echo, 0, {}, 0, world_.now() + 500 * kMillisecond),
                           Status::disconnected);
        release(caller_, endpoint_);
        world_.check(
            "a facet of an endpoint that is gone names nothing",
            puppeteer_.call(facet_, Puppet::echo, 0, {}, 0, world_.now() + 500 * kMillisecond).error() != Status::timed_out);
    }

    void finish() {
        world_.check("no completion is left over", ring_.unread() == 0, ring_.unread());
    }

public:
    static constexpr u64 kBadge = 41;

private:
    World& world_;
    Ring& ring_;
    Caller& caller_;
    const Image& image_;
    Puppeteer puppeteer_;
    CapId endpoint_, receiver_, facet_;
    Child server_;
};

Expected<void> run_ipc(World& world) {
    const Image image = TRY(Image::create(world));
    const CapId endpoint = TRY(create_endpoint(world.caller, world.account));
    const CapId receiver = TRY(make_receiver(world.caller, endpoint));
    const CapId facet = TRY(mint(world.caller, endpoint, Ipc::kBadge));
    const Puppeteer puppeteer = TRY(Puppeteer::create(world));
    Child server = TRY(PuppetServer::start(world, image, receiver));
    Ipc{world, image, puppeteer, endpoint, receiver, facet, std::move(server)}.run();
    return done;
}

}  // namespace

void test_main(World& world) { world.check_ok("set-up", run_ipc(world)); }

}  // namespace capos::test
