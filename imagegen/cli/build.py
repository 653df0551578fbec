"""./capos build: sets up when needed, configures once, and lets ninja do what changed."""

import time

from imagegen.cli.support.paths import ROOT
from imagegen.cli.support.process import say
from imagegen.cli.support.workflow import ensure_built

HELP = "builds the system, host tools and tests, or one target; only what changed"


def add_arguments(parser) -> None:
    parser.add_argument("target", nargs="*", help="a ninja target, such as microkernel/kernel.elf; none means everything")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--debug", dest="kind", action="store_const", const="debug", help="without optimisation, in build-debug/")
    kind.add_argument("--release", dest="kind", action="store_const", const="release",
                      help="fully optimised, in build-release/")
    parser.set_defaults(kind="default")


def run(args) -> int:
    start = time.monotonic()
    folder = ensure_built(*args.target, kind=args.kind)
    say(f"built in {time.monotonic() - start:.1f} s, in {folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder}")
    return 0
