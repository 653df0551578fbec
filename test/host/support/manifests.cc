#include "host/support/manifests.h"

namespace capos::test {

using namespace capos::init;

ServiceEntry service(std::string_view name, std::string_view binary, u8 priority) {
    ServiceEntry made;
    made.name = name;
    made.binary = binary;
    made.priority = priority;
    made.limits = {.memory_kib = 1024, .objects = 64, .nodes = 64};
    return made;
}

GrantEntry endpoint_grant(std::string_view name, std::string_view service, std::string_view endpoint) {
    return {.name = name, .source = GrantSource::endpoint, .service = service, .endpoint = endpoint};
}

GrantEntry kernel_grant(std::string_view name, KernelObject object, u32 first, u32 count) {
    return {.name = name, .source = GrantSource::kernel, .object = object, .first = first, .count = count};
}

Manifest small_manifest() {
    Manifest manifest;
    manifest.version = kManifestVersion;
    manifest.name = "small";
    manifest.memory_kib = 64 * 1024;

    ServiceEntry uart = service("uart", "bin/uart", 24);
    uart.required = true;
    uart.endpoints = {{"console", "Console", kConsoleId}};
    uart.grants = {kernel_grant("ports", KernelObject::ports, 0x3f8, 8), kernel_grant("interrupt", KernelObject::interrupt, 4)};

    ServiceEntry log = service("log", "bin/log", 20);
    log.endpoints = {{"writer", "LogServer", kLogId}};
    log.grants = {endpoint_grant("console", "uart", "console")};

    ServiceEntry shell = service("shell", "bin/shell", 10);
    shell.arguments = {"--verbose"};
    shell.environment = {"TERM=vt100", "EMPTY="};
    shell.grants = {endpoint_grant("console", "uart", "console"), endpoint_grant("log", "log", "writer")};
    manifest.services = {uart, log, shell};
    return manifest;
}

}  // namespace capos::test
