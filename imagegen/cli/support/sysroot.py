"""The target's sysroot: C and C++ headers and libraries, built from third_party/src by imagegen/recipes.

third_party/sysroot/.stamp holds a hash of everything that it was made from; the sysroot is current when the stamp is.
"""

import filecmp
import hashlib
import os
import shutil
from pathlib import Path

from imagegen.cli.support import paths, sources
from imagegen.cli.support.pins import Pins
from imagegen.recipes import libcxx, musl

LLVM = Path("/usr/lib/llvm-19")
_RECIPES = paths.ROOT / "imagegen/recipes"
_STAMP = paths.SYSROOT / ".stamp"


def digest(pins: Pins, compiler_version: str) -> str:
    """Of all that decides the content: pins, recipes, overlays, compiler."""
    total = hashlib.sha256(compiler_version.encode())
    for name in ("musl", "llvm-toolchain-19"):
        total.update(pins.source(name).digest().encode())
    for file in sorted(path for path in _RECIPES.rglob("*") if path.is_file() and path.suffix not in (".pyc", ".md")):
        total.update(str(file.relative_to(_RECIPES)).encode() + b"\0" + file.read_bytes() + b"\0")
    return total.hexdigest()


def ready(wanted: str) -> bool:
    return _STAMP.is_file() and _STAMP.read_text() == wanted


def build(wanted: str) -> None:
    """Errors: CommandError; the old sysroot then stays, but its stamp is gone."""
    _STAMP.unlink(missing_ok=True)
    work = paths.THIRD_PARTY / "work"
    shutil.rmtree(work, ignore_errors=True)
    prefix = work / "sysroot"
    (work / "musl").mkdir(parents=True)
    jobs = os.cpu_count() or 1
    musl.build(sources.folder("musl"), work / "musl", prefix, LLVM, jobs)
    llvm_source = sources.folder("llvm-toolchain-19")
    libcxx.install_headers(llvm_source, prefix)
    for variant in libcxx.VARIANTS:
        (work / variant).mkdir()
        libcxx.build(llvm_source, work / variant, prefix, LLVM, jobs, variant)
    _install(prefix, paths.SYSROOT)
    shutil.rmtree(work)
    _STAMP.write_text(wanted)


def _install(new: Path, old: Path) -> None:
    """Makes `old` equal to `new`; a file whose content stays keeps its time, so that ninja rebuilds only what it has to."""
    names = {file.relative_to(new) for file in new.rglob("*") if file.is_file()}
    for file in list(old.rglob("*")) if old.is_dir() else []:
        if file.is_file() and file.relative_to(old) not in names:
            file.unlink()
    for name in names:
        if not ((old / name).is_file() and filecmp.cmp(new / name, old / name, shallow=False)):
            (old / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(new / name, old / name)
            os.utime(old / name)
