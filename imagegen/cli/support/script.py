"""Types the lines of a file at the shell's prompt of a running system, one after the other.

The conversation needs no timing (servers/shell, command `script`): after the first prompt the shell is told a token, and from
then on writes no prompt and no echo, but `[TOKEN STATUS]` on a line of its own after each command. The token is drawn, so that
no output of a command can be mistaken for it.
"""

import os
import re
import secrets
import selectors
import sys
import time

from imagegen.cli.support.errors import CommandError
from imagegen.cli.support.process import say

PROMPT = b"capos> "
_BOOT_SECONDS = 120.0  # to the first prompt, without --timeout
_SHOWN_BYTES = 2000    # of the end of a boot that came to no prompt


class Ended(Exception):
    """The machine ended, or its time was up."""

    def __init__(self, timed_out: bool):
        super().__init__()
        self.timed_out = timed_out


class Console:
    """Both directions of a serial console, over file descriptors."""

    def __init__(self, to_machine: int, from_machine: int, deadline: float):
        self._to, self._from, self.deadline = to_machine, from_machine, deadline
        self._selector = selectors.DefaultSelector()
        self._selector.register(from_machine, selectors.EVENT_READ)
        self.unread = b""

    def type(self, line: str) -> None:
        try:
            os.write(self._to, line.encode() + b"\n")
        except BrokenPipeError as error:
            raise Ended(timed_out=False) from error

    def read_more(self) -> None:
        left = self.deadline - time.monotonic()
        # A selector takes no infinite number.
        if left <= 0 or not self._selector.select(left if left < float("inf") else None):
            raise Ended(timed_out=True)
        data = os.read(self._from, 65536)
        if not data:
            raise Ended(timed_out=False)
        self.unread += data

    def wait_for(self, pattern: bytes) -> re.Match:
        """Takes everything up to the first match. Errors: Ended."""
        while not (found := re.search(pattern, self.unread)):
            self.read_more()
        self.unread = self.unread[found.end():]
        return found


def lines_of(text: str) -> list[str]:
    """The commands of a script: neither empty lines nor comments."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def run_script(console: Console, lines: list[str], timeout: float | None) -> int:
    """Types the lines; what they print goes to stdout, the lines themselves to stderr. The status of the last one.

    Errors: Ended; CommandError when no prompt appears.
    """
    try:
        if timeout is None:
            console.deadline = time.monotonic() + _BOOT_SECONDS
        console.wait_for(re.escape(PROMPT))
    except Ended as error:
        if error.timed_out and timeout is not None:
            raise
        say(console.unread[-_SHOWN_BYTES:].decode(errors="replace"))
        raise CommandError("the system came to no prompt", "the lines above are the last that it wrote") from error
    if timeout is None:
        console.deadline = float("inf")
    token = secrets.token_hex(8)
    mark = re.compile(rb"\[" + token.encode() + rb" (\d+)\]\r?$")
    console.type(f"script {token}")
    status = int(console.wait_for(mark.pattern.removesuffix(b"$") + b"\n")[1])
    for line in lines:
        say(f"capos> {line}")
        console.type(line)
        status = _show_until(console, mark)
    return status


def _show_until(console: Console, mark: re.Pattern) -> int:
    """Passes a command's output on, line by line, until it has ended. Its last line may lack the line end."""
    while True:
        try:
            while b"\n" not in console.unread:
                console.read_more()
        except Ended:
            if console.unread:
                _show(console.unread)
            raise
        line, _, console.unread = console.unread.partition(b"\n")
        found = mark.search(line)
        if not found or found.start() > 0:
            _show(line[:found.start()] if found else line)
        if found:
            return int(found[1])


def _show(line: bytes) -> None:
    print(line.decode(errors="replace").rstrip("\r"), flush=True)
