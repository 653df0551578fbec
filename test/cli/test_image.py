"""The image maker, with the real tools."""

import sys
import tempfile
import time
import unittest
from pathlib import Path

from tree import ROOT

sys.path.insert(0, str(ROOT))

from imagegen.cli.support.errors import CommandError  # noqa: E402
from imagegen.iso.archive import make_archive  # noqa: E402
from imagegen.iso.iso import make_iso  # noqa: E402

_ELF = Path("/bin/true")


class ImageTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="capos-image-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "init").write_bytes(b"init")

    def make(self, name: str, modules=None, arguments: str = "log=debug", kernel: Path = _ELF) -> Path:
        output = self.folder / name
        make_iso(output, kernel, [("init", self.folder / "init")] if modules is None else modules, arguments)
        return output

    def test_reproducible(self):
        """the same input makes the same image, at another time too"""
        first = self.make("a.iso").read_bytes()
        time.sleep(1.1)
        self.assertTrue(first == self.make("b.iso").read_bytes())
        self.assertLess(len(first), 8 << 20)
        self.assertEqual(sorted(file.name for file in self.folder.iterdir()), ["a.iso", "b.iso", "init"])

    def test_content(self):
        """modules and arguments reach GRUB's configuration in order"""
        image = self.make("a.iso", [("archive", self.folder / "init"), ("init", self.folder / "init")]).read_bytes()
        for line in (b"multiboot2 /boot/kernel.elf log=debug\n",
     b"module2 /boot/module0 archive\n  module2 /boot/module1 init\n"):
            self.assertTrue(line in image, line)
        self.assertFalse(b"module2 /boot" in self.make("b.iso", []).read_bytes())

    def test_quoting(self):
        """a text that GRUB would interpret is refused"""
        for text in ("a;b", "$x", "a\nboot", "'", "  ", "a  b", "{"):
            with self.subTest(text=text), self.assertRaises(ValueError):
                self.make("a.iso", arguments=text)

    def test_no_elf(self):
        """a kernel that is no ELF file is an error that names the tool, and leaves no image"""
        with self.assertRaisesRegex(CommandError, "llvm-strip-19"):
            self.make("a.iso", kernel=self.folder / "init")
        self.assertFalse((self.folder / "a.iso").exists())

    def test_archive(self):
        """the boot archive depends on names and contents only"""
        first = make_archive({"b/c": b"init", "a": b"elf"})
        time.sleep(1.1)
        self.assertTrue(first == make_archive({"a": b"elf", "b/c": b"init"}))

    def test_archive_names(self):
        """a name that is not a plain relative path is refused"""
        for name in ("", "/a", "a//b", "../a", "a/.", "a/"):
            with self.subTest(name=name), self.assertRaises(ValueError):
                make_archive({name: b""})


if __name__ == "__main__":
    unittest.main()
