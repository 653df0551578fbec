"""Runs the QEMU scenarios of scenarios/; the interface of all runners (test/README.md), and a few options of its own.

Every guest boots the ISO that users boot. Transcripts with time stamps stay in out/test/.
"""

import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

_HERE = Path(__file__).resolve().parent
ROOT = _HERE.parents[1]
sys.path[:0] = [str(_HERE), str(_HERE.parent / "support"), str(ROOT)]

import emulator  # noqa: E402
import results  # noqa: E402
import scenario  # noqa: E402
from guest import Guest, Outcome  # noqa: E402
from image import ImageError, ImageMaker  # noqa: E402
from imagegen.cli.support.errors import CommandError  # noqa: E402
from imagegen.iso.iso import make_iso  # noqa: E402
from results import Result  # noqa: E402
from schedule import run_packed  # noqa: E402
from targets import TargetError, Targets  # noqa: E402

_SHOWN_LINES, _SHOWN_BEFORE_CHECK = 30, 8
_KIND = "system"


def options_parser():
    parser = results.parser(__doc__)
    parser.add_argument("--cpus", type=int, metavar="N", help="only guests with N CPUs")
    parser.add_argument("--tier", choices=scenario.TIERS, default="ci", help="how much to run (default: ci)")
    parser.add_argument("--seed", type=int, default=1, help="of all that is drawn by lot")
    parser.add_argument("--qemu", default="qemu-system-x86_64", metavar="PROGRAM", help="the emulator")
    parser.add_argument("--scenarios", type=Path, default=_HERE / "scenarios", metavar="DIR", help="the scenario files")
    parser.add_argument("--output", type=Path, default=ROOT / "out" / "test", metavar="DIR", help="for transcripts and images")
    return parser


def load_all(folder: Path) -> tuple[list[scenario.Case], list[Result]]:
    """All cases, and a failure for each file that holds no valid scenario."""
    cases, broken = [], []
    for path in sorted(folder.glob("*.toml")):
        try:
            cases += scenario.load(path)
        except scenario.ScenarioError as error:
            broken.append(Result(f"scenario file {path.name}", _KIND, "failed", message=str(error)))
    return cases, broken


def wanted(case: scenario.Case, options) -> bool:
    if options.cpus is not None and case.cpus != options.cpus:
        return False
    if options.filter and options.filter.startswith(case.name):  # the name of one of its checks
        return case.in_tier(options.tier)
    return case.in_tier(options.tier) and results.selected(case.name, list(case.requirements), options)


class Runner:
    def __init__(self, options, maker: ImageMaker, folder: Path):
        self._options = options
        self._maker = maker
        self._folder = folder  # for what one run needs and nobody keeps
        self.stop = threading.Event()

    def run(self, case: scenario.Case) -> list[Result]:
        start = time.monotonic()
        try:
            iso = self._maker.image(case)
        except (ImageError, TargetError) as error:
            return [self._result(case, str(error), time.monotonic() - start)]
        command = emulator.command(case, iso, self._folder, self._options.qemu)
        outcome = Guest(case, command, self._options.output / f"{case.name}.log", self.stop, self._folder / case.name).run()
        checks = [] if case.canary else self._checks(case, outcome)
        if case.canary:
            failure = None if _failed(outcome) else "a scenario that must fail has passed: the harness sees no failures"
        else:
            failure = outcome.failure
        return [self._result(case, failure, time.monotonic() - start, outcome)] + checks

    def _result(self, case: scenario.Case, failure: str | None, seconds: float, outcome: Outcome | None = None) -> Result:
        lines = outcome.lines[-_SHOWN_LINES:] if outcome else []
        message = "" if failure is None else self._explain(case, failure, lines)
        return Result(case.name, _KIND, "failed" if failure else "passed", seconds, list(case.requirements), message)

    def _checks(self, case: scenario.Case, outcome: Outcome) -> list[Result]:
        return [
            Result(f"{case.name} {check.name}", _KIND, "passed" if check.passed else "failed", 0.0,
                   results.tags(check.name) or list(case.requirements),
                   "" if check.passed else self._explain(case, check.reason, outcome.lines[:check.line][-_SHOWN_BEFORE_CHECK:]))
            for check in outcome.judge.checks
        ]

    def _explain(self, case: scenario.Case, failure: str, transcript: list[tuple[float, str]]) -> str:
        lines = [failure] + [f"| {stamp:8.3f} {text}" for stamp, text in transcript]
        if transcript:
            lines.append(f"whole transcript: {self._options.output / case.name}.log")
        seed = self._options.seed
        lines.append(f"again, with seed {seed}: ./capos test --system --tier {case.tier} --seed {seed} --filter '{case.name}'")
        return "\n".join(lines)


def _failed(outcome: Outcome) -> bool:
    return outcome.failure is not None or any(not check.passed for check in outcome.judge.checks)


def run_cases(cases: list[scenario.Case], options) -> list[Result]:
    images = options.output / "images"
    images.mkdir(parents=True, exist_ok=True)
    maker = ImageMaker(Targets(options.build), images, options.build, options.seed, make_iso)
    maker.forget_old()
    collected = []
    with tempfile.TemporaryDirectory(prefix="capos-test-") as folder:
        runner = Runner(options, maker, Path(folder))
        for batch in run_packed(cases, lambda case: case.cpus, runner.run, runner.stop):
            for result in batch:
                results.show(result)
            collected += batch
    return collected


def main() -> int:
    options = options_parser().parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(130))
    cases, collected = load_all(options.scenarios)
    cases = [case for case in cases if wanted(case, options)]
    if options.list:
        collected += [Result(case.name, _KIND, "listed", requirements=list(case.requirements)) for case in cases]
        for result in collected:
            results.show(result)
        return results.finish(collected, options.json)
    if shutil.which(options.qemu) is None:
        return results.unable(f"{options.qemu} is not installed; ./capos setup installs it")
    for result in collected:
        results.show(result)
    if not cases and not collected:
        if options.filter or options.requirement or options.cpus:
            return results.finish([], options.json)
        return results.unable(f"no scenario in {options.scenarios}")
    try:
        collected += run_cases(cases, options)
    except (TargetError, CommandError) as error:
        return results.unable(str(error))
    return results.finish(collected, options.json)


if __name__ == "__main__":
    sys.exit(main())
