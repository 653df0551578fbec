@0xd0b7a64f19c85e23;
# The manifest: all that init starts, and what each service may touch. imagegen compiles it from a readable text (the default
# system is servers/manifest.toml) to a message of a single segment without segment table, which lies in the boot archive under
# the name `manifest`. Init checks the whole of it, and refuses it with every problem named, before it starts anything; the
# rules are in servers/init/manifest_check.h.
#
# Absent texts are empty and absent numbers 0. Names of services, endpoints and grants have at most 31 characters: a letter,
# then letters, digits, `_` and `-`.

enum SystemProfile {
  # Whom the system is made for.

  release @0;  # users: nothing that opens the system to its host
  development @1;  # developers: services such as the host link may be there
}

enum DmaPolicy {
  # What becomes of a driver that needs DMA on a machine without an IOMMU.

  isolated @0;  # it is refused
  unprotected @1;  # it is started, and can reach all memory
}

enum SpeculationPolicy {
  # What becomes of a CPU that needs page-table isolation, which this kernel does not do.

  safe @0;  # it is refused
  unsafe @1;  # it is used, and processes can read the kernel's memory by speculation
}

enum RestartOn {
  # After which ends init starts a service again by itself.

  anyEnd @0;  # every end that init was not asked for
  crash @1;  # a fault, a kill after a missed deadline, or an exit code other than 0; exit code 0 means that its work is done
  never @2;  # no end; exit code 0 means that its work is done
}

enum GrantSource {
  # Where a granted capability comes from.

  endpoint @0;  # a facet of another service's endpoint, with a badge of its own
  kernel @1;  # one of the kernel's objects, or a part of one
  supervisor @2;  # the right to see, start and stop services, and the machine: init's Supervisor
  file @3;  # one file of the boot archive, as a sealed ReadableMemory
  archive @4;  # the whole boot archive, as a ReadableMemory
}

enum KernelObject {
  # Which object of the kernel is granted. Every service has its own process, thread, address space and account, the clock, the
  # entropy source and the kernel's log without asking.

  none @0;  # for grants from elsewhere
  power @1;  # the machine's switch
  platform @2;  # what the machine is made of
  profile @3;  # what the kernel itself costs
  ports @4;  # I/O ports: `count` of them from `first`
  interrupt @5;  # the ISA interrupt line `first`
}

struct Manifest {
  # A whole system.

  version @0 :UInt32;  # of this format: 1
  name @1 :Text;  # of the system, for people
  profile @2 :SystemProfile;  # whom it is for
  dma @3 :DmaPolicy;  # drivers on machines without an IOMMU
  speculation @4 :SpeculationPolicy;  # CPUs that need page-table isolation
  memoryKib @5 :UInt64;  # of the smallest machine that it is made for; the limits of all services together stay below
  services @6 :List(ServiceEntry);  # at most 60
}

struct ServiceEntry {
  # One program that init runs and watches.

  name @0 :Text;  # unique
  binary @1 :Text;  # a file of the boot archive: a static ELF
  arguments @2 :List(Text);  # after the name, which is the first one
  environment @3 :List(Text);  # NAME=value
  priority @4 :UInt8;  # 0..30, 30 runs first, as init does; at least that of each client
  limits @5 :AccountLimits;  # what one instance can spend
  ring @6 :RingGeometry;  # of the first thread
  endpoints @7 :List(EndpointEntry);  # what it serves; it receives the Receiver of each under the endpoint's name
  grants @8 :List(GrantEntry);  # all else that it can touch
  restart @9 :RestartEntry;  # what happens after its end
  required @10 :Bool;  # without it the system is of no use: init offers a rescue prompt when it cannot be started at boot
  manual @11 :Bool;  # started only when somebody asks for it
  readyMs @12 :UInt32;  # how long it may take from its start until it says that it is ready; 0: 10,000
  stopMs @13 :UInt32;  # how long it may take to end when it is asked to; 0: 1,000
  noPing @14 :Bool;  # it does not answer pings, so a hang is not noticed
  stopAfter @15 :List(Text);  # services that have ended before this one is asked to; its clients always have
  inspectNever @16 :Bool;  # nobody, not even its supervisor, may see its messages and capabilities
  stateKib @17 :UInt32;  # memory that outlives its instances, given to each under the name `state`; 0: none
}

struct AccountLimits {
  # What an account can spend (kernel.capnp, Account).

  memoryKib @0 :UInt64;  # in KiB, a multiple of 4
  objects @1 :UInt32;  # kernel objects
  nodes @2 :UInt32;  # capability nodes
}

struct RingGeometry {
  # The ring region, stack and capability table of a service's first thread; 0 takes the default.

  regionKib @0 :UInt32;  # of the whole region; 0: 16
  submissions @1 :UInt16;  # entries of the submission queue, a power of two; 0: 16
  completions @2 :UInt16;  # entries of the completion queue, a power of two; 0: 32
  stackKib @3 :UInt32;  # 0: 64
  slots @4 :UInt32;  # of the capability table; 0: 256
}

struct EndpointEntry {
  # Where a service takes calls. Init owns it, so it outlives each instance of the service.

  name @0 :Text;  # unique in the service
  interface @1 :Text;  # name of the interface that is served there
  interfaceId @2 :UInt64;  # its Cap'n Proto id
}

struct GrantEntry {
  # One capability that a service is given.

  name @0 :Text;  # under which the service finds it; unique in the service
  source @1 :GrantSource;  # where it comes from
  service @2 :Text;  # source endpoint: the service that owns it
  endpoint @3 :Text;  # source endpoint: its name there
  interfaceId @4 :UInt64;  # source endpoint: what the program expects; 0: whatever it is
  weak @5 :Bool;  # source endpoint: start without waiting for that service to be ready, and stop in any order
  object @6 :KernelObject;  # source kernel: which one
  first @7 :UInt32;  # source kernel: the first port, or the interrupt line
  count @8 :UInt32;  # source kernel: how many ports
  file @9 :Text;  # source file: its name in the boot archive
}

struct RestartEntry {
  # How often a service is started again.

  on @0 :RestartOn;  # after which ends
  times @1 :UInt32;  # more deaths than this within the window, none of them after a completed call, park the service; 0: 5
  windowS @2 :UInt32;  # in seconds; 0: 60
  needs @3 :List(Text);  # services that have to be ready before it can be started again, because they hold what that takes
}
