@0xc2b65e91d07fa438;
# What stands between a service and its supervisor, and what the supervisor offers to whoever administers the system.

interface ServiceControl @0xe83f2d10b95ac746 {
  # A service's line to its supervisor. Every supervised process has one, under the name `control`; the runtime uses it
  # (runtime/program/server.h).

  ready @0 ();
  # The service takes calls from now on: what depends on it may start. Idempotent.

  ping @1 (answered :UInt64) -> (stop :Bool);
  # Keeps the line open: the supervisor answers after about a second, and the service calls again at once. One that does not
  # call again within three seconds hangs, is killed and started again. `answered` counts the calls that this instance has
  # answered so far: whether it does any work. `stop` asks the service to end, soon and with exit code 0; the answer then
  # comes at once.
  # Idempotent.
}
