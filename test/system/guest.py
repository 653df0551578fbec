"""Runs one emulator under a deadline: reads its console with time stamps, types the script, ends it, and says how it went."""

import dataclasses
import os
import selectors
import subprocess
import threading
import time
from pathlib import Path

from monitor import Monitor, MonitorError
from scenario import Case
from transcript import Judge, clean, plain

# What the kernel writes to the exit port (iobase 0xf4) under `exit=emulator`; QEMU's own status is 2 * value + 1.
EXIT_VALUES = {"off": 0x10, "panic": 0x11}
_SETTLE_SECONDS = 0.3  # how long a guest is listened to after the verdict: the rest of a backtrace, a late error
_STOP_SECONDS = 0.5    # within this time a run that is given up ends


@dataclasses.dataclass
class Outcome:
    failure: str | None
    seconds: float
    lines: list[tuple[float, str]]  # seconds since the start, text
    judge: Judge


class Guest:
    """One emulator process; `command` reads the console from its standard input and writes it to its standard output. The
    guest's own `folder` is where its monitor is."""

    def __init__(self, case: Case, command: list[str], transcript: Path, stop: threading.Event, folder: Path | None = None):
        self._case = case
        self._stop = stop  # set from another thread: the whole run is given up
        self._judge = Judge(case)
        self._command = command
        self._path = transcript
        self._lines: list[tuple[float, str]] = []
        self._line = b""
        self._since_typing = ""
        self._folder = folder
        self._commands = list(case.monitor)
        self._monitor: Monitor | None = None
        self._monitor_failure: str | None = None

    def run(self) -> Outcome:
        self._start = time.monotonic()
        with open(self._path, "w", encoding="utf-8") as self._log:
            self._log.write("# " + " ".join(self._command) + "\n")
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            try:
                failure = self._verdict()
            finally:
                self._end()
            self._log.write(f"# {failure or 'as expected'}, {self._seconds():.1f} s\n")
        return Outcome(failure, self._seconds(), self._lines, self._judge)

    def _verdict(self) -> str | None:
        ended = self._listen()
        judge, code = self._judge, self._process.poll() if ended else None
        if judge.refused is not None:
            return f"refused line: {judge.refused}"
        if self._monitor_failure is not None:
            return self._monitor_failure
        if ended:
            return self._wrong_exit(code) or judge.missing() or judge.miscounted()
        if self._stop.is_set():
            return "the run was given up"
        if missing := judge.missing():
            return f"after {self._case.deadline} s: {missing}"
        if self._case.exit in ("alive", "timeout"):
            return judge.miscounted()
        return f"after {self._case.deadline} s the guest still runs, it was to end with '{self._case.exit}'"

    def _listen(self) -> bool:
        """Reads until the guest ends (true), or the verdict cannot change any more, or the deadline is over."""
        output, until = self._process.stdout.fileno(), self._start + self._case.deadline
        settled = False
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while (left := until - time.monotonic()) > 0 and not self._stop.is_set():
                if selector.select(min(left, _STOP_SECONDS)):
                    data = os.read(output, 65536)
                    if not data:
                        self._finish_line()
                        self._process.wait()
                        return True
                    self._take(data)
                if not settled and self._decided():
                    settled, until = True, min(until, time.monotonic() + _SETTLE_SECONDS)
        self._finish_line()
        return False

    def _decided(self) -> bool:
        failed = self._judge.refused is not None or self._monitor_failure is not None
        return failed or (self._case.exit == "alive" and self._judge.content)

    def _take(self, data: bytes) -> None:
        *whole, self._line = (self._line + data).split(b"\n")
        for line in whole:
            self._record(clean(line))
        self._since_typing += plain(data) if self._case.script else ""
        if (typed := self._judge.typing(self._since_typing)) is not None:
            self._since_typing = ""
            try:
                os.write(self._process.stdin.fileno(), typed.encode() + b"\n")
            except BrokenPipeError:
                pass  # it has just ended; the verdict says so

    def _finish_line(self) -> None:
        if self._line:
            self._record(clean(self._line))
            self._line = b""

    def _record(self, text: str) -> None:
        stamp = self._seconds()
        self._lines.append((stamp, text))
        self._log.write(f"{stamp:8.3f} {text}\n")
        self._log.flush()
        self._judge.line(text)
        if self._commands and self._commands[0][0] in text:
            self._operate(*self._commands.pop(0)[1:])

    def _operate(self, wait: int, command: str) -> None:
        """One command to the emulator; its answer is a part of the transcript."""
        time.sleep(wait)
        try:
            if self._monitor is None:
                self._monitor = Monitor(self._folder)
            answer = self._monitor.run(command)
        except MonitorError as error:
            self._monitor_failure = str(error)
            return
        for line in answer:
            self._record(f"monitor: {line}")

    def _wrong_exit(self, code: int) -> str | None:
        wanted, missing = self._case.exit, self._judge.missing()
        if wanted in ("alive", "timeout"):
            return f"the guest ended early ({_ending(code)}); {missing or 'it was to stay alive'}"
        value = EXIT_VALUES.get(wanted, wanted)
        if code == 2 * value + 1:
            return None
        return f"the guest was to end with exit value {value:#x}, but {_ending(code)}" + (f"; {missing}" if missing else "")

    def _seconds(self) -> float:
        return time.monotonic() - self._start

    def _end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._monitor is not None:
            self._monitor.close()
        self._process.stdin.close()
        self._process.stdout.close()


def _ending(code: int) -> str:
    if code < 0:
        return f"the emulator was ended by signal {-code}"
    if code == 0:
        return "the emulator ended with status 0: the guest reset or switched off"
    if code % 2 == 0 or code == 1:
        return f"the emulator failed with status {code}"
    return f"the guest wrote exit value {code // 2:#x}"
