"""What verbs need to have happened before: set-up and build. Both do nothing, quickly, when nothing changed."""

import hashlib
import shutil
from pathlib import Path

from imagegen.cli.support import packages, paths, pins, sources, sysroot
from imagegen.cli.support.errors import CommandError
from imagegen.cli.support.lock import tree_lock
from imagegen.cli.support.process import run_logged, say

_NEED_BYTES = 2 << 30
_TOOLCHAIN = paths.ROOT / "imagegen/toolchain"


def ensure_setup() -> bool:
    """Packages, sources and sysroot are there and current afterwards. True: something had to be done. Errors: CommandError."""
    if not _Work().needed():
        return False
    with tree_lock("setup"):
        # Looked at again: another set-up may have held the lock meanwhile.
        work = _Work()
        if work.needed():
            _set_up(work)
    return True


class _Work:
    """What set-up would have to do now."""

    def __init__(self) -> None:
        self.pins = pins.read()
        installed = packages.installed(list(self.pins.packages))
        self.packages = [name for name in self.pins.packages if name not in installed]
        self.sources = [source for source in self.pins.sources if not sources.ready(source)]
        self.sysroot = not sysroot.ready(sysroot.digest(self.pins, installed.get("clang-19", "")))

    def needed(self) -> bool:
        return bool(self.packages or self.sources or self.sysroot)

    def __str__(self) -> str:
        return ", ".join(filter(None, [
            f"install {len(self.packages)} Debian packages (a few minutes)" if self.packages else "",
            f"fetch and unpack {len(self.sources)} source packages (at most 170 MB, a minute)" if self.sources else "",
            "build the target's C and C++ library (a minute or two)" if self.sysroot else ""]))


def _set_up(work: _Work) -> None:
    say(f"setting up: {work}")
    paths.THIRD_PARTY.mkdir(exist_ok=True)
    free = shutil.disk_usage(paths.THIRD_PARTY).free
    if free < _NEED_BYTES:
        raise CommandError(f"only {free >> 20} MB are free on the disk of this tree",
                           "free about 2 GB and run ./capos setup again")
    if work.packages:
        packages.install(work.packages)
    installed = packages.installed(list(work.pins.packages))
    still_missing = [name for name in work.pins.packages if name not in installed]
    if still_missing:
        raise CommandError(f"these packages are still not installed: {' '.join(still_missing)}",
                           "the log of the installation is out/log/setup-apt-install.log")
    for name, version in work.pins.packages.items():
        if installed[name] != version:
            say(f"  note: {name} is {installed[name]}; this tree was tested with {version}")
    if work.sources:
        sources.fetch_and_unpack(work.pins, work.sources)
    stamp = sysroot.digest(work.pins, installed["clang-19"])
    if not sysroot.ready(stamp):
        sysroot.build(stamp)


def ensure_built(*targets: str, kind: str = "default") -> Path:
    """Sets up, configures and builds `targets` (none: all default targets). The build folder. Errors: CommandError."""
    ensure_setup()
    folder = paths.build_folder(kind)
    with tree_lock("build"):
        _configure(folder, kind)
        run_logged(["ninja", "-C", folder, *targets], f"building {' '.join(targets) or 'everything'}", f"build-{folder.name}",
                   environment={"NINJA_STATUS": "[%f/%t] "},
                   how_to_go_on="mend what the compiler names and run the same command again")
    return folder


def _configure(folder: Path, kind: str) -> None:
    """Once, and anew when what is fixed at that moment changed: Meson itself does not look at machine files again."""
    files = [_TOOLCHAIN / "target.ini", _TOOLCHAIN / "host.ini"]
    wanted = hashlib.sha256(b"\0".join([paths.build_type(kind).encode(), *(file.read_bytes() for file in files)])).hexdigest()
    stamp = folder / ".configuration"
    if (folder / "build.ninja").is_file() and stamp.is_file() and stamp.read_text() == wanted:
        return
    again = ["--wipe"] if (folder / "meson-private/coredata.dat").is_file() else []
    run_logged(["meson", "setup", *again, f"--buildtype={paths.build_type(kind)}", "--cross-file", files[0], "--native-file",
                files[1], folder, paths.ROOT], "configuring the build", f"configure-{folder.name}")
    stamp.write_text(wanted)
