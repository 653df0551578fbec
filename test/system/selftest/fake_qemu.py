#!/usr/bin/env python3
"""Stands in for the emulator in tests of the harness: acts out the text that the test put in place of the ISO.

One word and its operand a line: `say TEXT`, `prompt TEXT` (no line end), `read` (one line, echoed), `sleep SECONDS`,
`exit STATUS`. At the end of the text it waits to be ended, as a guest does that stays alive.
"""

import sys
import time
from pathlib import Path


def main() -> int:
    play = Path(sys.argv[sys.argv.index("-cdrom") + 1]).read_text()
    for line in play.splitlines():
        word, _, operand = line.partition(" ")
        if word in ("say", "prompt"):
            print(operand, end="\n" if word == "say" else "", flush=True)
        elif word == "read":
            print(f"got {sys.stdin.readline().strip()}", flush=True)
        elif word == "sleep":
            time.sleep(float(operand))
        elif word == "exit":
            return int(operand)
    time.sleep(3600)
    return 0


if __name__ == "__main__":
    sys.exit(main())
