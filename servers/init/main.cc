// init - the first process: it reads the boot archive and the manifest in it, starts what that says, and watches over it. When
// init ends, the system does; so whatever is wrong it says so on the kernel's log, and stays.
//
// With `init=poweroff` on the kernel's command line it shuts the system down again as soon as all services are ready.
#include "servers/init/manifest_check.h"
#include "servers/init/manifest_reader.h"
#include "servers/init/served.h"

namespace capos::init {

namespace {

using runtime::Error, runtime::kPageBytes;

constexpr std::string_view kManifestFile = "manifest";
constexpr u32 kOperatorBuffers = 4;  // calls of Supervisor under way

Task<void> greet(const World& world) {
    const u32 cpus = (co_await world.platform.cpus()).count;
    const auto memory = co_await world.platform.memory();
    const auto mebibytes = [](u64 frames) { return std::to_string(frames * kPageBytes >> 20); };
    world.say(LogLevel::info, "capOS is up: " + std::to_string(cpus) + (cpus == 1 ? " CPU, " : " CPUs, ") +
                                  mebibytes(memory.frames_free) + " of " + mebibytes(memory.frames_total) +
                                  " MiB free, kernel " + std::to_string(memory.kernel_bytes >> 10) + " KiB");
    co_return done;
}

// The manifest, when there is one without problems; otherwise everything that is wrong stands on the log.
Task<std::optional<Manifest>> load_manifest(World& world, const formats::UstarArchive& archive) {
    const auto file = archive.find(kManifestFile);
    if (!file) {
        world.say(LogLevel::warn, "the boot archive holds no manifest");
        co_return std::nullopt;
    }
    auto manifest = read_manifest(*file);
    if (!manifest) {
        world.say(LogLevel::error, "the manifest is not a message of idl/manifest.capnp");
        co_return std::nullopt;
    }
    std::vector<std::string_view> files;
    for (u64 cursor = 0; const auto one = archive.next(cursor);) files.push_back(one->name);
    const auto usage = co_await world.account.usage();
    const auto problems = check_manifest(*manifest, {.files = files,
                                                     .memory_kib = (usage.frames_limit - usage.frames) * (kPageBytes / 1024),
                                                     .objects = usage.objects_limit - usage.objects,
                                                     .nodes = usage.nodes_limit - usage.nodes});
    for (const std::string& problem : problems) world.say(LogLevel::error, "manifest: " + problem);
    if (problems.empty()) co_return std::move(manifest);
    world.say(LogLevel::error, "the manifest has " + std::to_string(problems.size()) +
                                   (problems.size() == 1 ? " problem" : " problems") + ": nothing is started");
    co_return std::nullopt;
}

// What a required service that does not come up means for the user.
void say_rescue(const Supervisor& supervisor, ServiceIndex failed) {
    const World& world = supervisor.world();
    world.say(LogLevel::error, "the system cannot start: the required service `" +
                                   std::string{supervisor.manifest().services[failed].name} + "` does not come up");
    for (ServiceIndex i = 0; i < supervisor.core().size(); ++i) {
        const ServiceStatus& status = supervisor.core().status(i);
        world.say(LogLevel::error, "  service `" + std::string{supervisor.manifest().services[i].name} + "` is " +
                                       name_of(status.state) + ", " + std::to_string(status.deaths) + " deaths, last end: " +
                                       name_of(status.last_end));
    }
}

Task<void> supervise(World& world, const Manifest& manifest, formats::UstarArchive archive) {
    auto supervisor = co_await Supervisor::create(world, manifest, archive);
    ControlServer control{*supervisor};
    SupervisorServer operators{*supervisor};
    // Each service keeps one ping waiting in a buffer, and may say that it is ready.
    const u32 buffers = static_cast<u32>(manifest.services.size()) + 4;
    auto control_receiver = (co_await supervisor->control().receiver()).receiver;
    auto operator_receiver = (co_await supervisor->endpoint().receiver()).receiver;
    const auto control_service = co_await runtime::Service::create(
        *world.loop, std::move(control_receiver), {.buffers = buffers, .buffer_bytes = 64, .slots = 0});
    control_service->set_root(control);
    const auto operator_service = co_await runtime::Service::create(
        *world.loop, std::move(operator_receiver), {.buffers = kOperatorBuffers, .buffer_bytes = 128, .slots = 0});
    operator_service->set_root(operators);

    const bool power_off = co_await world.on_command_line("init=poweroff");
    supervisor->on_rescue = [&](ServiceIndex failed) { say_rescue(*supervisor, failed); };
    supervisor->on_booted = [&] {
        world.say(LogLevel::info, "all services are ready");
        if (power_off) supervisor->shut_down(PowerState::off);
    };
    supervisor->boot();
    co_await runtime::Sleep{*world.loop, runtime::kNoDeadline};
    co_return done;
}

Task<void> run(World& world) {
    co_await greet(world);
    if (!world.archive.present()) {
        world.say(LogLevel::warn, "there is no boot archive");
        co_return done;
    }
    const auto archive = co_await runtime::attempt(world.open_archive());
    if (!archive) {
        world.say(LogLevel::error, "the boot archive cannot be read: " + archive.error().text);
        co_return done;
    }
    const auto manifest = co_await load_manifest(world, *archive);
    if (manifest) co_await supervise(world, *manifest, *archive);
    co_return done;
}

}  // namespace

}  // namespace capos::init

capos::runtime::Task<void> capos::runtime::program_main(Grants& grants) {
    init::World world = co_await init::World::create(grants);
    const auto report = [](void* context, const Error& error) {
        static_cast<init::World*>(context)->say(LogLevel::error, std::string{name_of(error.status)} + ": " + error.text);
    };
    world.loop->on_failure(report, &world);
    const auto ended = co_await attempt(init::run(world));
    if (!ended) report(&world, ended.error());
    co_await Sleep{*world.loop, kNoDeadline};
    co_return done;
}
