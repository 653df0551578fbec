"""./capos setup: everything from outside that a build needs. Idempotent; when all is there it only looks."""

import time

from imagegen.cli.support.process import say
from imagegen.cli.support.workflow import ensure_setup

HELP = "installs Debian packages, fetches and verifies sources, builds the target's C and C++ library (5 minutes at first)"


def add_arguments(parser) -> None:
    parser.epilog = ("Everything that is fetched is listed in imagegen/third_party.toml and lands in third_party/, which "
                     "can be deleted.")


def run(args) -> int:
    start = time.monotonic()
    changed = ensure_setup()
    say(f"set-up complete in {time.monotonic() - start:.1f} s" if changed else "everything is set up")
    return 0
