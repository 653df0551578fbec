@0xe1c5a9d04b7f2836;
# The objects that the microkernel implements. A capability to one is called like any other: an entry in the ring, with a
# message that is a single segment without segment table. Kernel messages hold only scalars, short Data and Text, and
# capabilities; idl/codegen refuses anything else here, because the kernel decodes them with generated flat decoders.
#
# Every method can also answer the transport codes of idl/abi/status.h: bad_capability, wrong_interface (also for a capability
# argument of the wrong kind), unimplemented, bad_message, no_buffer and truncated. Only further ones are listed.
# Sizes are in bytes and must be multiples of the page size, 4096, unless a comment says otherwise.
# A `name` is for people: logs, lists of processes. An `offset` counts bytes from the start of the memory or arena, or ports
# from the first one of a range.

interface Account @0x9a7b1c3e5d2f4a01 {
  # Pays for everything that a group of processes keeps: frames of memory, kernel objects, capability nodes. Whoever holds an
  # account can spend from it; all objects are made through it. Ending an account (releasing or revoking the capability that
  # createAccount returned) ends every object that it pays for.

  createAccount @0 (frames :UInt64, objects :UInt32, nodes :UInt32, name :Text) -> (account :Account);
  # Carves a child account out of this one's limits. Unspent or spent, the whole of it comes back when the child ends.
  # Errors: quota when this account has less left than asked for.

  createMemory @1 (bytes :UInt64) -> (memory :Memory);
  # Anonymous memory, charged in full now, zeroed when first touched. Errors: quota; bad_argument for 0, a size that is not a
  # multiple of 4096, or one above 64 GiB.

  createEndpoint @2 (name :Text) -> (endpoint :Endpoint);
  # A rendezvous for calls. Errors: quota.

  createNotification @3 () -> (notification :Notification);
  # 63 bits that can be signalled and received. Errors: quota.

  createProcess @4 (slots :UInt32, name :Text) -> (process :Process, space :AddressSpace);
  # An empty process: no thread, no memory, a capability table of `slots` entries (rounded up to 256, at most 16384), charged
  # in full now. Errors: quota, bad_argument.

  usage @5 () -> (frames :UInt64, framesLimit :UInt64, objects :UInt32, objectsLimit :UInt32,
                  nodes :UInt32, nodesLimit :UInt32);
  # What is charged now, carved children included: frames, objects and nodes; and the limits: framesLimit, objectsLimit and
  # nodesLimit. Idempotent.

  derive @6 (capability :AnyPointer) -> (capability :AnyPointer);
  # A new capability to the same object with the same authority, whose life the holder of the old one controls: revoke ends it
  # while the old one stays. This account pays for its node. Errors: quota; bad_argument when sixteen derivations lead to it.

  revoke @7 (capability :AnyPointer);
  # Ends everything that was derived from this capability: derivations of derivations, mappings, calls not yet received. The
  # capability itself stays, and so do its copies. A descendant may be usable until this returns; none is afterwards.
  # Idempotent.
}

interface Process @0x9a7b1c3e5d2f4a02 {
  # A capability table, an address space and threads that share them. It ends when its last thread ends, when it is killed,
  # after a fault that nobody handles, or when the last capability to it is released.

  grant @0 (capability :AnyPointer) -> (id :UInt64);
  # Copies the capability into this process's table and returns its id there, for the process's start-up message.
  # Errors: quota when the table is full; disconnected when the process has ended.

  createThread @1 (name :Text, priority :UInt8, regionBytes :UInt32, submissionEntries :UInt16, completionEntries :UInt16)
      -> (thread :Thread, region :UInt64);
  # A thread with its ring region, mapped at the address returned; it does not run yet. Zero for regionBytes,
  # submissionEntries or completionEntries takes the default of idl/abi/ring.h. The priority is at most the maker's own
  # (0..31, 31 runs first); 255 takes the maker's own. Errors: quota, also when no contiguous block of
  # regionBytes is free; bad_argument; disconnected when the process has ended; not_permitted for a higher priority.

  kill @2 ();
  # Ends the process at once, as if by a fault, without a crash record. Returns when everything it held has been given back.
  # A process that kills itself gets no answer. Idempotent.

  supervise @3 (notification :Notification, bit :UInt8);
  # When the process ends, sets `bit` (0..62) in the notification. Errors: bad_argument.

