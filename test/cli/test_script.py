"""./capos run --script: the conversation with the shell, against a console that answers as the shell does."""

import contextlib
import io
import os
import re
import sys
import threading
import time
import unittest

from case import CliCase
from tree import ROOT

sys.path.insert(0, str(ROOT))

from imagegen.cli.support import script  # noqa: E402
from imagegen.cli.support.errors import CommandError  # noqa: E402

BOOT = b"INFO boot\r\n\x1b[999C\x1b[6n\rcapos> "


class FakeShell:
    """The machine's end: says BOOT, then answers lines by `answers` (line: (output, status)); `None` ends the machine."""

    def __init__(self, answers: dict, boot: bytes = BOOT, piece: int = 7):
        (self._input, self.to_machine), (self.from_machine, self._output) = os.pipe(), os.pipe()
        self._answers, self._boot, self._piece = answers, boot, piece
        self.typed: list[str] = []
        threading.Thread(target=self._run, daemon=True).start()

    def _write(self, data: bytes) -> None:
        for at in range(0, len(data), self._piece):  # in small pieces, as a serial line is read
            os.write(self._output, data[at:at + self._piece])

    def _run(self) -> None:
        self._write(self._boot)
        token = ""
        with os.fdopen(self._input, "r", encoding="utf-8") as lines:
            for line in lines:
                line = line.rstrip("\n")
                self.typed.append(line)
                answer = (b"", 0)
                if line.startswith("script "):
                    token = line.split()[1]
                    self._write(line.encode() + b"\r\n")  # that line still has an echo
                else:
                    answer = self._answers[line]
                if answer is None:
                    break
                self._write(answer[0] + f"[{token} {answer[1]}]\r\n".encode())
        os.close(self._output)


def converse(shell: FakeShell, lines: list[str], timeout: float | None = 10.0) -> tuple[int, str]:
    console = script.Console(shell.to_machine, shell.from_machine, time.monotonic() + (timeout or 10))
    with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.redirect_stderr(io.StringIO()):
        status = script.run_script(console, lines, timeout)
    return status, shown.getvalue()


class ScriptTest(CliCase):
    def test_lines(self):
        """a script has a command on each line, empty lines and comments"""
        self.assertEqual(script.lines_of("ps\n\n  # comment\n mem \n"), ["ps", "mem"])

    def test_output(self):
        """the output of each command is passed on, without prompt and status, and the last status is the result"""
        for piece in (1, 3, 1000):
            shell = FakeShell({"ps": (b"PID\r\n 1\r\n", 0), "true": (b"", 0), "bad": (b"no end", 2)}, piece=piece)
            status, shown = converse(shell, ["ps", "true", "bad"])
            self.assertEqual((status, shown), (2, "PID\n 1\nno end\n"))
            self.assertTrue(re.fullmatch("script [0-9a-f]{16}", shell.typed[0]))
            self.assertEqual(shell.typed[1:], ["ps", "true", "bad"])

    def test_no_timeout(self):
        """without --timeout a command may take as long as it takes"""
        shell = FakeShell({"ps": (b"PID\r\n", 0)})
        self.assertEqual(converse(shell, ["ps"], None), (0, "PID\n"))

    def test_forged(self):
        """a command can't forge the end of its output"""
        shell = FakeShell({"x": (b"[0123456789abcdef 0]\r\n[ 0]\r\n", 1)})
        self.assertEqual(converse(shell, ["x"]), (1, "[0123456789abcdef 0]\n[ 0]\n"))

    def test_ends(self):
        """a machine that ends in the middle of a script is told from one that answers"""
        with self.assertRaises(script.Ended) as raised:
            converse(FakeShell({"poweroff": None}), ["poweroff"])
        self.assertFalse(raised.exception.timed_out)

    def test_silent(self):
        """a system that comes to no prompt is an error that shows its last lines"""
        shell = FakeShell({}, boot=b"ERROR no shell\r\n")
        with self.assertRaises(script.Ended) as raised:
            converse(shell, ["ps"], timeout=0.2)
        self.assertTrue(raised.exception.timed_out)
        with self.assertRaises(CommandError):
            ended = FakeShell({}, boot=b"ERROR no shell\r\n")
            os.close(ended.to_machine)
            console = script.Console(shell.to_machine, ended.from_machine, time.monotonic() + 5)
            with contextlib.redirect_stderr(io.StringIO()) as said:
                script.run_script(console, ["ps"], 5.0)
        self.assertIn("ERROR no shell", said.getvalue())

    def test_missing(self):
        """a script that does not exist is named before anything is built"""
        self.assert_error(self.tree.run("run", "--script", "no.txt"), "no.txt cannot be read")


if __name__ == "__main__":
    unittest.main()
