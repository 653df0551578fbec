// victim - a service for tests of supervision. It serves Console: what was written can be read again, and these words make it
// misbehave: `crash` `exit` `hang` `deaf` (it hangs as soon as it is asked to stop). Its first argument can say how it starts:
// `crash` (at once), `mute` (it never says that it is ready) or `job` (its work is done, exit code 0).
#include <cstdlib>
#include <string>

#include "idl/console.h"
#include "runtime/program/server.h"

namespace capos::test {

namespace {

using runtime::Task;

[[noreturn]] void crash() {
    asm volatile("movq $0, 8" ::: "memory");  // the null page is never mapped
    std::abort();
}

[[noreturn]] void hang() {
    while (true) asm volatile("pause");
}

class Victim final : public idl::Console::Server {
public:
    explicit Victim(std::string clients) : clients_{std::move(clients)} {}

    Task<idl::Console::Read::Answer> read(u32) override {
        co_return {.data = std::as_bytes(std::span{text_}), .lost = caller_badge()};
    }
    Task<idl::Console::Write::Answer> write(std::span<const std::byte> data) override {
        text_.assign(reinterpret_cast<const char*>(data.data()), data.size());
        if (text_ == "crash") crash();
        if (text_ == "exit") std::exit(3);
        if (text_ == "hang") hang();
        if (text_ == "who") text_ = clients_;
        co_return done;
    }

private:
    std::string clients_;
    std::string text_;
};

}  // namespace

}  // namespace capos::test

capos::runtime::Task<void> capos::runtime::program_main(Grants& grants) {
    const std::string_view manner = grants.argument(1);
    if (manner == "crash") test::crash();
    if (manner == "job") co_return done;
    test::Victim victim{std::string{grants.start().environment("client.2").value_or("nobody")}};
    const auto service = co_await serve(grants, "console", victim);
    if (manner == "mute") co_await forever(grants.loop());
    co_await ready(grants);
    co_await forever(grants.loop());
    co_return done;
}