  state @4 () -> (ended :Bool, crashed :Bool, exitCode :UInt64, threads :UInt32, number :UInt64, name :Text);
  # `number` is unique since boot; people call it the PID. `ended` is true once nothing is left of it, `crashed` when a fault
  # was the cause; exitCode is what its last thread gave; threads counts the living. Idempotent.

  crash @5 () -> (record :Data);
  # The crash record of a process that ended by a fault: abi/crash.h. Empty when there is none. Idempotent.
}

interface Thread @0x9a7b1c3e5d2f4a03 {
  # One flow of control with its own ring. It belongs to its process and ends with it.

  writeArena @0 (offset :UInt32, data :Data);
  # Before the start only: puts `data` into the thread's arena. Errors: bad_argument when out of range; not_permitted once
  # started.

  start @1 (entry :UInt64, stack :UInt64, argument :UInt64, startOffset :UInt32, startLength :UInt32);
  # Runs the thread: rip = entry, rsp = stack, rdi = argument, rsi = the address of its ring region. startOffset and startLength
  # are written to the ring header. Errors: not_permitted when it was started before; bad_argument for an address that is not
  # in the user half, or a start message outside the arena.

  kill @2 ();
  # Ends the thread; with the last one its process. Returns when everything it held has been given back. A thread that kills
  # itself gets no answer. Idempotent.

  setPriority @3 (priority :UInt8);
  # The priority from now on, 0..31; 31 runs first. Errors: bad_argument above 31; not_permitted above the caller's own.

  setBudget @4 (budget :UInt64, period :UInt64);
  # Lets the thread, and whoever works for it by direct hand-off, run for at most `budget` ns in each `period` ns. 0, 0 = no
  # limit, the default. Errors: bad_argument for a period below 100,000 ns or above 10 s, or a budget above the period.

  setCpu @5 (cpu :UInt32);
  # Pins the thread to the CPU numbered `cpu`; 0xffffffff lets it run anywhere again, the default. Takes effect when it next
  # becomes ready.
  # Errors: bad_argument for a CPU that is not running.

  handleFaults @6 (handler :AnyPointer, timeout :UInt64);
  # From now on a fault of this thread is a call of `handler`, a facet of an endpoint: interface FaultHandler, method 0. It
  # waits at most `timeout` ns for the answer; then, or when the handler is gone, or receives in the thread's own process,
  # the fault ends the process. Without a handler argument faults end the process again. Errors: bad_argument for a
  # capability that is not a facet, or a timeout of 0 or above 60 s.

  wait @7 ();
  # Returns when the thread has ended and everything it held has been given back. Idempotent.
}

interface FaultHandler @0x9a7b1c3e5d2f4a0e {
  # What the kernel calls for a faulted thread (Thread.handleFaults). Served by a process, not by the kernel.

  fault @0 (record :Data) -> (resume :Bool);
  # The crash record of abi/crash.h. `resume` lets the thread go on with the instruction that faulted; otherwise its
  # process ends. Errors: any one ends the process.
}

interface AddressSpace @0x9a7b1c3e5d2f4a04 {
  # The user half of a process's page tables: addresses from 64 KiB to 2^47 - 4096.

  map @0 (memory :ReadableMemory, offset :UInt64, bytes :UInt64, address :UInt64, protection :UInt8) -> (address :UInt64);
  # Maps [offset, offset + bytes) of the memory. protection is a sum of 1 (read, required), 2 (write) and 4 (execute).
  # `address` 0 lets the kernel choose. Page tables are charged to the account of the space in their worst case, so a later page
  # fault can't fail. Nothing is left behind on an error.
  # Errors: exists when the range overlaps a mapping; not_permitted for write and execute together, for execute of unsealed
  # memory, for write of sealed memory, or write through a ReadableMemory; bad_argument; quota.

  unmap @1 (address :UInt64, bytes :UInt64);
  # Removes the mapping that map made at `address`: exactly its range. When this returns no CPU can reach the memory through it.
  # Errors: bad_argument when no mapping has that range.

  protect @2 (address :UInt64, bytes :UInt64, protection :UInt8);
  # Changes the protection of the whole mapping at `address`, under the rules of map. Errors: as map, and bad_argument when no
  # mapping has that range.
}

interface ReadableMemory @0x9a7b1c3e5d2f4a05 {
  # Memory that its holder can read and map for reading (and for executing, when it is sealed).

  size @0 () -> (bytes :UInt64, sealed :Bool);
  # Idempotent.
}

interface Memory @0x9a7b1c3e5d2f4a06 extends(ReadableMemory) {
  # A range of frames. Reads as zero until written.

  seal @0 ();
  # Makes it immutable for ever, which is what makes it mappable executable. Errors: not_permitted while a writable mapping of
  # it exists.

  readable @1 () -> (memory :ReadableMemory);
  # The same memory with less authority. Errors: quota.

  read @2 (offset :UInt64, length :UInt32) -> (data :Data);
  # Copies `length` bytes, at most 4096, out as `data`, without a mapping. Errors: bad_argument when out of range.

  write @3 (offset :UInt64, data :Data);
  # Copies `data` in, without a mapping. Errors: bad_argument when out of range; not_permitted when sealed.
}

interface Endpoint @0x9a7b1c3e5d2f4a07 {
  # Where calls arrive. Its holder makes the facets that clients call and the Receiver that takes the calls.

  mint @0 (badge :UInt64) -> (facet :AnyPointer);
  # A facet: a capability whose calls arrive here with this badge (below 2^63). Errors: quota, bad_argument.

  receiver @1 () -> (receiver :Receiver);
  # The right to receive, held by one at a time: an earlier Receiver is revoked first, calls that were delivered to it end
  # `disconnected`, calls not yet received wait for the new one. The endpoint's incarnation goes up by one. Errors: quota.

  setDown @2 (down :Bool);
  # When `down`, calls end `disconnected` at once while nobody receives. Otherwise (the default) they wait. Idempotent.
}

interface Receiver @0x9a7b1c3e5d2f4a08 {
  # The right to take calls from an endpoint with RECEIVE.

  mint @0 (badge :UInt64) -> (facet :AnyPointer);
  # As Endpoint.mint, for the objects that the server itself hands out. When a facet has no holder and no call left, the server
  # receives a notice with its badge. Errors: quota, bad_argument.
}

interface Notification @0x9a7b1c3e5d2f4a09 {
  # 63 bits: SIGNAL sets some, RECEIVE collects and clears them.
}

interface Clock @0x9a7b1c3e5d2f4a0a {
  # The monotonic clock.

  now @0 () -> (ns :UInt64);
  # `ns` counts nanoseconds since boot. Idempotent.
}

interface Entropy @0x9a7b1c3e5d2f4a0f {
  # The processor's random number generator.

  fill @0 (bytes :UInt32) -> (data :Data);
  # At most 256 unpredictable bytes, as `data`. Errors: bad_argument above 256; failed when the processor has no generator, or
  # it gives nothing.
}

interface KernelLog @0x9a7b1c3e5d2f4a0b {
  # The kernel's log, which also goes to the first serial port until a driver claims it.

  write @0 (level :UInt8, text :Text);
  # One record of at most 200 bytes, prefixed with the caller's process name. Control characters are replaced. Levels: 0 error,
  # 1 warn, 2 info, 3 debug. Errors: bad_argument for another level or a longer text.
}

interface Power @0x9a7b1c3e5d2f4a0c {
  # The machine's switch.

  off @0 ();
  # Stops the machine; does not return.

  reset @1 ();
  # Restarts the machine; does not return.
}

interface PlatformInfo @0x9a7b1c3e5d2f4a0d {
  # What the machine is made of.

  cpus @0 () -> (count :UInt32);
  # The count of CPUs that are running. Idempotent.

  memory @1 () -> (framesTotal :UInt64, framesFree :UInt64, kernelBytes :UInt64);
  # Frames of RAM: framesTotal that the kernel manages, framesFree not in use now; and kernelBytes that it keeps for itself.
  # Idempotent.

  commandLine @2 () -> (text :Text);
  # The `text` of the kernel's command line, at most 1024 bytes of it. Idempotent.
}

interface Profile @0x9a7b1c3e5d2f4a10 {
  # What the kernel itself costs. The figures of its lock are counted while the machine runs with the kernel argument `profile`,
  # and zero without it.

  lock @0 () -> (holds :UInt64, heldTicks :UInt64, worstTicks :UInt64, elapsedTicks :UInt64);
  # Since the start, or since the last resetLock: how often the CPUs together held the kernel lock (holds), for how many
  # ticks of the time stamp counter in all (heldTicks), for how many at the worst (worstTicks), and how many have passed
  # (elapsedTicks). The hold of this very call is not counted. Idempotent.

