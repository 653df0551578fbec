"""Runs random programs on the simulated machine; the interface of all runners (test/README.md), and --tier and --seed.

One result for each number of CPUs. A failure names the seed and the step, and the command that does it again.
"""

import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))

import results  # noqa: E402
from results import Result  # noqa: E402
from targets import TargetError, Targets  # noqa: E402

_KIND = "sim"
_PROGRAM = "sim"
_CPUS = (1, 2, 3, 4)
_REQUIREMENTS = ["R11", "R15", "R17", "R33"]
# Seeds for each number of CPUs, steps of each, and how many steps lie between two looks at all invariants.
_TIERS = {"commit": (10, 500, 4), "ci": (50, 2_000, 4), "nightly": (250, 10_000, 8)}
_SECONDS_MAX = 3 * 3600


def run_seeds(program: Path, cpus: int, first: int, tier: str) -> Result:
    seeds, steps, every = _TIERS[tier]
    name = f"{_KIND}: random programs on {cpus} CPUs keep every invariant [R11][R15][R17][R33]"
    command = [program, "--seeds", f"{first}..{first + seeds - 1}", "--steps", steps, "--cpus", cpus, "--check-every", every]
    start = time.monotonic()
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, errors="replace",
                          timeout=_SECONDS_MAX,
                          check=False)
    result = Result(name, _KIND, "passed" if done.returncode == 0 else "failed", time.monotonic() - start, list(_REQUIREMENTS))
    if done.returncode != 0:
        result.message = f"{done.stdout}{done.stderr}\nagain: {program.name} --seed S --steps N --cpus K --until STEP --trace"
    return result


def main() -> int:
    parser = results.parser(__doc__)
    parser.add_argument("--tier", choices=list(_TIERS), default="ci", help="how much to run (default: ci)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="the first seed")
    options = parser.parse_args()
    collected = []
    try:
        program = None if options.list else Targets(options.build).file(_PROGRAM)
        for cpus in _CPUS:
            listed = Result(f"{_KIND}: random programs on {cpus} CPUs keep every invariant [R11][R15][R17][R33]", _KIND,
                            "listed",
                            requirements=list(_REQUIREMENTS))
            if not results.selected(listed.name, _REQUIREMENTS, options):
                continue
            result = listed if program is None else run_seeds(program, cpus, options.seed, options.tier)
            results.show(result)
            collected.append(result)
    except (TargetError, OSError, subprocess.TimeoutExpired) as error:
        return results.unable(f"the simulations cannot run: {error}")
    return results.finish(collected, options.json)


if __name__ == "__main__":
    sys.exit(main())
