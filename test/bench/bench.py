"""Measures: boots the runs of runs/ under instruction counting, and the plain system for wall times; prints table and JSON.

Under `-icount shift=0` one tick of the time stamp counter is one guest instruction, so figures repeat exactly. The names,
budgets and peers are in figures.toml. Exit status: 0 all selected figures were measured, 1 some are missing, 2 nothing ran.
"""

import argparse
import json
import struct
import sys
import tempfile
import threading
from pathlib import Path

_HERE = Path(__file__).resolve().parent
ROOT = _HERE.parents[1]
sys.path[:0] = [str(_HERE), str(_HERE.parent / "system"), str(_HERE.parent / "support"), str(ROOT)]

import emulator  # noqa: E402
import figures  # noqa: E402
import peer  # noqa: E402
import scenario  # noqa: E402
import wall  # noqa: E402
from guest import Guest  # noqa: E402
from image import ImageError, ImageMaker  # noqa: E402
from imagegen.cli.support.errors import CommandError  # noqa: E402
from imagegen.iso.iso import make_iso  # noqa: E402
from targets import TargetError, Targets  # noqa: E402

_WALL_REPEATS = 5
_LOAD = 1  # program header type PT_LOAD


def image_bytes(kernel: bytes) -> int:
    """What a boot loader copies: the file contents of all loadable segments, without symbols and debug information."""
    offset, = struct.unpack_from("<Q", kernel, 32)
    size, count = struct.unpack_from("<HH", kernel, 54)
    headers = (struct.unpack_from("<IIQQQQ", kernel, offset + size * index) for index in range(count))
    return sum(header[5] for header in headers if header[0] == _LOAD)


class Bench:
    def __init__(self, options, folder: Path):
        self._options = options
        self._folder = folder
        self._targets = Targets(options.build)
        images = options.output / "images"
        images.mkdir(parents=True, exist_ok=True)
        self._maker = ImageMaker(self._targets, images, options.build, seed=1, make_iso=make_iso)
        self.problems: list[str] = []

    def measure(self, rows: list[figures.Figure]) -> dict[str, figures.Value]:
        values = {}
        for run in sorted({row.run for row in rows}):
            try:
                found = self._one(run)
            except (ImageError, TargetError) as error:
                self.problems.append(f"{run or 'the kernel file'}: {error}")
                continue
            of_run = {row.name for row in rows if row.run == run}  # a run may print figures that are another's
            values |= {value.name: value for value in found if value.name in of_run}
        for row in rows:
            if row.name not in values:
                self.problems.append(f"{row.name} was not measured")
        return values

    def _one(self, run: str) -> list[figures.Value]:
        print(f"measuring: {run or 'files'}", file=sys.stderr, flush=True)
        if not run:
            size = image_bytes(self._targets.file("kernel.elf").read_bytes())
            return [figures.Value("boot.image_bytes", size, size, 1, "bytes")]
        if run in ("wall_bios", "wall_uefi"):
            return self._wall(run.removeprefix("wall_"))
        path = _HERE / "runs" / f"{run}.toml"
        if not path.is_file():
            self.problems.append(f"there is no runs/{path.name}: no program measures this yet")
            return []
        case, = scenario.load(path)
        return figures.read([text for _, text in self._boot(case, measured=not run.startswith("wall_"))])

    def _wall(self, firmware: str) -> list[figures.Value]:
        case, = scenario.load(_HERE / "runs" / f"wall_{firmware}.toml")
        parts: dict[str, list[float]] = {}
        for _ in range(_WALL_REPEATS):
            with wall.FirmwareLog(self._folder) as log:
                lines = self._boot(case, measured=False, extra=log.options)
            for name, seconds in wall.split(lines, log.seconds).items():
                parts.setdefault(f"boot.wall_{name}_{firmware}", []).append(seconds)
        return [figures.of_samples(name, samples, "s") for name, samples in parts.items()]

    def _boot(self, case: scenario.Case, *, measured: bool, extra: tuple[str, ...] = ()) -> list[tuple[float, str]]:
        iso = self._maker.image(case)
        command = emulator.command(case, iso, self._folder, self._options.qemu, measured=measured) + list(extra)
        outcome = Guest(case, command, self._options.output / f"{case.name}.log", threading.Event()).run()
        if outcome.failure:
            self.problems.append(f"{case.name}: {outcome.failure}; transcript in {self._options.output / case.name}.log")
        return outcome.lines


def options_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="a figure, or the first part of some, such as ipc")
    parser.add_argument("--build", type=Path, required=True, metavar="DIR", help="Meson build folder")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--peer", choices=("linux",), help="measure Linux too, in the same emulator (3 minutes)")
    parser.add_argument("--qemu", default="qemu-system-x86_64", metavar="PROGRAM", help="the emulator")
    parser.add_argument("--output", type=Path, default=ROOT / "out" / "bench", metavar="DIR", help="for transcripts and images")
    return parser


def main() -> int:
    options = options_parser().parse_args()
    try:
        rows = figures.chosen(figures.load(_HERE / "figures.toml"), options.names)
        with tempfile.TemporaryDirectory(prefix="capos-bench-") as folder:
            bench = Bench(options, Path(folder))
            values = bench.measure(rows)
            linux = peer.measure(options.qemu, options.output) if options.peer else {}
    except (figures.FigureError, TargetError, CommandError) as error:
        print("\n  how to go on: ".join(filter(None, (str(error), getattr(error, "how_to_go_on", "")))), file=sys.stderr)
        return 2
    document = figures.report(rows, values, linux)
    print(figures.table(document), flush=True)
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    for problem in bench.problems:
        print(f"MISSING: {problem}", flush=True)
    return 1 if bench.problems else 0


if __name__ == "__main__":
    sys.exit(main())
