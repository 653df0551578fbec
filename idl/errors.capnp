@0xd5e1a6c0b7493f28;
# The registry of error codes: what a served object means by an answer of kind `failed`. A code means the same in every
# interface; each method's documentation names the ones that it uses. Transport codes are not among them: only the kernel makes
# those (abi/status.h).

enum ErrorCode {
  # Values never change and are never reused. A text for people may travel beside the code, at most 120 bytes.

  none @0;
  # No code: the text says everything there is to say.

  notFound @1;
  # There is nothing of that name, number or id.

  exists @2;
  # There is something of that name already.

  badArgument @3;
  # A value is outside what the method accepts.

  badMessage @4;
  # The parameters are not a message of this method.

  notPermitted @5;
  # The object does not allow this to the holder of this capability.

  busy @6;
  # It is in use, or in a state in which this can't be done now.

  noSpace @7;
  # The medium, volume, log or table is full.

  tooLarge @8;
  # The message, record or file is larger than what this object takes.

  timedOut @9;
  # Something that the object itself waits for did not happen in time.

  deviceBroken @10;
  # The device does not do what its specification says.

  lostWrites @11;
  # Data that was written and not synced before is gone.

  corrupt @12;
  # Data does not match its checksum or breaks its format.
}
