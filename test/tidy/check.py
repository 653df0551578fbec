"""What a check is: a rule of style.md that a program can decide, with a planted fault that it has to find."""

import dataclasses
import re
from collections.abc import Callable, Iterable

from tree import File, Tree, invented


@dataclasses.dataclass(frozen=True)
class Check:
    name: str
    find: Callable[[Tree], Iterable[str]]  # yields one line for each violation
    fault: Tree                            # has at least one
    needs_kernel: bool


CHECKS: list[Check] = []


def check(name: str, *, fault: dict[str, str | bytes] | None = None, kernel: str = ""):
    """Registers a check. `fault` are files, `kernel` a disassembly that violate it."""

    def register(find):
        CHECKS.append(Check(name, find, invented(fault or {}, kernel), bool(kernel)))
        return find

    return register


def lines_like(files: Iterable[File], pattern: re.Pattern) -> Iterable[str]:
    """`path:line: text` of each line in which the pattern occurs."""
    for file in files:
        for number, line in enumerate(file.lines, 1):
            if pattern.search(line):
                yield f"{file.path}:{number}: {line.strip()}"
