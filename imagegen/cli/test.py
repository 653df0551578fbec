"""./capos test: sets up and builds when needed, runs the runners of all kinds of tests (test/README.md), and adds up.

The last line of the output is always `N passed, N failed, N skipped`. No tests at all is a failure, and so is a runner that
could not do its work, or a tier that takes a quarter longer than its budget.
"""

import dataclasses
import json
import sys
import tempfile
import time
from pathlib import Path

from imagegen.cli.support.errors import CommandError
from imagegen.cli.support.paths import ROOT
from imagegen.cli.support.process import say, start, stop
from imagegen.cli.support.workflow import ensure_built

HELP = "runs the tests: all of them, or some kinds, one requirement, or what has a text in its name"


@dataclasses.dataclass(frozen=True)
class _Group:
    """One kind of tests: its option, its runner, and the build targets that it needs."""

    name: str
    runner: str
    what: str
    targets: tuple[str, ...] = ()


_GROUPS = (
    _Group("tidy", "test/tidy/run.py", "checks of the sources against style.md", ("microkernel/kernel.elf",)),
    _Group("host", "test/host/run.py", "unit tests of all pure parts, with sanitizers", ("host-tests", "sim-tests")),
    _Group("sim", "test/sim/run.py", "random programs on the simulated machine", ("sim-tests",)),
    _Group("fuzz-corpus", "fuzz/run.py", "the seeds and known findings of the fuzz targets", ("fuzz-tests",)),
    _Group("cli", "test/cli/run.py", "./capos itself"),
    _Group("harness", "test/system/selftest/run.py", "the QEMU harness itself, with a fake emulator"),
    _Group("system", "test/system/run.py", "the system in QEMU, booted from its ISO", ("all",)),
)
_TIERS = {"commit": 3, "ci": 14, "nightly": 150}  # minutes, without set-up and build
_OVERRUN = 1.25


def add_arguments(parser) -> None:
    kinds = parser.add_argument_group("kinds of tests (none named: all)")
    for group in _GROUPS:
        kinds.add_argument(f"--{group.name}", dest="groups", action="append_const", const=group.name, help=group.what)
    parser.add_argument("--requirement", metavar="Rnn", help="only tests of this row of the requirements")
    parser.add_argument("--filter", metavar="TEXT", help="only tests with this text in their name")
    parser.add_argument("--cpus", type=int, metavar="N", help="only systems with N CPUs")
    parser.add_argument("--tier", choices=list(_TIERS), default="ci", help="how much to run; the default is ci")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of all that is drawn by lot; a failure names its own")
    parser.add_argument("--list", action="store_true", help="name the tests instead of running them")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")


def run(args) -> int:
    groups = [group for group in _GROUPS if _selected(group, args)]
    if args.json and not args.json.absolute().parent.is_dir():
        raise CommandError(f"{args.json}: there is no folder to write this file to", "name a file in a folder that exists")
    targets = sorted({target for group in groups for target in group.targets})
    build = ensure_built(*targets) if targets else ensure_built("build.ninja")
    begin = time.monotonic()
    tests, seconds = [], {}
    for group in groups:
        group_begin = time.monotonic()
        tests += _run_group(group, build, args)
        seconds[group.name] = time.monotonic() - group_begin
    if args.list:
        return _end_of_list(tests)
    tests += _budget(args.tier, time.monotonic() - begin)
    _summary(tests, seconds, args)
    counts = {result: sum(test["result"] == result for test in tests) for result in ("passed", "failed", "skipped")}
    if args.json:
        args.json.write_text(json.dumps({**counts, "tests": tests}, indent=1) + "\n")
    if not tests:
        say("no test was selected: see ./capos test --list")
    print(", ".join(f"{count} {result}" for result, count in counts.items()), flush=True)
    return 0 if counts["passed"] and not counts["failed"] else 1


def _selected(group: _Group, args) -> bool:
    if args.groups:
        return group.name in args.groups
    return group.name == "system" or args.cpus is None


def _run_group(group: _Group, build: Path, args) -> list[dict]:
    """The results of one runner, which shows them itself as they come."""
    print(f"--- {group.name}: {group.what}", flush=True)
    with tempfile.TemporaryDirectory(prefix="capos-test-") as folder:
        report = Path(folder) / "results.json"
        command = [sys.executable, ROOT / group.runner, "--build", build, "--json", report, *_options(group, args)]
        child = start(command, cwd=ROOT)
        try:
            status = child.wait()
        except BaseException:
            stop(child)
            raise
        try:
            tests = json.loads(report.read_text())
        except (OSError, ValueError):
            tests = None
    failed = tests is not None and any(test["result"] == "failed" for test in tests)
    if tests is None or status not in (0, 1) or (status == 1) != failed:
        broken = _result(f"{group.name}: the runner does its work", f"{group.runner} ended with status {status}")
        tests = [*(tests or []), broken]
    for test in tests:
        test["group"] = group.name
    return tests


def _options(group: _Group, args) -> list[str]:
    options = []
    for name in ("filter", "requirement"):
        if value := getattr(args, name):
            options += [f"--{name}", value]
    if args.list:
        options.append("--list")
    if group.name in ("sim", "system"):
        options += ["--tier", args.tier, "--seed", str(args.seed)]
    if group.name == "system":
        options += ["--cpus", str(args.cpus)] if args.cpus is not None else []
    return options


def _result(name: str, message: str) -> dict:
    """A failure of this command's own."""
    return {"name": name, "requirements": [], "kind": "runner", "result": "failed", "seconds": 0.0, "message": message,
            "group": ""}


def _budget(tier: str, seconds: float) -> list[dict]:
    minutes = _TIERS[tier]
    if seconds <= minutes * 60 * _OVERRUN:
        return []
    return [_result(f"tier {tier} takes at most {minutes} minutes", f"it took {seconds / 60:.1f} minutes")]


def _end_of_list(tests: list[dict]) -> int:
    failed = [test for test in tests if test["result"] == "failed"]
    for test in failed:
        say(f"FAILED  {test['name']}: {test['message']}")
    print(f"{len(tests) - len(failed)} tests", flush=True)
    return 0 if tests and not failed else 1


def _summary(tests: list[dict], seconds: dict[str, float], args) -> None:
    failed = [test for test in tests if test["result"] == "failed"]
    print("---")
    for test in failed:
        first_line = test.get("message", "").partition("\n")[0]
        print(f"FAILED  {test['name']}: {first_line}")
        if test["group"]:
            quoted = test["name"].replace("'", "'\\''")
            lot = f" --tier {args.tier} --seed {args.seed}" if test["group"] == "system" else ""
            print(f"        again: ./capos test --{test['group']}{lot} --filter '{quoted}'")
    for name, taken in seconds.items():
        count = sum(test["group"] == name for test in tests)
        print(f"{taken:7.1f} s  {name}: {count} tests")
