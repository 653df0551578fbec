"""QEMU's monitor: what a scenario does to the machine from outside, and what the emulator answers."""

import re
import socket
import time
from pathlib import Path

_PROMPT = b"(qemu) "
_PATIENCE_SECONDS = 5
_ESCAPES = re.compile(r"\x1b\[[0-9;?=]*[A-Za-z]")
_SOCKET = "monitor"


class MonitorError(Exception):
    """The emulator does not answer."""


def options(folder: Path) -> list[str]:
    """For the command line of a guest whose own folder this is."""
    path = str(folder / _SOCKET).replace(",", ",,")  # a comma separates options
    return ["-monitor", f"unix:{path},server=on,wait=off"]


class Monitor:
    """A connection to the monitor of a guest that runs. Errors: MonitorError."""

    def __init__(self, folder: Path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_PATIENCE_SECONDS)
        try:
            self._socket.connect(str(folder / _SOCKET))
        except OSError as error:
            self.close()
            raise MonitorError(f"no connection to the emulator's monitor: {error}") from error
        self._answer()

    def run(self, command: str) -> list[str]:
        """The lines of its answer."""
        try:
            self._socket.sendall(command.encode() + b"\n")
        except OSError as error:
            raise MonitorError(f"the emulator's monitor is gone: {error}") from error
        return self._answer()[1:]  # it echoes the command

    def close(self) -> None:
        self._socket.close()

    def _answer(self) -> list[str]:
        data, until = b"", time.monotonic() + _PATIENCE_SECONDS
        while not data.endswith(_PROMPT):
            try:
                part = self._socket.recv(65536)
            except OSError as error:
                raise MonitorError(f"the emulator's monitor does not answer: {error}") from error
            if not part or time.monotonic() > until:
                raise MonitorError("the emulator's monitor does not answer")
            data += part
        text = _ESCAPES.sub("", data[:-len(_PROMPT)].decode("utf-8", "replace"))
        return [line.strip() for line in text.splitlines() if line.strip()]
