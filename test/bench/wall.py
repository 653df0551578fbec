"""Splits the wall time of a boot into firmware, GRUB and ours, by what each prints, with time stamps of the host.

SeaBIOS says on its debug port when it jumps to the boot sector, OVMF says on the console which boot option it starts; the
kernel's first line ends GRUB's part; its line `kernel_to_user` ends ours.
"""

import os
import threading
import time
from pathlib import Path

_SEABIOS_DONE = b"Booting from 0000:7c00"
_OVMF_DONE = "BdsDxe: starting"
_KERNEL_LINE = "] INFO boot:"
_USER_LINE = "kernel_to_user"


class FirmwareLog:
    """Reads the debug port of SeaBIOS through a named pipe while the guest runs. `seconds` since the start of the reading: when
    the firmware was done, if it said so."""

    def __init__(self, folder: Path):
        self._path = folder / "firmware"
        self.seconds: float | None = None

    @property
    def options(self) -> tuple[str, ...]:
        return "-chardev", f"file,id=firmware,path={self._path}", "-device", "isa-debugcon,iobase=0x402,chardev=firmware"

    def __enter__(self) -> "FirmwareLog":
        self._path.unlink(missing_ok=True)
        os.mkfifo(self._path)
        self._file = os.open(self._path, os.O_RDWR)  # never at its end, whoever opens and closes it
        self._start = time.monotonic()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        return self

    def _read(self) -> None:
        seen = b""
        while not seen.endswith(b"\0"):
            seen += os.read(self._file, 4096)
            if self.seconds is None and _SEABIOS_DONE in seen:
                self.seconds = time.monotonic() - self._start

    def __exit__(self, *_) -> None:
        os.write(self._file, b"\0")
        self._thread.join()
        os.close(self._file)


def split(lines: list[tuple[float, str]], firmware_done: float | None) -> dict[str, float]:
    """Seconds of each part, as far as the lines tell."""
    def first(text: str) -> float | None:
        return next((seconds for seconds, line in lines if text in line), None)

    firmware = firmware_done if firmware_done is not None else first(_OVMF_DONE)
    kernel, user = first(_KERNEL_LINE), first(_USER_LINE)
    parts = {}
    if firmware is not None:
        parts["firmware"] = firmware
        if kernel is not None:
            parts["grub"] = kernel - firmware
    if kernel is not None and user is not None:
        parts["kernel"] = user - kernel
    return parts
