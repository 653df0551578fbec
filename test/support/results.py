"""What a runner of tests reports: one line on the terminal and one record in the JSON file for each test."""

import argparse
import dataclasses
import json
import re
import sys
from pathlib import Path

_TAG = re.compile(r"\[(R\d\d)\]")


@dataclasses.dataclass
class Result:
    name: str
    kind: str
    result: str  # passed, failed, skipped, listed
    seconds: float = 0.0
    requirements: list[str] = dataclasses.field(default_factory=list)
    message: str = ""


def tags(name: str) -> list[str]:
    """The requirement ids in a name, as in "[R10] a division by zero ends the process"."""
    return _TAG.findall(name)


def show(result: Result) -> None:
    word = {"passed": "ok", "failed": "FAILED", "skipped": "skipped", "listed": "test"}[result.result]
    print(f"{word:8}{result.seconds:7.1f} s  {result.name}", flush=True)
    if result.result == "failed":
        for line in result.message.splitlines():
            print("    " + line, flush=True)


def write(results: list[Result], path: Path | None) -> None:
    if path:
        path.write_text(json.dumps([dataclasses.asdict(r) for r in results], indent=1) + "\n")


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options that every runner has (test/README.md)."""
    result = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    result.add_argument("--build", type=Path, required=True, metavar="DIR", help="Meson build folder")
    result.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    result.add_argument("--filter", metavar="TEXT", help="only tests with this text in their name")
    result.add_argument("--requirement", metavar="Rnn", help="only tests of this requirement")
    result.add_argument("--list", action="store_true", help="name the tests instead of running them")
    return result


def selected(name: str, requirements: list[str], options: argparse.Namespace) -> bool:
    if options.filter and options.filter not in name:
        return False
    return not options.requirement or options.requirement in requirements


def finish(results: list[Result], path: Path | None) -> int:
    """Writes the file; the exit status of a runner: 0 all passed, 1 something failed."""
    write(results, path)
    return 1 if any(r.result == "failed" for r in results) else 0


def unable(message: str) -> int:
    """The runner could not do its work."""
    print(message, file=sys.stderr)
    return 2
