@0x8d30c7a4e5b2f916;
# The system's log: structured records of all services, kept in memory, oldest dropped first. Writers are known by the facet
# that they were given, so nobody can write in another's name.

enum LogLevel {
  # How much a record matters. A record is kept if its level is at most that of its service.

  error @0;
  # Something failed and somebody should look at it.

  warn @1;
  # Something is odd, and the service goes on.

  info @2;
  # What an administrator wants to read on a good day.

  debug @3;
  # What the author of the service wants to know.
}

struct LogField {
  # One named value of a record.

  name @0 :Text;
  # At most 32 bytes.

  value @1 :Text;
  # At most 200 bytes; raw, whoever shows it escapes it.
}

struct LogRecord {
  # One record as it is kept.

  number @0 :UInt64;
  # Counts records since boot; a gap is what was dropped.

  timeNs @1 :UInt64;
  # When it arrived, in ns since boot.

  service @2 :Text;
  # Who wrote it, as the supervisor calls it.

  level @3 :LogLevel;
  # How much it matters.

  text @4 :Text;
  # Raw; whoever shows it escapes it.

  fields @5 :List(LogField);
  # Named values.

  lost @6 :UInt32;
  # Records of this service that were dropped just before this one: because it wrote faster than it may, or because the
  # writer could not pass them on.
}

interface Log @0xd6f1b2a94c8e7035 {
  # The right to write in the name of one service.

  write @0 (level :LogLevel, text :Text, fields :List(LogField), lost :UInt32);
  # Adds a record of `level` with `text`, at most 800 bytes, and at most 8 `fields`; longer texts, names and values are cut
  # off, further fields left out. `lost` counts records that the writer itself had to drop before this one. A writer may add
  # 100 records a second, 200 at once; what is beyond that is dropped and counted.
  # Errors: none; a repeated call is a second record.

  level @1 () -> (level :LogLevel);
  # The level of this service: records above it are not kept and need not be written. Idempotent.
}

interface SupervisorLog @0xa47e0d3b96c1f258 extends(Log) {
  # What the supervisor writes with: also in the name of a service that is no more.

  crash @0 (service :Text, summary :Text, record :Data);
  # Keeps a crash: the `service` that ended, a `summary` of one line, and the kernel's crash `record` (abi/crash.h), empty when
  # there was no fault. The last 64 crashes are kept apart from the records, so that a flood of those can't push them out;
  # each is also a record of level error. Errors: none; a repeated call is a second crash.
}

struct Crash {
  # One kept crash.

  number @0 :UInt64;
  # Counts crashes since boot.

  timeNs @1 :UInt64;
  # When it arrived, in ns since boot.

  service @2 :Text;
  # That ended.

  summary @3 :Text;
  # One line.

  record @4 :Data;
  # abi/crash.h; empty when there was no fault.
}

struct LogFilter {
  # Which records a reader wants.

  service @0 :Text;
  # Only those of this service; empty: of all.

  level @1 :LogLevel;
  # Only those that matter at least as much.

  anyLevel @2 :Bool;
  # All levels; `level` is not looked at.
}

interface LogReader @0xbc5a08e7d142f96b {
  # The right to read the whole log and to set levels.

  read @0 (after :UInt64, max :UInt32, filter :LogFilter) -> (records :List(LogRecord), next :UInt64);
  # The oldest `records`, at most `max` and as many as one message holds, whose number is above `after` and that pass `filter`.
  # `next` is what to pass as `after` to go on from there. Empty when there is none. Idempotent.

  follow @1 (after :UInt64, max :UInt32, filter :LogFilter) -> (records :List(LogRecord), next :UInt64);
  # As read, but waits until there is at least one such record. Takes `after`, `max` and `filter`, gives `records` and `next`.
  # Idempotent. Errors: overloaded when 16 readers wait already.

  setLevel @2 (service :Text, level :LogLevel);
  # From now on keeps records of `service` up to `level`. Idempotent. Errors: not_found for a service that never wrote.

  crashes @3 (after :UInt64) -> (crashes :List(Crash));
  # The oldest `crashes`, as many as one message holds, whose number is above `after`. Idempotent.

  usage @4 () -> (records :UInt64, bytes :UInt64, bytesMax :UInt64, dropped :UInt64);
  # How many `records` are kept, in how many `bytes` of bytesMax, and how many were `dropped` since boot: overwritten, beyond
  # the rate or the level. Idempotent.
}
