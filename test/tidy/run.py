"""Checks the tree against style.md, as far as a program can; the interface of all runners (test/README.md).

Each check is one result, and so is the proof that it finds a planted fault.
"""

import subprocess
import sys
import time
from pathlib import Path

_HERE = Path(__file__).resolve().parent
ROOT = _HERE.parents[1]
sys.path[:0] = [str(_HERE), str(_HERE.parent / "support")]

import code_checks  # noqa: E402, F401
import layout_checks  # noqa: E402, F401
import process_checks  # noqa: E402, F401
import results  # noqa: E402
import tree  # noqa: E402
from check import CHECKS, Check  # noqa: E402
from results import Result  # noqa: E402
from targets import TargetError, Targets  # noqa: E402

_KIND = "tidy"
_SHOWN = 20
_OBJDUMP = "llvm-objdump-19"


def disassembly(build: Path) -> str:
    """Of the kernel. Raises TargetError, and OSError or CalledProcessError when the tool is missing or fails."""
    kernel = Targets(build).file("kernel.elf")
    return subprocess.run([_OBJDUMP, "--disassemble", "--no-show-raw-insn", str(kernel)], check=True, capture_output=True,
                          text=True).stdout


def run_check(check: Check, subject: tree.Tree) -> Result:
    start = time.monotonic()
    found = list(check.find(subject))
    lines = found[:_SHOWN] + ([f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else [])
    return Result(f"tidy: {check.name}", _KIND, "failed" if found else "passed", time.monotonic() - start,
                  results.tags(check.name), "\n".join(lines))


def run_self_test(check: Check) -> Result:
    """The check on its planted fault."""
    found = list(check.find(check.fault))
    return Result(f"tidy finds a fault: {check.name}", _KIND, "passed" if found else "failed", 0.0, results.tags(check.name),
                  "" if found else "the check does not see the fault that is planted for it")


def main() -> int:
    options = results.parser(__doc__).parse_args()
    checks = [check for check in CHECKS if results.selected(f"tidy: {check.name}", results.tags(check.name), options)]
    if options.list:
        collected = [Result(f"{word}: {check.name}", _KIND, "listed", requirements=results.tags(check.name))
                     for check in checks for word in ("tidy", "tidy finds a fault")]
    else:
        try:
            kernel = disassembly(options.build) if any(check.needs_kernel for check in checks) else ""
            subject = tree.Tree(tree.of_repository(ROOT), kernel)
        except (TargetError, OSError, subprocess.CalledProcessError) as error:
            return results.unable(f"the tidy checks cannot run: {error}")
        collected = [result for check in checks for result in (run_check(check, subject), run_self_test(check))]
    for result in collected:
        results.show(result)
    return results.finish(collected, options.json)


if __name__ == "__main__":
    sys.exit(main())
