"""Runs the host tests (Catch2) of a build; the interface of all runners (test/README.md).

Each TEST_CASE is one result. A test that takes its whole binary down, as a sanitizer's finding does, is a failed test, and the
rest of its binary still runs.
"""

import dataclasses
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))

import results  # noqa: E402
from results import Result  # noqa: E402
from targets import TargetError, Targets  # noqa: E402

_KIND = "host"
_PREFIX = "catch-"  # of the binaries' names
_SECONDS_MAX = 600  # of one binary
_LINES_SHOWN = 40


@dataclasses.dataclass(frozen=True)
class Case:
    name: str  # as Catch2 knows it
    requirements: tuple[str, ...]

    @property
    def shown(self) -> str:
        return f"{_KIND}: {self.name}"


class BrokenBinary(Exception):
    """A binary that does not do what every test binary does."""


def cases_of(binary: Path) -> list[Case]:
    listed = subprocess.run([binary, "--list-tsv"], capture_output=True, text=True, timeout=60, check=False)
    if listed.returncode != 0 or not listed.stdout:
        raise BrokenBinary(f"{binary.name} lists no tests: {listed.stderr.strip()}")
    found = []
    for line in listed.stdout.splitlines():
        name, _, tags = line.partition("\t")
        found.append(Case(name, tuple(re.findall(r"\[(R\d\d)\]", tags))))
    return found


def run_cases(binary: Path, cases: list[Case]) -> list[Result]:
    """All of `cases`. When one takes the binary down, the others run in a new process."""
    waiting = {case.name: case for case in cases}
    done = []
    while waiting:
        for result, name in run_once(binary, waiting):
            results.show(result)
            done.append(result)
            del waiting[name]
    return done


def run_once(binary: Path, waiting: dict[str, Case]) -> list[tuple[Result, str]]:
    """One process. The results of the tests that it started: at least one."""
    with tempfile.TemporaryDirectory(prefix="capos-host-") as folder:
        names, report = Path(folder) / "names", Path(folder) / "report.xml"
        names.write_text("".join(re.sub(r"([,\\\[])", r"\\\1", name) + "\n" for name in waiting))  # as Catch2 wants patterns
        start = time.monotonic()
        # A test that checks nothing fails too.
        command = [binary, "-r", "xml", "-d", "yes", "-w", "NoAssertions", "-f", names, "-o", report]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        try:
            output, _ = child.communicate(timeout=_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            child.kill()
            output = child.communicate()[0] + f"\nended after {_SECONDS_MAX} s"
        text = report.read_text(errors="replace") if report.exists() else ""
    finished, broken = read_report(text)
    ran = [(outcome(waiting[name], element), name) for name, element in finished if name in waiting]
    if broken is None and not ran:
        broken = next(iter(waiting))  # it never came to a test: the first one takes the blame, the next round goes on
    if broken in waiting and broken not in [name for _, name in ran]:
        message = f"the test ended its process (status {child.returncode})\n{last_words(output)}"
        case = waiting[broken]
        ran.append((Result(case.shown, _KIND, "failed", time.monotonic() - start, list(case.requirements), message), broken))
    return ran


def last_words(output: str) -> str:
    """A sanitizer's report from its first line, or the end of what was printed."""
    lines = output.strip().splitlines()
    reports = [i for i, line in enumerate(lines) if "ERROR: " in line or "runtime error: " in line]
    first = reports[0] if reports else max(len(lines) - _LINES_SHOWN, 0)
    return "\n".join(lines[first:first + _LINES_SHOWN])


def read_report(text: str) -> tuple[list[tuple[str, xml.Element]], str | None]:
    """The finished tests in a report that may end in the middle, and the test that was running then."""
    parser = xml.XMLPullParser(["start", "end"])
    finished, running = [], None
    try:
        parser.feed(text)
        for event, element in parser.read_events():
            if element.tag == "TestCase" and event == "start":
                running = element.get("name")
            elif element.tag == "TestCase":
                finished.append((running, element))
                running = None
    except xml.ParseError:
        pass
    return finished, running


def outcome(case: Case, element: xml.Element) -> Result:
    overall = element.find("OverallResult")
    passed = overall is not None and overall.get("success") == "true"
    seconds = float(overall.get("durationInSeconds", 0)) if overall is not None else 0.0
    message = "" if passed else "\n".join(list(complaints(element))[:_LINES_SHOWN]) or "it checks nothing"
    return Result(case.shown, _KIND, "passed" if passed else "failed", seconds, list(case.requirements), message)


def complaints(element: xml.Element):
    """What went wrong, one line each."""
    for part in element.iter():
        if part.tag == "Expression" and part.get("success") == "false":
            original, expanded = (" ".join((part.findtext(tag) or "").split()) for tag in ("Original", "Expanded"))
            yield f"{part.get('filename')}:{part.get('line')}: {part.get('type')}({original}) became {expanded}"
        elif part.tag in ("Exception", "Failure", "FatalErrorCondition"):
            yield f"{part.get('filename', '')}:{part.get('line', '')}: {part.tag}: {' '.join((part.text or '').split())}"
        elif part.tag == "Info":
            yield f"    with {(part.text or '').strip()}"


def main() -> int:
    options = results.parser(__doc__).parse_args()
    try:
        binaries = Targets(options.build).starting_with(_PREFIX)
        chosen = {binary: [case for case in cases_of(binary) if results.selected(case.shown, list(case.requirements), options)]
                  for binary in binaries}
    except (TargetError, BrokenBinary, OSError, subprocess.TimeoutExpired) as error:
        return results.unable(f"the host tests cannot run: {error}")
    if not binaries:
        return results.unable("the host tests cannot run: the build has no test binaries")
    collected = []
    for binary, cases in chosen.items():
        if options.list:
            collected += [Result(case.shown, _KIND, "listed", requirements=list(case.requirements)) for case in cases]
        elif cases:
            collected += run_cases(binary, cases)
    if options.list:
        for result in collected:
            results.show(result)
    return results.finish(collected, options.json)


if __name__ == "__main__":
    sys.exit(main())
