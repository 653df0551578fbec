@0xf741754e0d6a22da;
# A terminal that people sit at: bytes in, bytes out. What the bytes mean (echo, lines, escape sequences, the window's size) is
# the business of whoever holds the console; nothing is translated on the way.

interface Console @0xb39012c09ac51ec5 {
  # One terminal. Of several holders each gets what it asks for, in the order of their calls; who wants a terminal for itself
  # is the only one who gets a facet.

  read @0 (max :UInt32) -> (data :Data, lost :UInt64);
  # Waits until there is input and returns what is there as `data`: at least 1 byte, at most `max`, never more than 4096.
  # Waiting has no limit of its own; the caller's deadline or cancellation ends it and loses no input. `lost` counts the bytes
  # of input that were dropped since the last read, because nobody read or the line overran. Repeating a read that ended
  # `disconnected` may miss the bytes that it would have returned.
  # Errors: bad_argument for a `max` of 0; overloaded when 8 reads wait already.

  write @1 (data :Data);
  # Puts `data`, at most 4096 bytes, out in one piece: bytes of two writes never mix. Returns when the console has taken all
  # of it, which may be before the last byte has left the machine; the next write waits until there is room again.
  # Errors: bad_argument above 4096 bytes; overloaded when 8 writes wait already.
}
