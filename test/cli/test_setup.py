"""Set-up: missing tools, downloads that go wrong, a full disk, interruption."""

import os
import resource
import shutil
import subprocess
import unittest

from case import CliCase
from tree import CONTENT

DEBIAN = "Types: deb\nURIs: http://debian.invalid/debian\nSuites: bookworm bookworm-updates\nComponents: main\n"


class DownloadTest(CliCase):
    def setUp(self) -> None:
        super().setUp()
        lists = self.tree.folder / "imagegen/cli/support/sources.py"
        # The machine's own /etc/apt may be anything: the tree has its own.
        text = lists.read_text()
        self.assertIn('"/etc/apt/', text)
        lists.write_text(text.replace('"/etc/apt/', f'"{self.tree.folder}/etc/apt/'))
        folder = self.tree.folder / "etc/apt/sources.list.d"
        folder.mkdir(parents=True)
        (folder / "debian.sources").write_text(DEBIAN)

    def setup(self, mode: str, **options) -> tuple[int, str]:
        return self.tree.run("setup", environment={"FAKE_APT": mode}, **options)

    def assert_nothing_used(self) -> None:
        self.assertEqual(self.tree.downloads(), [])
        self.assertFalse((self.tree.folder / "third_party/src/musl").exists())

    def assert_recovers(self) -> None:
        """With the network back, the same command gets past the downloads; the toy sources make no sysroot: it ends there."""
        self.assert_error(self.setup("good"), "unpacking musl: done")
        self.assertEqual(self.tree.downloads(), ["llvm-toolchain-19_1.dsc", "musl_1.dsc"])
        self.assertEqual((self.tree.folder / "third_party/downloads/musl_1.dsc").read_bytes(), CONTENT)

    def test_broken_off(self):
        """a download that breaks off is an error, and nothing of it is used"""
        self.assert_error(self.setup("broken off"), "fetching musl 1 failed with status 100", "Connection failed")
        self.assert_nothing_used()
        self.assert_recovers()

    def test_short(self):
        """a download that is too short is never used, even if apt-get calls it good"""
        self.assert_error(self.setup("short"), "musl_1.dsc (5000 bytes) has SHA-256", "cut short or changed")
        self.assert_nothing_used()
        self.assert_recovers()

    def test_changed(self):
        """a download with the wrong sum is never used"""
        self.assert_error(self.setup("changed"), "has SHA-256", "cut short or changed", "do not use that mirror")
        self.assert_nothing_used()
        self.assert_recovers()

    def test_other_file(self):
        """a download without a pinned file is an error"""
        self.assert_error(self.setup("wrong name"), "has no file musl_1.dsc")
        self.assert_nothing_used()

    def test_no_network(self):
        """without a network the error says to check it"""
        self.assert_error(self.setup("no network"), "reading Debian's lists of source packages failed", "check the network")

    def test_interrupted(self):
        """an interrupted download ends with status 130, and the half file is never used"""
        child = self.tree.start("setup", environment={"FAKE_APT": "hangs"})
        half = self.tree.folder / "third_party/partial/musl_1.dsc"
        self.assert_error(self.tree.interrupt_when(child, half.exists), "interrupted", status=130)
        self.assert_nothing_used()
        self.assert_recovers()

    def test_damaged_later(self):
        """a file that was damaged after its download is fetched again"""
        self.assert_recovers()
        file = self.tree.folder / "third_party/downloads/musl_1.dsc"
        file.write_bytes(CONTENT[:-1])
        shutil.rmtree(self.tree.folder / "third_party/src/musl")
        self.assert_recovers()

    def test_nothing_again(self):
        """what is downloaded and right is not fetched again"""
        self.assert_recovers()
        shutil.rmtree(self.tree.folder / "third_party/src")
        self.assert_error(self.setup("no network"), "unpacking musl: done")

    def test_not_debian(self):
        """[R31] a machine that is not Debian is refused in words"""
        (self.tree.bin / "dpkg-query").unlink()
        self.assert_error(self.setup("good"), "not a Debian system")

    def test_no_servers(self):
        """a machine without an entry for the suite is refused in words"""
        entry = self.tree.folder / "etc/apt/sources.list.d/debian.sources"
        entry.write_text(DEBIAN.replace("bookworm", "trixie"))
        self.assert_error(self.setup("good"), "no Debian server for bookworm is named")

    def test_server_lists(self):
        """only Debian's own entries are used, in both notations"""
        folder = self.tree.folder / "etc/apt"
        (folder / "sources.list").write_text("# deb http://no.invalid/ bookworm main\n"
                                             "deb [signed-by=/k trusted=no] http://a.invalid/debian bookworm main contrib\n"
                                             "deb http://b.invalid/ bookworm stable\n"
                                             "deb http://c.invalid/ x main\n")
        vendor = DEBIAN.replace("debian.invalid", "d.invalid").replace("bookworm bookworm-updates", "nodistro")
        (folder / "sources.list.d/vendor.sources").write_text(vendor)
        self.tree.fake("apt-get", "import pathlib, sys\n"
                       "parts = next(word.split('=')[1] for word in sys.argv if 'sourceparts=' in word)\n"
                       "for file in sorted(pathlib.Path(parts).iterdir()): print(file.read_text())\nsys.exit(100)\n")
        status, output = self.setup("good")
        self.assertEqual(status, 1)
        self.assertIn("deb-src [signed-by=/k trusted=no] http://a.invalid/debian bookworm main\n", output)
        self.assertIn("Types: deb-src\n", output)
        self.assertIn("http://debian.invalid/debian", output)
        for host in ("no.invalid", "b.invalid", "c.invalid", "d.invalid"):
            self.assertNotIn(host, output)

    def test_package_missing_still(self):
        """a package that apt-get did not install is named"""
        outcome = self.tree.run("setup", environment={"FAKE_NOT_INSTALLED": "toy-tool"})
        if os.geteuid() == 0:
            self.assert_error(outcome, "still not installed: toy-tool")
        else:
            self.assert_error(outcome, "installing packages needs root", "toy-tool")

    def test_bad_pins(self):
        """[R31] a pin file that cannot be read is an error"""
        (self.tree.folder / "imagegen/third_party.toml").write_text("suite = 'bookworm'\n[packages\n")
        self.assert_error(self.setup("good"), "imagegen/third_party.toml cannot be read")

    def test_full_disk(self):
        """a full disk is named, and nothing half-written is used"""
        third_party = self.tree.folder / "third_party"
        third_party.mkdir()
        mounted = os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", third_party],
                                                       stderr=subprocess.DEVNULL, check=False).returncode == 0
        if mounted:
            self.addCleanup(subprocess.run, ["umount", "-l", third_party], check=True)
            self.assert_error(self.setup("good"), "MB are free on the disk of this tree", "free about 2 GB")
            self.skip_space_check()
            self.assert_error(self.setup("good"), "No space left on device", "free ")
        else:
            limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # noqa: E731
            self.assert_error(self.setup("good", preexec_fn=limit), "File too large")
        self.assertFalse((third_party / "src/musl").exists())

    def skip_space_check(self) -> None:
        file = self.tree.folder / "imagegen/cli/support/workflow.py"
        text = file.read_text()
        self.assertIn("_NEED_BYTES = 2 << 30", text)
        file.write_text(text.replace("_NEED_BYTES = 2 << 30", "_NEED_BYTES = 0"))

    def test_read_only(self):
        """a tree that cannot be written is named"""
        (self.tree.folder / "out").write_text("a file where the folder has to be")
        self.assert_error(self.setup("good"), "out")


if __name__ == "__main__":
    unittest.main()
