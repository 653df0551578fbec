"""Build: missing tools, failing tools, two at once, interruption."""

import fcntl
import time
import unittest
from pathlib import Path

from case import CliCase


class BuildTest(CliCase):
    def setUp(self) -> None:
        super().setUp()
        self.tree.mark_set_up()
        self.tree.fake("meson", "import pathlib, sys\nfolder = pathlib.Path(sys.argv[-2]); folder.mkdir(exist_ok=True)\n"
                                "(folder / 'build.ninja').touch()")
        self.tree.fake("ninja", "print('[1/1] done')")

    def test_good(self):
        """when all is well the build configures once and ends with status 0"""
        status, output = self.tree.run("build")
        self.assertEqual(status, 0, output)
        self.assertIn("configuring the build: done", output)
        status, output = self.tree.run("build")
        self.assertEqual(status, 0, output)
        self.assertNotIn("configuring", output)

    def test_machine_file(self):
        """a changed machine file configures anew"""
        self.tree.run("build")
        with open(self.tree.folder / "imagegen/toolchain/target.ini", "a", encoding="utf-8") as file:
            file.write("# changed\n")
        self.assertIn("configuring the build: done", self.tree.run("build")[1])

    def test_missing_tools(self):
        """[R31] a missing build tool is named and is a failure"""
        for name in ("ninja", "meson"):
            with self.subTest(name=name):
                (self.tree.bin / name).unlink()
                self.assert_error(self.tree.run("build"), f"the program {name} is not installed", "./capos setup")
                self.setUp()

    def test_compiler_error(self):
        """what the compiler said is shown, with the file that has all of it"""
        self.tree.fake("ninja", "print('x.cc:1: error: no'); raise SystemExit(1)")
        self.assert_error(self.tree.run("build"), "x.cc:1: error: no", "failed with status 1", "out/log/build-build.log")

    def test_killed_compiler(self):
        """a killed build is named as such"""
        self.tree.fake("ninja", "import os; os.kill(os.getpid(), 9)")
        self.assert_error(self.tree.run("build"), "was ended by signal 9")

    def test_full_disk(self):
        """a disk that fills up during the build is named"""
        self.tree.fake("ninja", "print('ld.lld: error: No space left on device'); raise SystemExit(1)")
        self.assert_error(self.tree.run("build"), "the disk is full")

    def test_interrupted(self):
        """an interrupted build ends with status 130 and takes its child with it"""
        self.tree.fake("ninja", "import os, pathlib, time; pathlib.Path('child').write_text(str(os.getpid())); time.sleep(60)")
        child = self.tree.start("build")
        mark = self.tree.folder / "child"
        outcome = self.tree.interrupt_when(child, lambda: mark.exists() and mark.read_text())
        self.assert_error(outcome, "interrupted", status=130)
        self.assertFalse(Path("/proc", mark.read_text()).exists())

    def hold_tree(self):
        folder = self.tree.folder / "out"
        folder.mkdir(exist_ok=True)
        file = open(folder / "lock", "w", encoding="utf-8")
        self.addCleanup(file.close)
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("./capos setup, process 77")
        file.flush()
        return file

    def test_second_copy_fails(self):
        """with --no-wait a second copy fails at once and says who is at work"""
        self.hold_tree()
        begin = time.monotonic()
        self.assert_error(self.tree.run("--no-wait", "build"), "./capos setup, process 77 is at work in this tree")
        self.assertLess(time.monotonic() - begin, 5)

    def test_second_copy_waits(self):
        """a second copy says for whom it waits, and goes on afterwards"""
        first = self.hold_tree()
        child = self.tree.start("build")
        self.assertIn("waiting for ./capos setup, process 77", child.stdout.readline())
        fcntl.flock(first, fcntl.LOCK_UN)
        output, _ = child.communicate(timeout=20)
        self.assertEqual(child.returncode, 0, output)

    def test_two_real_copies(self):
        """two copies that start together build one after the other"""
        self.tree.fake("ninja", "import os, sys, time\n"
                       "try: os.mkdir('busy')\n"
                       "except FileExistsError: sys.exit('two at once')\n"
                       "time.sleep(0.5); os.rmdir('busy')")
        children = [self.tree.start("build") for _ in range(3)]
        outputs = [child.communicate(timeout=30)[0] for child in children]
        self.assertEqual([child.returncode for child in children], [0, 0, 0], outputs)

    def test_killed_holder(self):
        """a copy that was killed does not block the next"""
        self.tree.fake("ninja", "import pathlib, time; pathlib.Path('child').touch(); time.sleep(2)")
        child = self.tree.start("build")
        self.tree.interrupt_when(child, (self.tree.folder / "child").exists, 9)
        self.tree.fake("ninja", "")
        status, output = self.tree.run("--no-wait", "build")
        self.assertEqual(status, 0, output)


if __name__ == "__main__":
    unittest.main()
