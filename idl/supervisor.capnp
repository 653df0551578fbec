@0x9fd0c43b7a1e5862;
# What init offers to whoever administers the system: the shell, the web UI. A manifest grants it with `init = "supervisor"`.
# Services are named as in the manifest.

enum ServiceState {
  # Where a service is in its life.

  waiting @0;  # for other services to be ready
  starting @1;  # an instance is being made, or runs and has not said yet that it is ready
  ready @2;  # an instance runs and takes calls
  backingOff @3;  # the last instance died; the next one starts in a moment
  stopping @4;  # it was asked to end, or is being killed
  stopped @5;  # somebody stopped it, or it starts only on demand
  finished @6;  # its work is done
  parked @7;  # it died too often and stays down until somebody starts it
}

enum EndCause {
  # How the last instance of a service ended.

  none @0;  # there was none, or it has not ended
  exitOk @1;  # exit code 0
  exitFailed @2;  # another exit code
  crash @3;  # a fault; its record is kept
  spawnFailed @4;  # it could not be made
  notReady @5;  # it was not ready in time, and was killed
  hung @6;  # it did not answer three pings, and was killed
  stopped @7;  # somebody stopped it
}

struct ServiceInfo {
  # One service.

  name @0 :Text;  # from the manifest
  state @1 :ServiceState;  # where it is now
  required @2 :Bool;  # without it the system is of no use
  process @3 :UInt64;  # number of the instance that runs; 0: none
  instances @4 :UInt64;  # started so far
  deaths @5 :UInt32;  # that nobody asked for
  lastEnd @6 :EndCause;  # of the latest instance that ended
  sinceNs @7 :UInt64;  # when it came into this state, in ns since boot
}

struct ProcessInfo {
  # One process that init started.

  number @0 :UInt64;  # people call it the PID
  name @1 :Text;  # of its service
  memoryKib @2 :UInt64;  # charged to its account now
  memoryLimitKib @3 :UInt64;  # what the account can spend
  objects @4 :UInt32;  # kernel objects charged now
  nodes @5 :UInt32;  # capability nodes charged now
  threads @6 :UInt32;  # that run
  priority @7 :UInt8;  # of its first thread
}

interface Supervisor @0xc58a0f6be31d7294 {
  # All services, and the machine they run on.

  services @0 () -> (services :List(ServiceInfo));
  # All `services`, in the order of the manifest. Idempotent. Errors: only those of every call.

  processes @1 () -> (processes :List(ProcessInfo));
  # The `processes` that init started, itself included, by number. What these started in turn is theirs to tell. Idempotent.
  # Errors: only those of every call.

  start @2 (name :Text);
  # Starts the service called `name`, when it is stopped, finished, parked or backing off, with its deaths forgotten.
  # Idempotent. Errors: not_found; busy when it runs, or while the system shuts down.

  stop @3 (name :Text);
  # Asks the service called `name` to end, and kills it when it takes longer than the manifest allows. Its endpoints are down
  # until somebody starts it. Returns at once. Idempotent. Errors: not_found; busy when it does not run.

  restart @4 (name :Text);
  # Stops the service called `name` and starts it again, or starts it. Returns at once. Errors: not_found; busy while the
  # system shuts down.

  crash @5 (name :Text) -> (record :Data, atNs :UInt64);
  # The latest crash `record` of the service called `name` (idl/abi/crash.h), and when that was, in ns since boot (atNs).
  # Empty when it never crashed. Idempotent. Errors: not_found.

  shutDown @6 (reboot :Bool);
  # Stops all services, those last that others use, and then switches the machine off, or restarts it when `reboot` is set.
  # Returns at once. Idempotent. Errors: only those of every call.
}
