"""Options, help, and the contract of the verbs."""

import importlib
import json
import re
import socket
import subprocess
import sys
import unittest

from case import CliCase
from tree import ROOT


class UseTest(CliCase):
    def test_no_verb(self):
        """a call without a verb is wrong use and shows how"""
        self.assert_error(self.tree.run(), "usage: ./capos", status=2)

    def test_unknown_verb(self):
        """an unknown verb is wrong use and the verbs are named"""
        self.assert_error(self.tree.run("fly"), "invalid choice: 'fly'", "setup", status=2)

    def test_unknown_option(self):
        """an unknown option is wrong use and the help of the verb is named"""
        self.assert_error(self.tree.run("setup", "--fast"), "--fast", "./capos setup --help", status=2)

    def test_bounds(self):
        """numbers out of range and malformed disks are wrong use"""
        for words in (["--cpus", "0"], ["--cpus", "256"], ["--cpus", "two"], ["--memory", "-1"], ["--gdb", "65536"],
                      ["--disk", "x,floppy"], ["--disk", ",nvme"], ["--timeout", "soon"]):
            with self.subTest(words=words):
                self.assert_error(self.tree.run("run", *words), "argument --", status=2)

    def test_exclusive(self):
        """two kinds of build at once are wrong use"""
        self.assert_error(self.tree.run("build", "--debug", "--release"), "not allowed with", status=2)

    def test_missing_disk(self):
        """a disk image that does not exist is named before anything is built"""
        self.assert_error(self.tree.run("run", "--disk", "no.img"), "there is no disk image", "no.img")

    def test_help(self):
        """every verb has help"""
        status, output = self.tree.run("--help")
        self.assertEqual(status, 0)
        verbs = sorted(file.stem for file in (self.tree.folder / "imagegen/cli").glob("*.py") if file.stem != "main")
        self.assertGreaterEqual(len(verbs), 5)
        for verb in verbs:
            with self.subTest(verb=verb):
                self.assertRegex(output, rf"(?m)^    {verb}\b")
                status, text = self.tree.run(verb, "--help")
                self.assertEqual(status, 0, text)
                self.assertIn(f"usage: ./capos {verb}", text)

    def test_contract(self):
        """every verb has the three names of its contract"""
        sys.path.insert(0, str(ROOT))
        self.addCleanup(sys.path.remove, str(ROOT))
        for file in sorted((ROOT / "imagegen/cli").glob("*.py")):
            if file.stem != "main":
                module = importlib.import_module(f"imagegen.cli.{file.stem}")
                self.assertNotIn("\n", module.HELP)
                self.assertTrue(callable(module.run) and callable(module.add_arguments), file)

    def test_busy_port(self):
        """a busy debugger port is named before anything is built, with another to take"""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.assert_error(self.tree.run("run", "--gdb", str(port)), f"TCP port {port} cannot be used", "--gdb")

    def test_nothing_to_debug(self):
        """debugging without a running system says how to start one"""
        self.assert_error(self.tree.run("debug"), "no system of this tree is running", "./capos run")

    def test_stale_socket(self):
        """the socket of a killed machine does not count as a running system"""
        folder = self.tree.folder / "out/run/999999999"
        folder.mkdir(parents=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(folder / "gdb"))
        self.assert_error(self.tree.run("debug"), "no system of this tree is running")

    def test_closed_output(self):
        """a reader that goes away ends the command quietly"""
        child = self.tree.start("--help")
        child.stdout.close()
        child.wait(20)
        self.assertIn(child.returncode, (0, 1, 120))

    def test_old_python(self):
        """an older Python is refused in words"""
        text = (ROOT / "capos").read_text()
        version = re.search(r"sys\.version_info < \((\d+), (\d+)\)", text)
        self.assertIsNotNone(version)
        code = f"import sys; sys.version_info = (3, 9, 2, 'final', 0); exec(compile({json.dumps(text)}, 'capos', 'exec'))"
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        self.assertEqual(ended.returncode, 1)
        self.assertIn("Python 3.11 or newer is needed", ended.stderr)


if __name__ == "__main__":
    unittest.main()
