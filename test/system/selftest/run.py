"""Runs the tests of the harness and of the benchmark themselves; the interface of all runners (test/README.md)."""

import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(_HERE.parents[1] / "support"), str(_HERE.parent)]

import results  # noqa: E402
import unittests  # noqa: E402


def main() -> int:
    options = results.parser(__doc__).parse_args()
    collected = [result for folder in (_HERE, _HERE.parents[1] / "bench" / "selftest")
                 for result in unittests.run(folder, "harness", options)]
    return results.finish(collected, options.json)


if __name__ == "__main__":
    sys.exit(main())
