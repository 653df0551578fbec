"""./capos fuzz: libFuzzer targets with sanitizers, on the real parsers and the real kernel core (fuzz/README.md)."""

import os
import subprocess
from pathlib import Path

from fuzz.support import fuzzing
from imagegen.cli.support import paths
from imagegen.cli.support.errors import CommandError
from imagegen.cli.support.process import say, start, stop
from imagegen.cli.support.workflow import ensure_built

HELP = "looks for inputs that break a parser or the kernel core: lists, runs, replays and measures fuzz targets"

_SECONDS_DEFAULT = 60
_MEMORY_MIB_MAX = 2048
_INPUT_SECONDS_MAX = 10


def add_arguments(parser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="the target to run, see --list")
    parser.add_argument("--list", action="store_true", help="name the targets")
    parser.add_argument("--seconds", type=int, default=_SECONDS_DEFAULT, metavar="N",
                        help=f"how long to run; 0 = until stopped or a finding; default {_SECONDS_DEFAULT}")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes side by side; default 1")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run one input, such as a finding, and show what it does")
    parser.add_argument("--minimize", type=Path, metavar="FILE", help="make a finding as small as possible")
    parser.add_argument("--coverage", metavar="NAME",
                        help="lines of the code under test that all known inputs of a target reach")


def run(args) -> int:
    if args.list:
        for name in fuzzing.names():
            print(f"{name:16} {fuzzing.description(name)}")
        return 0
    name = args.coverage or args.name
    if name is None:
        raise CommandError("no target is named", "see ./capos fuzz --list")
    if name not in fuzzing.names():
        raise CommandError(f"there is no fuzz target '{name}'", f"the targets are: {' '.join(fuzzing.names())}")
    if args.seconds < 0 or args.jobs < 1:
        raise CommandError("--seconds is at least 0 and --jobs at least 1", "see ./capos fuzz --help")
    for file in (args.replay, args.minimize):
        if file and not file.is_file():
            raise CommandError(f"{file}: no such file", "name a file with an input; findings are in out/fuzz/NAME/findings")
    try:
        if args.coverage:
            return _coverage(name)
        program = ensure_built(_target(name)) / _target(name)
        if args.replay:
            return _replay(program, args.replay)
        if args.minimize:
            return _minimize(program, name, args.minimize)
        return _fuzz(program, name, args.seconds, args.jobs)
    except fuzzing.FuzzError as error:
        raise CommandError(str(error), "the text above is what it said") from error


def _target(name: str, kind: str = fuzzing.PROGRAM) -> str:
    """As the build names the file."""
    return f"fuzz/{kind}{name}"


def _work_folder(name: str) -> Path:
    folder = paths.OUT / "fuzz" / name
    for part in ("corpus", "findings"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    return folder


def _options(name: str) -> list[str]:
    dictionary = fuzzing.FOLDER / f"{name}.dict"
    limits = [f"-rss_limit_mb={_MEMORY_MIB_MAX}", f"-timeout={_INPUT_SECONDS_MAX}"]
    return limits + ([f"-dict={dictionary}"] if dictionary.is_file() else [])


def _fuzz(program: Path, name: str, seconds: int, jobs: int) -> int:
    folder = _work_folder(name)
    seeds = folder / "seeds"
    fuzzing.write_seeds(program, seeds)
    before = set((folder / "findings").iterdir())
    say(f"fuzzing {name} {f'for {seconds} s' if seconds else 'until stopped'} with {jobs} process{'es' if jobs > 1 else ''}; "
        f"what it learns is kept in {_shown(folder)}/corpus")
    options = [*_options(name), f"-max_total_time={seconds}", f"-artifact_prefix={folder / 'findings'}/",
               "-print_final_stats=1"]
    if jobs > 1:
        options.append(f"-fork={jobs}")
    inputs = [folder / "corpus", seeds, *_existing(fuzzing.FOLDER / "corpus" / name)]
    child = start([program, *options, *inputs], cwd=folder)
    try:
        status = child.wait()
    except BaseException:
        stop(child)
        raise
    findings = sorted(set((folder / "findings").iterdir()) - before)
    for finding in findings:
        say(f"FOUND  {_shown(finding)}\n       again: ./capos fuzz {name} --replay {_shown(finding)}")
    if status != 0 and not findings:
        raise CommandError(f"{program.name} ended with status {status}", "what it printed says why")
    if not findings:
        print(f"fuzz {name}: no finding")
    return 1 if findings else 0


def _shown(path: Path) -> Path:
    return path.relative_to(paths.ROOT)


def _existing(folder: Path) -> list[Path]:
    return [folder] if folder.is_dir() else []


def _replay(program: Path, file: Path) -> int:
    status = subprocess.run([program, *_limits(), file], check=False).returncode
    print(f"{file}: {'no finding' if status == 0 else f'a finding, status {status}'}")
    return 0 if status == 0 else 1


def _limits() -> list[str]:
    return [f"-rss_limit_mb={_MEMORY_MIB_MAX}", f"-timeout={_INPUT_SECONDS_MAX}"]


def _minimize(program: Path, name: str, file: Path) -> int:
    smaller = _work_folder(name) / "findings" / f"{file.name}.min"
    command = [program, *_limits(), "-minimize_crash=1", "-max_total_time=60", f"-exact_artifact_path={smaller}", file]
    subprocess.run(command, check=False)
    if not smaller.is_file():
        raise CommandError(f"{file} could not be made smaller", "it may be minimal, or not be a finding: see --replay")
    print(f"{_shown(smaller)}: {smaller.stat().st_size} bytes of {file.stat().st_size}; worth a place in fuzz/corpus/{name}")
    return 0


def _coverage(name: str) -> int:
    build = ensure_built(_target(name), _target(name, fuzzing.COVERAGE_PROGRAM))
    folder = _work_folder(name)
    seeds = fuzzing.write_seeds(build / _target(name), folder / "seeds")
    learned = [folder / "corpus"] if os.listdir(folder / "corpus") else []
    inputs = seeds + fuzzing.corpus(name) + [path for part in learned for path in sorted(part.iterdir())]
    files = fuzzing.coverage(build / _target(name, fuzzing.COVERAGE_PROGRAM), inputs, paths.ROOT)
    print(f"{'lines':>7} {'reached':>8}  of {len(inputs)} inputs")
    for file in sorted(files, key=lambda file: file.path):
        print(f"{file.lines:7} {file.percent:7.1f}%  {file.path}")
        if file.missing:
            print(f"{'':17} not reached: {fuzzing.ranges(file.missing)}")
    return 0
