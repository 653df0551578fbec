#!/usr/bin/env python3
"""Stands in for the emulator in tests of the harness: acts out the text that the test put in place of the ISO.

One word and its operand a line: `say TEXT`, `prompt TEXT` (no line end), `read` (one line, echoed), `sleep SECONDS`,
`exit STATUS`. At the end of the text it waits to be ended, as a guest does that stays alive. Its monitor answers every command.
"""

import socket
import sys
import threading
import time
from pathlib import Path


def serve_monitor(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    connection.sendall(b"welcome\r\n(qemu) ")
    for line in connection.makefile("rb"):
        command = line.strip()
        connection.sendall(command + b"\r\nanswer to " + command + b"\r\n(qemu) ")


def listen(option: str) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(option.removeprefix("unix:").removesuffix(",server=on,wait=off").replace(",,", ","))
    listener.listen()
    threading.Thread(target=serve_monitor, args=(listener,), daemon=True).start()


def main() -> int:
    if "-monitor" in sys.argv:
        listen(sys.argv[sys.argv.index("-monitor") + 1])
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
