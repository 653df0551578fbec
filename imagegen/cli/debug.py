"""./capos debug: gdb with the kernel's symbols, on a system that ./capos run started."""

import os
import socket
from pathlib import Path

from imagegen.cli.run import RUNNING
from imagegen.cli.support import paths
from imagegen.cli.support.errors import CommandError
from imagegen.cli.support.image import KERNEL
from imagegen.cli.support.process import say, start
from imagegen.cli.support.workflow import ensure_built

HELP = "opens gdb with symbols on the system that ./capos run started, running or waiting (--gdb)"


def add_arguments(parser) -> None:
    parser.add_argument("--port", type=int, metavar="PORT", help="a system started with ./capos run --gdb PORT")
    parser.add_argument("--batch", action="store_true", help="run the commands and leave")
    parser.add_argument("--command", action="append", default=[], metavar="TEXT",
                        help="a gdb command to run first; may be repeated")


def run(args) -> int:
    target = f"127.0.0.1:{args.port}" if args.port else _newest()
    kernel = ensure_built(KERNEL) / KERNEL
    commands = ["set confirm off", f"directory {paths.ROOT}", "set architecture i386:x86-64",
                f"target remote {target}", *args.command]
    words = ["gdb", "-q", "-nx", *(["-batch"] if args.batch else [])]
    for text in commands:
        words += ["-ex", text]
    say(f"the kernel stops while gdb is attached; quit or detach lets it run on ({target})")
    child = start([*words, kernel], cwd=paths.ROOT)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            # Ctrl-C is gdb's while it runs: it stops the machine.
            continue


def _newest() -> str:
    """The socket of the machine started last, as a path relative to the root of the tree: socket names are short."""
    sockets = sorted(RUNNING.glob("*/gdb"), key=lambda file: file.stat().st_mtime, reverse=True) if RUNNING.is_dir() else []
    for file in sockets:
        if _answers(file):
            return str(file.relative_to(paths.ROOT))
    raise CommandError("no system of this tree is running",
                       "start one in another terminal: ./capos run, or ./capos run --gdb, which waits at its first instruction")


def _answers(file: Path) -> bool:
    """A machine that was killed leaves its socket behind."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(os.path.relpath(file))
        except OSError:
            return False
    return True
