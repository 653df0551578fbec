"""Judges what a guest says on its console, line by line, against one case.

A pattern between slashes is a regular expression, anything else is literal text within one line. Expectations are met in their
order; other lines may stand between. A line that met an expectation is never refused, so that a test of an error names the one
error that it wants and refuses all others. A line `TEST name ok` or `TEST name FAILED: reason` is a check of the guest's own,
`TEST done N` says how many there were.
"""

import dataclasses
import re

from scenario import Case

_ESCAPES = re.compile(r"\x1b\[[0-9;?=]*[A-Za-z]")
_CHECK = re.compile(r"\bTEST (?P<name>.+?) (?:(?P<ok>ok)|FAILED: (?P<reason>.*))$")
_DONE = re.compile(r"\bTEST done (\d+)$")


def plain(data: bytes) -> str:
    """Console text without cursor movements and carriage returns."""
    return _ESCAPES.sub("", data.decode("utf-8", "replace")).replace("\r", "")


def clean(line: bytes) -> str:
    """One console line; what is not printable becomes a question mark."""
    return "".join(c if c.isprintable() or c == "\t" else "?" for c in plain(line)).rstrip()


def matches(pattern: str, line: str) -> bool:
    if len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/"):
        return re.search(pattern[1:-1], line) is not None
    return pattern in line


@dataclasses.dataclass
class Check:
    """One TEST line."""

    name: str
    passed: bool
    reason: str
    line: int  # its number in the transcript, from 1


class Judge:
    def __init__(self, case: Case):
        self._case = case
        self._met = 0
        self._typed = 0
        self._announced: int | None = None
        self.checks: list[Check] = []
        self.refused: str | None = None
        self._lines = 0

    def line(self, text: str) -> None:
        self._lines += 1
        expected = self._met < len(self._case.expect) and matches(self._case.expect[self._met], text)
        if expected:
            self._met += 1
        elif self.refused is None and any(matches(pattern, text) for pattern in self._case.refuse):
            self.refused = text
        if done := _DONE.search(text):
            self._announced = int(done[1])
        elif check := _CHECK.search(text):
            self.checks.append(Check(check["name"], check["ok"] is not None, check["reason"] or "", self._lines))

    def typing(self, text: str) -> str | None:
        """The line to type now, given the console text since the last one; at most one for each call."""
        if self._typed == len(self._case.script) or self._case.script[self._typed][0] not in text:
            return None
        self._typed += 1
        return self._case.script[self._typed - 1][1]

    @property
    def content(self) -> bool:
        """Nothing more has to appear."""
        return self.missing() is None

    def missing(self) -> str | None:
        """What has not appeared yet, in words."""
        if self._typed < len(self._case.script):
            return f"the console never showed {self._case.script[self._typed][0]!r}, after which a line was to be typed"
        if self._met < len(self._case.expect):
            return f"expected line {self._met + 1} of {len(self._case.expect)} is missing: {self._case.expect[self._met]}"
        if self._case.tests and self._announced is None:
            return f"the line 'TEST done N' is missing after {len(self.checks)} checks"
        return None

    def miscounted(self) -> str | None:
        """Checks that the program lost on its way."""
        if not self._case.tests or self._announced is None:
            return None
        if self._announced != len(self.checks):
            return f"the guest announced {self._announced} checks and reported {len(self.checks)}"
        if self._announced < self._case.tests:
            return f"{self._announced} checks ran, at least {self._case.tests} were to"
        return None
