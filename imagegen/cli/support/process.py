"""Running other programs: with progress, a log of everything they print, and a clear error when they fail.

Progress goes to stderr: one line that is rewritten on a terminal, otherwise one line at the start, every 30 s and at the end.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from imagegen.cli.support import paths
from imagegen.cli.support.errors import CommandError

_STEP = re.compile(rb"^\[(\d+)/(\d+)\] ?(.*)")
_TAIL_LINES = 40
_QUIET_SECONDS = 30.0


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def missing_tool(name: str) -> CommandError:
    return CommandError(f"the program {name} is not installed, or not in PATH",
                        "run ./capos setup, which installs what is needed")


class Progress:
    """One long piece of work: `update` as often as wanted, `done` once."""

    def __init__(self, title: str, expected: str = ""):
        self._title = title
        self._terminal = sys.stderr.isatty()
        self._start = time.monotonic()
        self._shown = self._start
        self._line(f"{title}{f' ({expected})' if expected else ''} ...", final=not self._terminal)

    def update(self, text: str) -> None:
        now = time.monotonic()
        if now - self._shown < (0.1 if self._terminal else _QUIET_SECONDS):
            return
        self._shown = now
        self._line(f"{self._title}: {text}, {now - self._start:.0f} s", final=not self._terminal)

    def done(self, result: str = "done") -> None:
        self._line(f"{self._title}: {result} in {time.monotonic() - self._start:.1f} s", final=True)

    def _line(self, text: str, final: bool) -> None:
        if self._terminal:
            width = max(os.get_terminal_size(sys.stderr.fileno()).columns - 1, 20)
            sys.stderr.write(f"\r\033[K{text[:width]}" + ("\n" if final else ""))
            sys.stderr.flush()
        else:
            say(text)


def run_logged(command: list, title: str, log_name: str, *, expected: str = "", cwd: Path = paths.ROOT,
               environment: dict | None = None, how_to_go_on: str = "", quiet: bool = False) -> None:
    """Runs `command`; all its output goes to out/log/LOG_NAME.log, the end of it is shown when it fails.

    Errors: CommandError when the program is missing, fails or is killed. `quiet` shows no progress.
    """
    paths.LOGS.mkdir(parents=True, exist_ok=True)
    log = paths.LOGS / f"{log_name}.log"
    progress = None if quiet else Progress(title, expected)
    with open(log, "wb") as output:
        child = start(command, cwd=cwd, environment=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            for line in child.stdout:
                output.write(line)
                step = _STEP.match(line)
                if progress:
                    progress.update(f"{step[1].decode()} of {step[2].decode()}" if step else "still at work")
            status = child.wait()
        except BaseException:
            stop(child)
            raise
    if status != 0:
        if progress:
            progress.done("FAILED")
        raise _failed(title, status, log, how_to_go_on)
    if progress:
        progress.done()


def start(command: list, **options) -> subprocess.Popen:
    """Popen with the errors of this command. `environment` is added to ours."""
    environment = {**os.environ, **(options.pop("environment", None) or {})}
    try:
        return subprocess.Popen([str(word) for word in command], env=environment, **options)
    except FileNotFoundError as error:
        raise missing_tool(str(command[0])) from error


def stop(child: subprocess.Popen) -> None:
    """Ends a child of ours: politely, and after 5 s by force."""
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def capture(command: list, *, cwd: Path = paths.ROOT, what: str = "") -> str:
    """The standard output of a short command. Errors: CommandError when it is missing or fails."""
    child = start(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output, errors = child.communicate()
    if child.returncode != 0:
        said = errors.decode(errors="replace").strip() or f"status {child.returncode}"
        raise CommandError(f"{what or command[0]} failed: {said}", "the text above is what it said")
    return output.decode(errors="replace")


def _failed(title: str, status: int, log: Path, how_to_go_on: str) -> CommandError:
    lines = log.read_text(errors="replace").splitlines()
    for line in _telling(lines):
        say(f"  | {line}")
    ended = f"was ended by signal {-status}" if status < 0 else f"failed with status {status}"
    advice = how_to_go_on or "mend what the lines above name"
    if any("No space left on device" in line for line in lines):
        advice = "the disk is full: free about 2 GB and run the same command again"
    return CommandError(f"{title} {ended}", f"{advice}; all of its output is in {log.relative_to(paths.ROOT)}")


def _telling(lines: list[str]) -> list[str]:
    """The lines to show: what the first failed step of a build said, else the end."""
    first = next((index for index, line in enumerate(lines) if line.startswith("FAILED: ")), None)
    if first is None:
        return lines[-_TAIL_LINES:]
    # The line after it is the whole compiler command, of no use here.
    last = next((index for index in range(first + 2, len(lines)) if _STEP.match(lines[index].encode())), len(lines))
    return [lines[first], *lines[first + 2:last]][:_TAIL_LINES]
