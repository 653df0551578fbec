"""The table of figures: what is measured, what it should be, what others need, and what the guests' logs say."""

import dataclasses
import re
import tomllib
from pathlib import Path

_BENCH = re.compile(r"\bBENCH (?P<name>[\w.]+) (?P<p50>[\d.]+) (?P<p99>[\d.]+) (?P<runs>\d+) (?P<unit>[\w/]+)$")
_BOOT = re.compile(r"\bkernel_to_user (\d+) ticks, kernel memory (\d+) KiB")
_PROMPT = re.compile(r"\bUp after (\d+)\.(\d{3}) ms\.")
_MEMORY = re.compile(r"\bmachine +(\d+) KiB, (\d+) KiB free; the kernel keeps (\d+) KiB")
_DEFAULT_UNIT = "instructions"
_KEYS = {"name", "run", "unit", "budget", "aim", "linux_row", "peers"}


class FigureError(Exception):
    """The table, or a guest's line, says something wrong."""


@dataclasses.dataclass(frozen=True)
class Figure:
    """One row of figures.toml."""

    name: str
    run: str = ""
    unit: str = _DEFAULT_UNIT
    budget: float | None = None
    aim: float | None = None
    linux_row: str = ""
    peers: dict[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Value:
    name: str
    p50: float
    p99: float
    runs: int
    unit: str


def load(path: Path) -> list[Figure]:
    rows = tomllib.loads(path.read_text())["figure"]
    for row in rows:
        if unknown := set(row) - _KEYS:
            raise FigureError(f"{path.name}: {row.get('name', '?')} has an unknown key '{min(unknown)}'")
    return [Figure(**row) for row in rows]


def chosen(figures: list[Figure], names: list[str]) -> list[Figure]:
    """Those named, or whose first parts are named: `ipc` is all of ipc."""
    for name in names:
        if not any(_is(figure, name) for figure in figures):
            raise FigureError(f"there is no figure '{name}'; there are: {', '.join(figure.name for figure in figures)}")
    return [figure for figure in figures if not names or any(_is(figure, name) for name in names)]


def _is(figure: Figure, name: str) -> bool:
    return figure.name == name or figure.name.startswith(name + ".")


def read(lines: list[str]) -> list[Value]:
    """The figures in a guest's log."""
    values = []
    for line in lines:
        if found := _BENCH.search(line):
            values.append(Value(found["name"], float(found["p50"]), float(found["p99"]), int(found["runs"]), found["unit"]))
        elif found := _BOOT.search(line):
            values.append(Value("boot.kernel_to_user", float(found[1]), float(found[1]), 1, _DEFAULT_UNIT))
            values.append(Value("memory.kernel", float(found[2]), float(found[2]), 1, "KiB"))
        elif found := _PROMPT.search(line):  # a nanosecond of the emulated clock is an instruction
            up = float(found[1] + found[2]) * 1000
            values.append(Value("boot.prompt", up, up, 1, _DEFAULT_UNIT))
        elif found := _MEMORY.search(line):
            total, free, kernel = map(float, found.groups())
            values.append(Value("memory.idle", total - free + kernel, total - free + kernel, 1, "KiB"))
    return values


def of_samples(name: str, samples: list[float], unit: str) -> Value:
    """Median and 99th percentile, by nearest rank."""
    ordered = sorted(samples)

    def rank(percent: int) -> float:
        return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]

    return Value(name, rank(50), rank(99), len(ordered), unit)


def report(figures: list[Figure], values: dict[str, Value], linux: dict[str, float]) -> dict:
    """The JSON document. `linux` are rows measured in this run; they replace what was taken earlier."""
    rows = []
    for figure in figures:
        if (value := values.get(figure.name)) is None:
            continue
        peers = dict(figure.peers)
        if figure.linux_row in linux:
            peers["linux"] = linux[figure.linux_row]
        rows.append({"name": value.name, "value": value.p50, "unit": value.unit, "p50": value.p50, "p99": value.p99,
                     "runs": value.runs, "budget": figure.budget, "peers": peers})
    return {"figures": rows}


def table(document: dict) -> str:
    """For people: one line a figure; a missed budget is marked, the ratio is Linux's figure over ours."""
    header = ("figure", "value", "p99", "unit", "budget", "", "seL4", "Linux", "Linux/ours")
    rows = [header]
    for row in document["figures"]:
        budget, peers, value = row["budget"], row["peers"], row["value"]
        verdict = "" if budget is None else "over" if value > budget else "ok"
        ratio = f"{peers['linux'] / value:.1f}" if "linux" in peers and value else ""
        rows.append((row["name"], _number(value), _number(row["p99"]), row["unit"], _number(budget), verdict,
                     _number(peers.get("sel4")), _number(peers.get("linux")), ratio))
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    left = (0, 3, 5)  # columns of words
    return "\n".join("  ".join(cell.ljust(width) if column in left else cell.rjust(width)
                               for column, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"
