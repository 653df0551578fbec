"""The ISO of one case: which program is init, what else is loaded, and what is wrong with it on purpose.

Programs are named as their Meson targets. Images are kept under the hash of all that goes into them, so that cases share them
and a second run makes none.
"""

import hashlib
import os
import random
import struct
import tempfile
import threading
import time
from pathlib import Path

from scenario import Case
from targets import Targets

_KEEP_SECONDS = 24 * 3600
_HEADER_FLAGS = 4    # offset of p_flags in a 64-bit program header (System V ABI, figure 5-1)
_LOAD, _EXECUTE, _WRITE = 1, 1, 2


class ImageError(Exception):
    """The image of a case cannot be made, and why."""


class ImageMaker:
    """Makes images in `folder`. `make_iso(output, kernel, modules, kernel_arguments)` is imagegen's."""

    def __init__(self, targets: Targets, folder: Path, seed: int, make_iso):
        self._targets = targets
        self._folder = folder
        self._seed = seed
        self._make_iso = make_iso
        self._lock = threading.Lock()  # two cases that share an image: the second waits for the first

    def image(self, case: Case) -> Path:
        kernel = self._targets.file("kernel.elf")
        modules = self._modules(case)
        arguments = " ".join(case.image.arguments)
        digest = hashlib.sha256(arguments.encode() + kernel.read_bytes())
        for name, data in modules:
            digest.update(b"\0" + name.encode() + b"\0" + data)
        stem = digest.hexdigest()[:24]
        iso = self._folder / f"{stem}.iso"
        with self._lock:
            if iso.exists():
                os.utime(iso)
            else:
                self._make(iso, kernel, modules, arguments)
        return iso

    def forget_old(self) -> None:
        """Removes the images that no run used for a day."""
        for iso in self._folder.glob("*.iso"):
            if iso.stat().st_mtime < time.time() - _KEEP_SECONDS:
                iso.unlink()

    def _make(self, iso: Path, kernel: Path, modules: list[tuple[str, bytes]], arguments: str) -> None:
        with tempfile.TemporaryDirectory(dir=self._folder) as parts:
            files = []
            for name, data in modules:
                path = Path(parts) / name
                path.write_bytes(data)
                files.append((name, path))
            unfinished = Path(parts) / iso.name
            self._make_iso(unfinished, kernel, files, arguments)
            unfinished.rename(iso)

    def _modules(self, case: Case) -> list[tuple[str, bytes]]:
        modules = []
        if case.image.init:
            data = self._targets.file(case.image.init).read_bytes()
            modules.append(("init", self._damage(case, data)))
        for name in case.image.modules:
            modules.append((name, self._targets.file(name).read_bytes()))
        return modules

    def _damage(self, case: Case, data: bytes) -> bytes:
        fault = case.image.fault
        if fault is None:
            return data
        if fault["kind"] == "replace":
            return fault["text"].encode()
        if fault["kind"] == "writable_code":
            return writable_code(data)
        size = fault["bytes"]
        if size == "seeded":
            size = random.Random(f"{self._seed} {case.name}").randrange(len(data))
        return data[:size]


def writable_code(elf: bytes) -> bytes:
    """The same program with its executable segments writable as well."""
    if elf[:5] != b"\x7fELF\x02":
        raise ImageError("fault 'writable_code' needs a 64-bit ELF file")
    offset, = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    result = bytearray(elf)
    changed = 0
    for header in range(offset, offset + size * count, size):
        kind, flags = struct.unpack_from("<II", elf, header)
        if kind == _LOAD and flags & _EXECUTE:
            struct.pack_into("<I", result, header + _HEADER_FLAGS, flags | _WRITE)
            changed += 1
    if not changed:
        raise ImageError("fault 'writable_code': the program has no executable segment")
    return bytes(result)
