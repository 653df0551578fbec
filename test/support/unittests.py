"""Runs the Python unit tests of a folder as a runner of tests: one result for each test method."""

import sys
import time
import unittest
from pathlib import Path

import results
from results import Result


def _flatten(suite) -> list[unittest.TestCase]:
    return [test for part in suite for test in (_flatten(part) if isinstance(part, unittest.TestSuite) else [part])]


def _name(test: unittest.TestCase) -> str:
    """The first line of the docstring is the behaviour; without one the identifier has to do."""
    return test.shortDescription() or test.id()


def _run_one(test: unittest.TestCase, kind: str) -> Result:
    start = time.monotonic()
    outcome = unittest.TestResult()
    test.run(outcome)
    problems = outcome.failures + outcome.errors
    message = problems[0][1].strip() if problems else ""
    if outcome.skipped:
        message, problems = f"skipped: {outcome.skipped[0][1]}; a missing tool is a failure", outcome.skipped
    name = f"{kind}: {_name(test)}"
    return Result(name, kind, "failed" if problems else "passed", time.monotonic() - start, results.tags(name), message)


def run(folder: Path, kind: str, options) -> list[Result]:
    """The selected tests of `test_*.py` in `folder`, shown as they end."""
    sys.path.insert(0, str(folder))
    collected = []
    for test in _flatten(unittest.defaultTestLoader.discover(str(folder), "test_*.py", str(folder))):
        name = f"{kind}: {_name(test)}"
        if not results.selected(name, results.tags(name), options):
            continue
        result = Result(name, kind, "listed", requirements=results.tags(name)) if options.list else _run_one(test, kind)
        results.show(result)
        collected.append(result)
    return collected
