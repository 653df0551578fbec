"""./capos run: boots the system in QEMU, with its console on this terminal.

Each running machine has a folder out/run/PROCESS with its firmware variables and the socket of QEMU's debugger port, through
which ./capos debug finds it; the folder goes when the machine ends.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from imagegen.cli.support import paths, script
from imagegen.cli.support.errors import CommandError
from imagegen.cli.support.image import system_iso, targets
from imagegen.cli.support.process import say, start, stop
from imagegen.cli.support.workflow import ensure_built
from imagegen.machine.qemu import Disk, Machine, command

HELP = "boots the system in QEMU with the console on this terminal; sets up and builds what is needed"
RUNNING = paths.OUT / "run"
_TIMED_OUT = 124


def add_arguments(parser) -> None:
    machine = parser.add_argument_group("machine")
    machine.add_argument("--uefi", action="store_true", help="UEFI firmware instead of BIOS")
    machine.add_argument("--cpus", type=_number(1, 255), default=2, metavar="N", help="default: 2")
    machine.add_argument("--memory", type=_number(16, 1 << 20), default=512, metavar="MIB", help="default: 512")
    machine.add_argument("--no-iommu", action="store_true", help="a machine without an IOMMU")
    machine.add_argument("--disk", type=_disk, action="append", default=[], metavar="FILE[,nvme|virtio]",
                         help="attach a raw disk image; may be repeated")
    machine.add_argument("--arguments", default="", metavar="TEXT", help='for the kernel, for example "log=debug"')
    parser.add_argument("--script", type=Path, metavar="FILE",
                        help="type the file's lines at the prompt, print what they print, and exit with the last one's status")
    parser.add_argument("--timeout", type=float, metavar="S",
                        help=f"end the machine after S seconds, with exit status {_TIMED_OUT}")
    parser.add_argument("--gdb", type=_number(0, 65535), nargs="?", const=0, metavar="PORT",
                        help="wait at the first instruction for ./capos debug, or a debugger on TCP port PORT")


def run(args) -> int:
    for disk in args.disk:
        if not disk.file.is_file():
            raise CommandError(f"there is no disk image {disk.file}",
                               "make one, for example: truncate -s 1G " + str(disk.file))
    lines = None
    if args.script:
        try:
            lines = script.lines_of(args.script.read_text())
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{args.script} cannot be read: {error}",
                               "name a text file with a command on each line") from error
    if args.gdb:
        _check_port(args.gdb)
    build = ensure_built(*targets())
    folder = _own_folder()
    try:
        iso = system_iso(build, folder / "capos.iso", args.arguments)
        machine = Machine(iso, args.cpus, args.memory, args.uefi, not args.no_iommu, tuple(args.disk))
        words = command(machine, folder) + _debugger(args.gdb, folder)
        return _start(words + _console(), args) if lines is None else _start_script(words, lines, args)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _own_folder() -> Path:
    """Folders of machines that were killed are removed by the next one."""
    for old in RUNNING.iterdir() if RUNNING.is_dir() else []:
        if not Path("/proc", old.name).exists():
            shutil.rmtree(old, ignore_errors=True)
    folder = RUNNING / str(os.getpid())
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _start(words: list[str], args) -> int:
    ends = "Ctrl-A x or Ctrl-C ends it" if sys.stdin.isatty() else "Ctrl-C ends it"
    say(f"booting with {args.cpus} CPUs and {args.memory} MiB on {'UEFI' if args.uefi else 'BIOS'}; {ends}")
    if args.gdb is not None:
        how = f"gdb -ex 'target remote :{args.gdb}'" if args.gdb else "run ./capos debug in another terminal"
        say(f"the machine waits: {how}")
    child = start(words, cwd=paths.ROOT)
    try:
        status = child.wait(args.timeout)
    except subprocess.TimeoutExpired:
        stop(child)
        say(f"\nended after {args.timeout:g} s")
        return _TIMED_OUT
    except BaseException:
        stop(child)
        raise
    if status != 0:
        raise CommandError(f"QEMU ended with status {status}", "the lines above are what it said")
    return 0


def _start_script(words: list[str], lines: list[str], args) -> int:
    say(f"booting with {args.cpus} CPUs and {args.memory} MiB; {len(lines)} lines of {args.script}")
    child = start(words + ["-serial", "stdio"], cwd=paths.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    deadline = time.monotonic() + args.timeout if args.timeout else float("inf")
    console = script.Console(child.stdin.fileno(), child.stdout.fileno(), deadline)
    try:
        return script.run_script(console, lines, args.timeout)
    except script.Ended as ended:
        if ended.timed_out:
            say(f"\nended after {args.timeout:g} s")
            return _TIMED_OUT
        # A script may end with `poweroff`.
        status = child.wait()
        if status != 0:
            raise CommandError(f"QEMU ended with status {status}", "the lines above are what it said") from ended
        return 0
    finally:
        stop(child)


def _console() -> list[str]:
    """On a terminal, Ctrl-A commands of QEMU work, and Ctrl-C ends it; the system reads every other key."""
    multiplexed = "on" if sys.stdin.isatty() else "off"
    words = ["-chardev", f"stdio,id=console,mux={multiplexed},signal=on", "-serial", "chardev:console"]
    return words + (["-mon", "chardev=console,mode=readline"] if sys.stdin.isatty() else [])


def _debugger(port: int | None, folder: Path) -> list[str]:
    address = f"tcp:127.0.0.1:{port}" if port else f"unix:{folder.relative_to(paths.ROOT)}/gdb,server=on,wait=off"
    return ["-gdb", address] + ([] if port is None else ["-S"])


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CommandError(f"TCP port {port} cannot be used: {error.strerror}",
                               f"choose another (--gdb {port + 1 if port < 65535 else 1234}), or leave the number out and use "
                               "./capos debug") from error


def _number(low: int, high: int):
    def parse(text: str) -> int:
        value = int(text) if text.isascii() and text.isdigit() else -1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low} to {high}")
        return value
    return parse


def _disk(text: str) -> Disk:
    name, _, kind = text.partition(",")
    if not name or kind not in ("", "nvme", "virtio"):
        raise argparse.ArgumentTypeError(f"{text!r}: FILE, FILE,nvme or FILE,virtio is wanted")
    return Disk(Path(name).absolute(), kind or "nvme")
