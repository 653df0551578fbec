"""Linux doing the same work in the same emulator: a Debian kernel, and a C program of ours as its first process.

The kernel package is fetched when it is first needed, into third_party/downloads, and used only with the SHA-256 that
imagegen/third_party.toml names. It is never installed.
"""

import hashlib
import io
import subprocess
import tarfile
import tempfile
import threading
import tomllib
from pathlib import Path

import figures
import scenario
from emulator import MEASURED
from guest import Guest
from imagegen.cli.support import paths
from imagegen.cli.support.errors import CommandError
from imagegen.cli.support.process import run_logged

_SOURCES = Path(__file__).resolve().parent / "linux"
_MUSL = Path("/usr/lib/x86_64-linux-musl")
_COMPILE = ["clang-19", "--target=x86_64-linux-musl", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-nostdlib",
            "-fuse-ld=lld"]
_HEADERS = ["-std=c17", "-nostdinc", "-isystem", "/usr/lib/llvm-19/lib/clang/19/include", "-isystem",
            "/usr/include/x86_64-linux-musl", "-idirafter", "/usr/include", "-idirafter", "/usr/include/x86_64-linux-gnu"]
_FOLDER, _PROGRAM, _CHARACTER_DEVICE = 0o040755, 0o100755, 0o020600  # file modes


def measure(qemu: str, output: Path) -> dict[str, float]:
    """Row of bench.c -> instructions. Errors: CommandError."""
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="capos-linux-") as name:
        folder = Path(name)
        kernel = _kernel(folder)
        initial = _initial_file_system(folder)
        case, = scenario.load(_SOURCES / "run.toml")
        command = [qemu, "-accel", "tcg", "-machine", "q35", "-m", str(case.memory), "-nodefaults", "-display", "none",
                   "-no-reboot", "-serial", "stdio", "-kernel", str(kernel), "-initrd", str(initial),
                   "-append", "console=ttyS0 quiet", *MEASURED]
        outcome = Guest(case, command, output / f"{case.name}.log", threading.Event()).run()
    if outcome.failure:
        raise CommandError(f"the Linux run failed: {outcome.failure}", f"its transcript is {output / case.name}.log")
    rows = {value.name: value.p50 for value in figures.read([text for _, text in outcome.lines])}
    calibration = rows.pop("calibration", 0.0)
    if abs(calibration - 1000) > 5:
        raise CommandError(f"a thousand instructions took {calibration} ticks: these figures are not instructions",
                           "use the QEMU that ./capos setup installs")
    return rows


def _kernel(folder: Path) -> Path:
    archive = subprocess.run(["dpkg-deb", "--fsys-tarfile", _package()], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        image = next(entry for entry in files.getmembers() if Path(entry.name).name.startswith("vmlinuz-"))
        kernel = folder / "vmlinuz"
        kernel.write_bytes(files.extractfile(image).read())
    return kernel


def _package() -> Path:
    """The kernel's package, with the right checksum. Errors: CommandError."""
    pin = tomllib.loads((paths.ROOT / "imagegen/third_party.toml").read_text())["peer"]["linux"]
    kept = paths.THIRD_PARTY / "downloads" / f"{pin['package']}_{pin['version']}.deb"
    if not kept.is_file() or _digest(kept) != pin["sha256"]:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            run_logged(["apt-get", "download", f"{pin['package']}={pin['version']}"],
                       "fetching the Linux kernel to compare with", "bench-linux", cwd=Path(folder), expected="27 MB",
                       how_to_go_on="run apt-get update, and where Debian has moved on, renew the pin in third_party.toml")
            file, = Path(folder).glob("*.deb")
            if (found := _digest(file)) != pin["sha256"]:
                raise CommandError(f"{file.name} has SHA-256 {found}, wanted is {pin['sha256']}", "it was deleted; try again")
            file.rename(kept)
    return kept


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _initial_file_system(folder: Path) -> Path:
    init, tiny, result = folder / "init", folder / "tiny", folder / "initial.cpio"
    start = [_MUSL / "crt1.o", _MUSL / "crti.o"]
    run_logged([*_COMPILE, *_HEADERS, *start, _SOURCES / "bench.c", _MUSL / "libc.a", _MUSL / "crtn.o", "-o", init],
               "compiling the Linux program", "bench-linux-compile", quiet=True)
    run_logged([*_COMPILE, _SOURCES / "tiny.S", "-o", tiny], "compiling the small program", "bench-linux-tiny", quiet=True)
    entries = [("dev", _FOLDER, b"", 0, 0), ("dev/console", _CHARACTER_DEVICE, b"", 5, 1),
               ("init", _PROGRAM, init.read_bytes(), 0, 0), ("tiny", _PROGRAM, tiny.read_bytes(), 0, 0),
               ("TRAILER!!!", 0, b"", 0, 0)]
    result.write_bytes(b"".join(_entry(inode, *entry) for inode, entry in enumerate(entries, 1)))
    return result


def _entry(inode: int, name: str, mode: int, data: bytes, major: int, minor: int) -> bytes:
    """One file of a cpio archive in the new ASCII format, as Linux's documentation "initramfs buffer format" describes it."""
    path = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(path), 0)
    return _padded(b"070701" + b"".join(b"%08X" % field for field in fields) + path) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
