"""What the fuzz verb and the corpus runner share: the targets, their seeds, replay, and what a set of inputs reaches.

A target is fuzz/NAME.cc; the build makes fuzz-NAME (sanitizers) and coverage-NAME (source coverage) of it. Its regression
corpus is fuzz/corpus/NAME: small files, each of which once found something or reaches lines that no other does.
"""

import dataclasses
import json
import os
import subprocess
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent
PROGRAM, COVERAGE_PROGRAM = "fuzz-", "coverage-"
PROFDATA, COV = "llvm-profdata-19", "llvm-cov-19"
_NOT_UNDER_TEST = r"(^/usr/|/fuzz/[^/]+\.cc$|/fuzz/support/|/test/(host|sim|codegen)/)"
_SECONDS_MAX = 600


class FuzzError(Exception):
    """A program or tool did not do its work."""


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.cc"))


def description(name: str) -> str:
    """The first line of the target's source says what it is about."""
    with open(FOLDER / f"{name}.cc", encoding="utf-8") as source:
        return source.readline().removeprefix("//").strip()


def corpus(name: str) -> list[Path]:
    folder = FOLDER / "corpus" / name
    return sorted(path for path in folder.glob("*") if path.is_file()) if folder.is_dir() else []


def write_seeds(program: Path, folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    _run([program, f"--write-seeds={folder}"])
    return sorted(folder.glob("seed-*"))


def replay(program: Path, inputs: list[Path]) -> str:
    """Runs each input once. What was found, or nothing."""
    done = subprocess.run([program, *inputs], capture_output=True, text=True, errors="replace", check=False,
                          timeout=_SECONDS_MAX)
    return "" if done.returncode == 0 else f"status {done.returncode}\n{done.stderr.strip()}"


def first_finding(program: Path, inputs: list[Path]) -> tuple[Path, str] | None:
    """The first of the inputs that finds something, and what."""
    if not replay(program, inputs):
        return None
    for path in inputs:
        if found := replay(program, [path]):
            return path, found
    raise FuzzError(f"{program.name} fails on all inputs together, but on none of them alone")


@dataclasses.dataclass(frozen=True)
class FileCoverage:
    path: str
    lines: int
    missing: tuple[int, ...]

    @property
    def percent(self) -> float:
        return 100.0 * (self.lines - len(self.missing)) / self.lines if self.lines else 100.0


def coverage(program: Path, inputs: list[Path], root: Path) -> list[FileCoverage]:
    """Lines of the code under test that the inputs reach, by file. `program` is the coverage-NAME of a target."""
    with tempfile.TemporaryDirectory(prefix="capos-coverage-") as folder:
        raw, profile = Path(folder) / "raw", Path(folder) / "profile"
        _run([program, *inputs], LLVM_PROFILE_FILE=str(raw))
        _run([PROFDATA, "merge", "-sparse", raw, "-o", profile])
        exported = json.loads(_run([COV, "export", "-format=text", f"-instr-profile={profile}",
                                    f"-ignore-filename-regex={_NOT_UNDER_TEST}", program]))
    return [_file_coverage(file, root) for file in exported["data"][0]["files"]]


def _file_coverage(file: dict, root: Path) -> FileCoverage:
    path = Path(file["filename"]).resolve()
    counts = _line_counts(file["segments"])
    return FileCoverage(str(path.relative_to(root) if path.is_relative_to(root) else path), len(counts),
                        tuple(line for line, count in sorted(counts.items()) if count == 0))


def _line_counts(segments: list[list]) -> dict[int, int]:
    """Execution count of each line with code, as llvm-cov counts lines.

    A segment is (line, column, count, has count, is region entry, is gap) and holds up to the next one; a line's count is the
    greatest of the segment that it starts in and of the regions that are entered on it.
    """
    by_line: dict[int, list[list]] = {}
    for segment in segments:
        by_line.setdefault(segment[0], []).append(segment)
    counts: dict[int, int] = {}
    wrapped = None
    for line in range(min(by_line, default=0), max(by_line, default=-1) + 1):
        here = by_line.get(line, [])
        entries = [s for s in here if s[3] and s[4] and not s[5]]
        starts_skipped = bool(here) and not here[0][3] and here[0][4]
        if not starts_skipped and ((wrapped is not None and wrapped[3]) or entries):
            candidates = [s[2] for s in entries] + ([wrapped[2]] if wrapped is not None and wrapped[3] else [])
            counts[line] = max(candidates)
        if here:
            wrapped = here[-1]
    return counts


def ranges(lines: tuple[int, ...]) -> str:
    """Line numbers for people: 3-5, 9."""
    runs: list[list[int]] = []
    for line in lines:
        if runs and line == runs[-1][1] + 1:
            runs[-1][1] = line
        else:
            runs.append([line, line])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def _run(command: list, **environment: str) -> str:
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, errors="replace", check=False,
                              env={**os.environ, **environment}, timeout=_SECONDS_MAX)
    except FileNotFoundError as error:
        raise FuzzError(f"the program {command[0]} is missing: run ./capos setup") from error
    if done.returncode != 0:
        raise FuzzError(f"{Path(command[0]).name} ended with status {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout
