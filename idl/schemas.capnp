@0xc9c6e668708abfd8;
# What interfaces look like, for programs that were not compiled with them: the shell, traces, the web UI, the host's tools.
# A schema table describes one interface with every type that its messages contain (format: idl/abi/schema_table.h). Each
# program carries the tables of the interfaces that it serves or calls, and its spawner registers them here.

interface Schemas @0x9138d5f8599ccdd0 {
  # Looks up tables. Interfaces are public knowledge: knowing one gives no authority over anything.

  find @0 (id :UInt64) -> (table :Data, program :Text, isBase :Bool);
  # The table of the interface numbered `id`, at most 6144 bytes; the `program` that brought it; and isBase: it belongs to the
  # system itself, so it says what the system's servers understand. Whoever reads a table checks it all the same.
  # Idempotent. Errors: not_found.

  list @1 (after :UInt64) -> (entries :List(SchemaEntry));
  # At most 32 `entries`, by rising id, of the interfaces whose id is above `after`. Start with 0 and go on with the id of the
  # last entry until none comes. Idempotent.
}

interface SchemaRegistry @0x884cc9543985bacb {
  # The right to register tables. Spawners hold it.

  register @0 (table :Data, program :Text, isBase :Bool);
  # Adds one `table`, at most 6144 bytes, under the interface id in it. `program`, at most 64 bytes, is for people. Registering
  # an equal table again changes nothing. A table with isBase set is never replaced, and replaces one that isn't base; of two
  # that are not base the later one counts.
  # Idempotent. Errors: bad_argument for a table that breaks a rule of the format, or a longer program; exists when a base
  # table of that id says something else; overloaded when the registry is full.
}

struct SchemaEntry {
  # One registered interface.

  id @0 :UInt64;
  # Of the interface.

  name @1 :Text;
  # Of the interface, as its schema file calls it.

  program @2 :Text;
  # Which brought the table.

  isBase @3 :Bool;
  # Part of the system itself.
}
