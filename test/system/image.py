"""The ISO of one case: which program is init, whether the boot archive is there, and what is wrong with them on purpose.

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

from imagegen.cli.support.errors import CommandError
from imagegen.cli.support.image import MANIFEST
from imagegen.iso.archive import make_archive
from imagegen.manifest.boot import boot_archive, stripped
from scenario import Case
from targets import Targets

_KEEP_SECONDS = 24 * 3600
_INIT = "init.elf"
_MANIFESTS = Path(__file__).resolve().parent / "manifests"
_HEADER_FLAGS = 4    # offset of p_flags in a 64-bit program header (System V ABI, figure 5-1)
_LOAD, _EXECUTE, _WRITE = 1, 1, 2


class ImageError(Exception):
    """The image of a case cannot be made, and why."""


class ImageMaker:
    """Makes images in `folder` of what is built in `build`. `make_iso` is imagegen's."""

    def __init__(self, targets: Targets, folder: Path, build: Path, seed: int, make_iso):
        self._targets = targets
        self._folder = folder
        self._build = build
        self._archives: dict[str, bytes] = {}  # by manifest
        self._seed = seed
        self._make_iso = make_iso
        self._lock = threading.Lock()  # two cases that share an image: the second waits for the first

    def image(self, case: Case) -> Path:
        """Errors: ImageError, TargetError."""
        kernel = self._targets.file("kernel.elf")
        modules = self._modules(case)
        arguments = " ".join(case.image.arguments)
        digest = hashlib.sha256(arguments.encode() + b"\0" + kernel.read_bytes())
        for text, data in modules:
            digest.update(b"\0" + text.encode() + b"\0" + hashlib.sha256(data).digest())
        iso = self._folder / f"{digest.hexdigest()[:24]}.iso"
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
            for text, data in modules:
                path = Path(parts) / text
                path.write_bytes(data)
                files.append((text, path))
            try:
                self._make_iso(iso, kernel, files, arguments)
            except (CommandError, ValueError) as error:
                raise ImageError(str(error)) from error

    def _modules(self, case: Case) -> list[tuple[str, bytes]]:
        modules = []
        if case.image.init:
            modules.append(("init", self._damage(case, self._program(self._targets.file(case.image.init)))))
        if case.image.archive:
            modules.append(("archive", self._archive(case)))
        return modules

    @staticmethod
    def _program(file: Path) -> bytes:
        """Without symbols, as in the image that users boot; what is no ELF file stays as it is."""
        data = file.read_bytes()
        return stripped(file) if data[:4] == b"\x7fELF" else data

    def _archive(self, case: Case) -> bytes:
        """Of the manifest that the case names; else the system's own under init, and an empty one under any other program."""
        name = case.image.manifest
        if name is None and case.image.init != _INIT:
            return make_archive({})
        with self._lock:
            if name not in self._archives:
                manifest = _MANIFESTS / name if name else MANIFEST
                try:
                    self._archives[name] = boot_archive(manifest, self._build, self._targets.file,
                                                        check=not case.image.bad_manifest)
                except CommandError as error:
                    raise ImageError(str(error)) from error
            return self._archives[name]

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
            size = random.Random(f"{self._seed} {case.name}").randrange(needed_bytes(data))
        return data[:size]


def _program_headers(elf: bytes) -> list[tuple]:
    """(offset in the file, type, flags, offset of the contents, their size) of each; none when this is no 64-bit ELF file."""
    if elf[:5] != b"\x7fELF\x02":
        return []
    table, = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    headers = []
    for offset in range(table, table + size * count, size):
        kind, flags, start, _, _, length = struct.unpack_from("<IIQQQQ", elf, offset)
        headers.append((offset, kind, flags, start, length))
    return headers


def needed_bytes(file: bytes) -> int:
    """What a loader reads: cutting off less than this leaves a program that is whole, but for its debug information."""
    ends = [start + length for _, kind, _, start, length in _program_headers(file) if kind == _LOAD]
    return max(ends, default=len(file))


def writable_code(elf: bytes) -> bytes:
    """The same program with its executable segments writable as well."""
    result = bytearray(elf)
    code = [header for header in _program_headers(elf) if header[1] == _LOAD and header[2] & _EXECUTE]
    if not code:
        raise ImageError("fault 'writable_code' needs a 64-bit ELF file with an executable segment")
    for offset, _, flags, _, _ in code:
        struct.pack_into("<I", result, offset + _HEADER_FLAGS, flags | _WRITE)
    return bytes(result)
