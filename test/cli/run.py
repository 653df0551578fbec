"""Runs the tests of ./capos itself; the interface of all runners (test/README.md)."""

import signal
import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(_HERE.parent / "support"), str(_HERE)]

import results  # noqa: E402
import unittests  # noqa: E402


def main() -> int:
    options = results.parser(__doc__).parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job is born deaf to it, and its children
    return results.finish(unittests.run(_HERE, "cli", options), options.json)


if __name__ == "__main__":
    sys.exit(main())
