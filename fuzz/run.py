"""Replays seeds and corpora of all fuzz targets, and checks what they reach; the interface of all runners (test/README.md).

Two results a target: no finding in its seeds and corpus, and enough of the code under test reached by them (R32).
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "test/support")]

import results  # noqa: E402
from fuzz.support import fuzzing  # noqa: E402
from results import Result  # noqa: E402
from targets import TargetError, Targets  # noqa: E402

_KIND = "fuzz"
_PERCENT_MIN = 90.0  # of all lines under test together; headers have parts that a target does not use

# Targets on the simulated machine contain the whole core. Seeds and corpus have to reach what the target is about; how far
# longer runs of all three get together is in manual/fuzzing.md.
_CORE = "microkernel/core/"
_ABOUT = {
    "fastpath": [_CORE + "fast_path.cc", _CORE + "ring.cc"],
    "ipc": [_CORE + name for name in ("call.cc", "frame_allocator.cc", "invalidation.cc", "kernel.cc", "node_tree.cc",
                                      "object_ipc.cc", "page_table.cc", "reaper.cc", "ring.cc", "table.cc", "transfer.cc",
                                      "wait.cc")],
    "ring": [_CORE + "ring.cc"],
    "dynamic_parse": ["runtime/dynamic/parse.cc"],
    "dynamic_print": ["runtime/dynamic/print.cc", "runtime/dynamic/words.h"],
    "service_messages": ["idl/include/idl/wire_reader.h", "idl/include/idl/wire_writer.h"],
}
# Below the rule, until its seeds use more of the grammar than one method's parameters: manual/caveats.md.
_PERCENT_MIN_OF = {"dynamic_parse": 50.0}


def check_replay(build: Targets, name: str) -> str:
    """What is wrong, or nothing."""
    with tempfile.TemporaryDirectory(prefix="capos-seeds-") as folder:
        program = build.file(fuzzing.PROGRAM + name)
        inputs = fuzzing.write_seeds(program, Path(folder)) + fuzzing.corpus(name)
        if not inputs:
            return "there are neither seeds nor a corpus"
        found = fuzzing.first_finding(program, inputs)
    return f"{found[0]}\n{found[1]}" if found else ""


def check_coverage(build: Targets, name: str) -> str:
    with tempfile.TemporaryDirectory(prefix="capos-seeds-") as folder:
        inputs = fuzzing.write_seeds(build.file(fuzzing.PROGRAM + name), Path(folder)) + fuzzing.corpus(name)
        files = fuzzing.coverage(build.file(fuzzing.COVERAGE_PROGRAM + name), inputs, ROOT)
    if name in _ABOUT:
        files = [file for file in files if file.path in _ABOUT[name]]
    if not files:
        return "no code under test is measured"
    percent = 100.0 * (1 - sum(len(file.missing) for file in files) / sum(file.lines for file in files))
    if percent >= _PERCENT_MIN_OF.get(name, _PERCENT_MIN):
        return ""
    return "\n".join([f"{percent:.1f} % are reached", *(f"{file.path}: {file.percent:.1f} % of {file.lines} lines; not: "
                                                        f"{fuzzing.ranges(file.missing)}" for file in files if file.missing)])


_CHECKS: tuple[tuple[str, str, Callable[[Targets, str], str]], ...] = (
    ("[R30] fuzz {}: seeds and corpus find nothing", "R30", check_replay),
    (f"[R32] fuzz {{}}: seeds and corpus reach {_PERCENT_MIN:.0f} % of the lines under test", "R32", check_coverage),
)


def main() -> int:
    options = results.parser(__doc__).parse_args()
    chosen = [(text.format(name), requirement, check, name) for name in fuzzing.names() for text, requirement, check in _CHECKS]
    collected = []
    try:
        build = None if options.list else Targets(options.build)
        for shown, requirement, check, name in chosen:
            if not results.selected(shown, [requirement], options):
                continue
            result = Result(shown, _KIND, "listed", requirements=[requirement])
            if build:
                start = time.monotonic()
                result.message = check(build, name)
                result.result, result.seconds = "failed" if result.message else "passed", time.monotonic() - start
            results.show(result)
            collected.append(result)
    except (TargetError, fuzzing.FuzzError) as error:
        return results.unable(f"the fuzz targets cannot run: {error}")
    return results.finish(collected, options.json)


if __name__ == "__main__":
    sys.exit(main())
