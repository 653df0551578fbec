// The manifest's check: a manifest for each kind of mistake, and exactly the problems that it has.
#include <new>

#include <catch2/catch.hpp>

#include "host/support/manifests.h"
#include "servers/init/manifest_check.h"
#include "servers/init/service_graph.h"

using namespace capos;
using namespace capos::init;
using namespace capos::test;

namespace {

using Problems = std::vector<std::string>;

enum Service : usize { kUart, kLog, kShell };

struct Mistake {
    const char* what;
    void (*make)(Manifest& manifest);
    Problems problems;
};

constexpr char kLong32[] = "abcdefghijklmnopqrstuvwxyz012345";

ServiceEntry& in(Manifest& manifest, Service service) { return manifest.services[service]; }

const Mistake kNameMistakes[] = {
    {"two services of one name", [](Manifest& m) { in(m, kLog).name = "uart"; },
     {"service `shell`: grant `log`: there is no service `log`", "two services are called `uart`"}},
    {"a name of 32 characters", [](Manifest& m) { in(m, kShell).name = kLong32; },
     {"service `abcdefghijklmnopqrstuvwxyz012345`: the name `abcdefghijklmnopqrstuvwxyz012345` is longer than 31 characters"}},
    {"a name with a blank", [](Manifest& m) { in(m, kShell).name = "my shell"; },
     {"service `my shell`: the name `my shell` is not a letter followed by letters, digits, `_` and `-`"}},
    {"an empty name", [](Manifest& m) { in(m, kShell).grants[0].name = ""; },
     {"service `shell`: the grant's name `` is not a letter followed by letters, digits, `_` and `-`"}},
    {"a reserved service", [](Manifest& m) { in(m, kShell).name = "kernel"; }, {"service `kernel`: the name is reserved"}},
    {"an unknown binary", [](Manifest& m) { in(m, kShell).binary = "bin/shel"; },
     {"service `shell`: binary: the boot archive has no file `bin/shel`"}},
    {"no binary", [](Manifest& m) { in(m, kShell).binary = ""; }, {"service `shell`: binary: no file is named"}},
    {"an unknown service", [](Manifest& m) { in(m, kShell).grants[1].service = "logg"; },
     {"service `shell`: grant `log`: there is no service `logg`"}},
    {"an unknown endpoint", [](Manifest& m) { in(m, kShell).grants[1].endpoint = "admin"; },
     {"service `shell`: grant `log`: service `log` has no endpoint `admin`"}},
    {"an unknown file",
     [](Manifest& m) { in(m, kShell).grants.push_back({.name = "font", .source = GrantSource::file, .file = "font"}); },
     {"service `shell`: grant `font`: the boot archive has no file `font`"}},
    {"two grants of one name", [](Manifest& m) { in(m, kShell).grants[1].name = "console"; },
     {"service `shell`: two of its capabilities are called `console`"}},
    {"a grant called as an endpoint", [](Manifest& m) { in(m, kUart).grants[0].name = "console"; },
     {"service `uart`: two of its capabilities are called `console`"}},
    {"a grant called as what every service has", [](Manifest& m) { in(m, kShell).grants[0].name = "account"; },
     {"service `shell`: `account` is the name of something that every service has"}},
    {"an endpoint called as the kernel's log", [](Manifest& m) { in(m, kShell).endpoints = {{"log", "Log", kLogId}}; },
     {"service `shell`: an endpoint cannot be called `log`, as the kernel's log is",
      "service `shell`: two of its capabilities are called `log`"}},
    {"an endpoint without interface", [](Manifest& m) { in(m, kUart).endpoints[0].interface_id = 0; },
     {"service `uart`: endpoint `console` has no interface"}},
    {"references to services that are not there",
     [](Manifest& m) {
         in(m, kShell).stop_after = {"disk"};
         in(m, kShell).restart.needs = {"store"};
     },
     {"service `shell`: restart.needs: there is no service `store`",
      "service `shell`: stop_after: there is no service `disk`"}},
};

const Mistake kNumberMistakes[] = {
    {"another version", [](Manifest& m) { m.version = 2; }, {"the manifest has version 2; this system reads version 1"}},
    {"a priority that no thread can have", [](Manifest& m) { in(m, kUart).priority = 32; },
     {"service `uart`: priority is 32; it can be 0 to 30"}},
    {"no limits", [](Manifest& m) { in(m, kShell).limits = {}; },
     {"service `shell`: memory is 0; it can be 64 to 4294967296", "service `shell`: nodes is 0; it can be 8 to 1048576",
      "service `shell`: objects is 0; it can be 8 to 1048576"}},
    {"half a page", [](Manifest& m) { in(m, kShell).limits.memory_kib = 1026, in(m, kShell).state_kib = 2; },
     {"service `shell`: memory is not a multiple of 4 KiB", "service `shell`: state is not a multiple of 4 KiB"}},
    {"deadlines of an hour", [](Manifest& m) { in(m, kShell).ready_ms = in(m, kShell).stop_ms = 3'600'000; },
     {"service `shell`: ready_ms is 3600000; it can be 0 to 600000",
      "service `shell`: stop_ms is 3600000; it can be 0 to 600000"}},
    {"a ring that is no power of two", [](Manifest& m) { in(m, kShell).ring = {.region_kib = 24, .submissions = 12}; },
     {"service `shell`: ring.region_kib is 24; it is a power of two, at most 2048",
      "service `shell`: ring.submissions is 12; it is a power of two, at most 512"}},
    {"a ring without room for messages", [](Manifest& m) { in(m, kShell).ring = {.region_kib = 16, .submissions = 256}; },
     {"service `shell`: ring.region_kib leaves no page for messages"}},
    {"a tiny stack and a huge table", [](Manifest& m) { in(m, kShell).ring = {.stack_kib = 4, .slots = 1 << 20}; },
     {"service `shell`: ring.slots is 1048576; it can be 1 to 16384",
      "service `shell`: ring.stack_kib is 4; it can be 16 to 8192"}},
    {"restarts without end", [](Manifest& m) { in(m, kShell).restart = {.times = 33, .window_s = 100'000}; },
     {"service `shell`: restart.times is 33; it can be 0 to 32",
      "service `shell`: restart.window_s is 100000; it can be 0 to 86400"}},
    {"limits that exceed the smallest machine", [](Manifest& m) { in(m, kShell).limits.memory_kib = 62 * 1024; },
     {"the limits of all services take 69632 KiB of memory on the smallest machine, init's share included; there are 65536"}},
    {"numbers of enumerations that nobody knows",
     [](Manifest& m) {
         m.profile = static_cast<SystemProfile>(2);
         m.dma = static_cast<DmaPolicy>(2);
         m.speculation = static_cast<SpeculationPolicy>(9);
         in(m, kShell).restart.on = static_cast<RestartOn>(3);
         in(m, kShell).grants[0].source = static_cast<GrantSource>(5);
         in(m, kUart).grants[0].object = static_cast<KernelObject>(6);
     },
     {"`dma` has an unknown value", "`profile` has an unknown value", "`speculation` has an unknown value",
      "service `shell`: grant `console`: unknown source", "service `shell`: restart.on has an unknown value",
      "service `uart`: grant `ports`: it names no object of the kernel"}},
};

const Mistake kTextMistakes[] = {
    {"an environment entry without a value", [](Manifest& m) { in(m, kShell).environment = {"TERM", "=x"}; },
     {"service `shell`: environment entry `=x` is not NAME=value",
      "service `shell`: environment entry `TERM` is not NAME=value"}},
    {"an argument with a NUL", [](Manifest& m) { in(m, kShell).arguments = {std::string_view{"a\0b", 3}}; },
     {"service `shell`: an argument or variable contains a NUL character"}},
    {"33 arguments", [](Manifest& m) { in(m, kShell).arguments.assign(33, "a"); },
     {"service `shell`: more than 32 arguments or variables"}},
    {"arguments that fill the start-up message",
     [](Manifest& m) {
         static const std::string text(2048, 'a');
         in(m, kShell).arguments = {text};
         in(m, kShell).environment = {};
     },
     {"service `shell`: name, arguments and environment take 2055 bytes; at most 2048"}},
};

const Mistake kAuthorityMistakes[] = {
    {"an interface that is not the one served", [](Manifest& m) { in(m, kShell).grants[0].interface_id = kLogId; },
     {"service `shell`: grant `console`: another interface is expected than `Console`, which `uart` serves there"}},
    {"a server below its client", [](Manifest& m) { in(m, kLog).priority = 9; },
     {"service `shell`: grant `log`: its priority 10 is above that of `log`, 9"}},
    {"a server below its client, weak or not",
     [](Manifest& m) { in(m, kLog).priority = 9, in(m, kShell).grants[1].weak = true; },
     {"service `shell`: grant `log`: its priority 10 is above that of `log`, 9"}},
    {"ports that overlap",
     [](Manifest& m) { in(m, kShell).grants.push_back(kernel_grant("com1", KernelObject::ports, 0x3ff, 1)); },
     {"service `shell`: grant `com1`: the same I/O ports are in grant `ports` of `uart`"}},
    {"an interrupt line granted twice",
     [](Manifest& m) { in(m, kUart).grants.push_back(kernel_grant("again", KernelObject::interrupt, 4)); },
     {"service `uart`: grant `again`: the same interrupt line is in grant `interrupt` of `uart`"}},
    {"ports that do not exist",
     [](Manifest& m) {
         in(m, kUart).grants[0].count = 0;
         in(m, kShell).grants.push_back(kernel_grant("high", KernelObject::ports, 0xfff8, 9));
     },
     {"service `shell`: grant `high`: there are no 9 I/O ports from 65528",
      "service `uart`: grant `ports`: there are no 0 I/O ports from 1016"}},
    {"interrupt lines that do not exist",
     [](Manifest& m) {
         in(m, kUart).grants[1].first = 2;
         in(m, kShell).grants.push_back(kernel_grant("line", KernelObject::interrupt, 16));
     },
     {"service `shell`: grant `line`: there is no interrupt line 16 to be had",
      "service `uart`: grant `interrupt`: there is no interrupt line 2 to be had"}},
    {"ranges where there are none",
     [](Manifest& m) {
         in(m, kUart).grants[1].count = 1;
         in(m, kShell).grants.push_back(kernel_grant("power", KernelObject::power, 1));
     },
     {"service `shell`: grant `power`: this object has no range",
      "service `uart`: grant `interrupt`: an interrupt is one line, without a count"}},
    {"no object of the kernel", [](Manifest& m) { in(m, kUart).grants.push_back(kernel_grant("x", KernelObject::none)); },
     {"service `uart`: grant `x`: it names no object of the kernel"}},
    {"too many grants and endpoints",
     [](Manifest& m) {
         static std::vector<std::string> names;
         for (int i = 0; i < 40; ++i) names.push_back("n" + std::to_string(i));
         for (usize i = 0; i < 9; ++i) in(m, kShell).endpoints.push_back({names[i], "Console", kConsoleId});
         for (usize i = 9; i < 40; ++i) in(m, kShell).grants.push_back(kernel_grant(names[i], KernelObject::platform));
     },
     {"service `shell`: 33 grants; at most 32", "service `shell`: 9 endpoints; at most 8"}},
};

const Mistake kOrderMistakes[] = {
    {"servers that wait for each other",
     [](Manifest& m) {
         in(m, kLog).endpoints.push_back({"raw", "Console", kConsoleId});
         in(m, kUart).priority = 20;
         in(m, kUart).grants.push_back(endpoint_grant("log", "log", "raw"));
     },
     {"at the start these wait for each other: `uart` for `log` for `uart`"}},
    {"a service that waits for itself",
     [](Manifest& m) { in(m, kUart).grants.push_back(endpoint_grant("me", "uart", "console")); },
     {"at the start these wait for each other: `uart` for `uart`"}},
    {"an end that waits for itself", [](Manifest& m) { in(m, kShell).stop_after = {"log"}; },
     {"at the end these wait for each other: `log` for `shell` for `log`"}},
    {"a restart that needs itself",
     [](Manifest& m) {
         // The console's program lies in `log`, whose work needs the console: weakly, so that the start alone would go well.
         in(m, kUart).restart.needs = {"log"};
         in(m, kLog).grants[0].weak = true;
     },
     {"service `uart`: restarting it needs itself: `log`, which uses `uart`"}},
    {"waiting for what is started by hand", [](Manifest& m) { in(m, kLog).manual = true; },
     {"service `shell`: grant `log`: it would wait for `log`, which is started by hand only"}},
    {"needing what is started by hand",
     [](Manifest& m) {
         in(m, kLog).manual = true;
         in(m, kShell).grants.pop_back();
         in(m, kShell).restart.needs = {"log"};
     },
     {"service `shell`: restart.needs: `log` is started by hand only"}},
    {"a required service that is started by hand",
     [](Manifest& m) {
         in(m, kUart).required = false;
         in(m, kShell).required = in(m, kShell).manual = true;
     },
     {"service `shell`: it is required, and started by hand only"}},
    {"nothing required", [](Manifest& m) { in(m, kUart).required = false; },
     {"no service is required, so a system in which nothing runs would count as up"}},
    {"nothing at all", [](Manifest& m) { m.services.clear(); }, {"there is no service"}},
};

Problems problems_of(const Manifest& manifest, Surroundings surroundings = {.files = kSmallFiles}) {
    Problems problems = check_manifest(manifest, surroundings);
    std::ranges::sort(problems);
    return problems;
}

void check_table(std::span<const Mistake> mistakes) {
    for (const Mistake& mistake : mistakes) {
        CAPTURE(mistake.what);
        Manifest manifest = small_manifest();
        mistake.make(manifest);
        CHECK(problems_of(manifest) == mistake.problems);
    }
}

}  // namespace

TEST_CASE("a good manifest has no problems") { CHECK(problems_of(small_manifest()) == Problems{}); }

TEST_CASE("mistakes in a manifest's names are named") { check_table(kNameMistakes); }
TEST_CASE("mistakes in a manifest's numbers are named") { check_table(kNumberMistakes); }
TEST_CASE("mistakes in a manifest's arguments and environment are named") { check_table(kTextMistakes); }
TEST_CASE("grants that do not fit, or come twice, are named") { check_table(kAuthorityMistakes); }
TEST_CASE("services that could never start, stop or come back are named") { check_table(kOrderMistakes); }

TEST_CASE("all problems of a manifest are listed at once") {
    Manifest manifest = small_manifest();
    in(manifest, kShell).binary = "x";
    in(manifest, kShell).grants[0].service = "y";
    in(manifest, kUart).priority = 99;
    CHECK(problems_of(manifest).size() == 3);
}

TEST_CASE("a name of exactly 31 characters is accepted", "[R04]") {
    Manifest manifest = small_manifest();
    in(manifest, kShell).name = std::string_view{kLong32}.substr(0, kNameBytesMax);
    CHECK(problems_of(manifest) == Problems{});
}

TEST_CASE("limits are held against the machine that is there") {
    const Manifest manifest = small_manifest();
    const u64 wanted = kInitShareKib + 3 * 1024;
    CHECK(problems_of(manifest, {.files = kSmallFiles, .memory_kib = wanted, .objects = 192, .nodes = 192}) == Problems{});
    CHECK(problems_of(manifest, {.files = kSmallFiles, .memory_kib = wanted - 1, .objects = 191, .nodes = 191}) ==
          Problems{"the limits of all services take 192 capability nodes; there are 191",
                   "the limits of all services take 192 kernel objects; there are 191",
                   "the limits of all services take 7168 KiB of memory, init's share included; there are 7167"});
}

TEST_CASE("more services than init can watch are refused") {
    Manifest manifest = small_manifest();
    manifest.memory_kib = 0;
    std::vector<std::string> names;
    for (usize i = 3; i <= kServicesMax; ++i) names.push_back("s" + std::to_string(i));
    for (const std::string& name : names) manifest.services.push_back(service(name, "bin/log", 5));
    CHECK(problems_of(manifest) == Problems{"61 services; at most 60"});
    manifest.services.pop_back();
    CHECK(problems_of(manifest) == Problems{});
}

TEST_CASE("the orders of start, restart and stop follow from grants") {
    Manifest manifest = small_manifest();
    in(manifest, kShell).restart.needs = {"uart"};
    in(manifest, kUart).stop_after = {"log"};
    CHECK(start_edges(manifest) == Edges{{}, {kUart}, {kUart, kLog}});
    CHECK(restart_edges(manifest) == Edges{{}, {}, {kUart}});
    CHECK(stop_edges(manifest) == Edges{{kLog, kShell}, {kShell}, {}});
    in(manifest, kShell).grants[1].weak = true;
    CHECK(start_edges(manifest) == Edges{{}, {kUart}, {kUart}});
    CHECK(use_edges(manifest) == Edges{{}, {kUart}, {kUart, kLog}});
    CHECK(stop_edges(manifest) == Edges{{kLog, kShell}, {}, {}});
}