  resetLock @1 ();
  # Counts from zero again. Idempotent.

  sizes @2 () -> (process :UInt32, thread :UInt32, endpoint :UInt32, memory :UInt32, mapping :UInt32, account :UInt32,
                  node :UInt32, slot :UInt32);
  # Bytes of kernel memory that each object takes, the node of its first capability included: a process with its address
  # space and the smallest capability table; a thread with the default ring, which is its block of records and FPU state, its
  # ring region with its mapping, and a frame in reserve; an endpoint; a memory without its pages and their table; a mapping
  # without page tables; an account; one more node; one slot of a capability table. Idempotent.
}

interface IoPortSpace @0x9a7b1c3e5d2f4a11 {
  # The x86 I/O ports of the machine. The kernel keeps some for itself: interrupt controllers and timers that it runs, ISA DMA
  # (which reaches memory past any IOMMU), PCI configuration, and what switches the machine off or restarts it, but for the
  # keyboard controller, whose driver can restart the machine.

  range @0 (first :UInt32, count :UInt32) -> (ports :IoPorts);
  # Claims the `count` ports from `first` on, for as long as a capability to the result, `ports`, exists. The caller's account
  # pays. Claiming ports of the first serial port silences the kernel there, a panic excepted; when no such claim is left it
  # sets the port up anew and prints again.
  # Errors: exists while another claim holds one of them; not_permitted for one that the kernel keeps; bad_argument for none, or
  # one above 65535; quota.
}

interface IoPorts @0x9a7b1c3e5d2f4a12 {
  # A range of I/O ports, claimed from the IoPortSpace. A `width` is 1, 2 or 4: so many consecutive ports in one access. What an
  # access does is the device's to say.

  extent @0 () -> (first :UInt32, count :UInt32);
  # The number of the `first` port, and the `count` of them. Idempotent.

  read @1 (offset :UInt32, width :UInt8) -> (value :UInt32);
  # The `value` that the device answers. Errors: bad_argument for another width, or a port outside the range.

  write @2 (offset :UInt32, width :UInt8, value :UInt32);
  # Errors: as read; and bad_argument for a `value` that is wider than `width`.

  writeBytes @3 (offset :UInt32, data :Data);
  # Writes each byte of `data`, at most 16, to the same port, one after another. Errors: bad_argument for more, or a port
  # outside the range.

  readWhile @4 (offset :UInt32, limit :UInt8, status :UInt32, mask :UInt8, wanted :UInt8) -> (data :Data, seen :UInt8);
  # Reads the port at the offset `status`; while its bits under `mask` are `wanted`, it reads a byte of `data` at `offset` and
  # looks at the status again, until there are `limit` of them, at most 16. `seen` has the bits that were set in any of
  # these statuses. Errors: bad_argument for a limit above 16, a port outside the range, or bits in `wanted` that are not in
  # `mask`.
}

interface InterruptSpace @0x9a7b1c3e5d2f4a13 {
  # The interrupt lines of the machine's I/O APICs.

  line @0 (line :UInt32, level :Bool, low :Bool) -> (interrupt :Interrupt);
  # Claims the `line` with that global system interrupt number, for as long as a capability to the result exists. It signals by
  # its `level`, else by an edge; `low` is its active state, else high. The caller's account pays.
  # Errors: exists while another claim holds it; bad_argument when the machine has no such line; quota, also when 128 are
  # claimed.

  isaLine @1 (number :UInt8) -> (interrupt :Interrupt);
  # Claims the line of the ISA interrupt `number`, 0..15, wherever firmware says that it leads, and however it signals.
  # Errors: as line.
}

interface Interrupt @0x9a7b1c3e5d2f4a14 {
  # One source of interrupts. RECEIVE on it gives a `signal` completion with bit 0 for an interrupt that has arrived. Until the
  # receiver acknowledges it nothing else is said: further ones only have another signal follow. A signal may come without
  # cause, and stands for any number of interrupts: look at the device. The kernel masks the line while it could say
  # nothing new: one that signals by its level from its interrupt to its acknowledgement, one that signals by edges while an
  # interrupt waits to be said.

  acknowledge @0 ();
  # The device has been served: the next interrupt may be signalled. One that has arrived meanwhile is signalled at once.
  # Idempotent.
}
