"""./capos bench: sets up and builds when needed, then measures (test/bench)."""

import sys
from pathlib import Path

from imagegen.cli.support.errors import CommandError
from imagegen.cli.support.paths import ROOT
from imagegen.cli.support.process import start, stop
from imagegen.cli.support.workflow import ensure_built

HELP = "measures: figures in guest instructions next to their budgets and to what other systems need"


def add_arguments(parser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="a figure, or the first part of some, such as ipc; none: all")
    parser.add_argument("--peer", choices=("linux",), help="measure Linux too, in the same emulator (about 3 minutes)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")


def run(args) -> int:
    if args.json and not args.json.absolute().parent.is_dir():
        raise CommandError(f"{args.json}: there is no folder to write this file to", "name a file in a folder that exists")
    build = ensure_built("all")
    command = [sys.executable, ROOT / "test/bench/bench.py", "--build", build, *args.names]
    command += ["--json", args.json] if args.json else []
    command += ["--peer", args.peer] if args.peer else []
    child = start(command)
    try:
        return child.wait()
    except BaseException:
        stop(child)
        raise
