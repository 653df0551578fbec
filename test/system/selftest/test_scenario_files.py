"""Scenario files that say something wrong are refused with file and key, and the image faults do what they say."""

import struct
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import image  # noqa: E402
import scenario  # noqa: E402

_GOOD = 'name = "a"\nexpect = ["x"]\nimage = {init = "init"}\n'


class ScenarioFiles(unittest.TestCase):
    def problem(self, text: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.toml"
            path.write_text(text)
            with self.assertRaises(scenario.ScenarioError) as raised:
                scenario.load(path)
        return str(raised.exception)

    def test_wrong_files(self):
        """every kind of mistake names the file and the key"""
        for text, words in (
            (_GOOD + "name =", "a.toml"),
            (_GOOD + 'expct = ["x"]', "unknown key 'expct'"),
            (_GOOD + "cpus = 2", "key 'cpus' that is not a list"),
            (_GOOD + "cpus = []", "key 'cpus' that is empty"),
            (_GOOD + "cpus = [0]", "'cpus' that holds 0"),
            (_GOOD + 'firmware = ["efi"]', "'firmware' that holds 'efi'"),
            (_GOOD + "iommu = [1]", "'iommu' that holds 1"),
            (_GOOD + 'tier = "weekly"', "'tier' that is none of commit, ci, nightly"),
            (_GOOD + "exit = 128", "'exit'"),
            (_GOOD + "deadline = true", "'deadline'"),
            (_GOOD + "[[run]]\nscript = []", "'run' that holds {'script': []}, which has an unknown key 'script'"),
            (_GOOD + "[[run]]\n[[run]]", "gives a[bios,1cpu,512M,iommu] twice"),
            ('expect = ["x"]\nimage = {init = "init"}', "lacks the key 'name'"),
            ('name = "a"\nexpect = ["x"]', "lacks the key 'image'"),
            ('name = "a"\nexpect = ["x"]\nimage = {}', "lacks the key 'init'"),
            ('name = "a"\nimage = {init = "init"}', "key 'expect' is missing"),
            ('name = "a"\nexpect = ["x"]\nimage = {init = "init", fault = {kind = "truncate"}}', "lacks its size"),
            (_GOOD + 'script = [{after = "x"}]', "lacks the key 'type'"),
        ):
            with self.subTest(text=text):
                message = self.problem(text)
                self.assertTrue(message.startswith("a.toml"), message)
                self.assertIn(words, message)

    def test_every_scenario_loads(self):
        """all scenario files of the tree are valid and have names of their own"""
        folder = Path(scenario.__file__).parent / "scenarios"
        names = [case.name for path in folder.glob("*.toml") for case in scenario.load(path)]
        self.assertEqual(len(names), len(set(names)))
        self.assertTrue(names)

    def test_needed_bytes(self):
        """a truncation by lot cuts into what a loader reads, never only into debug information"""
        header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
        segment = struct.pack("<IIQQQQQQ", 1, 5, 120, 0, 0, 30, 0, 0)
        self.assertEqual(image.needed_bytes(header + segment + bytes(1000)), 150)
        self.assertEqual(image.needed_bytes(b"text"), 4)

    def test_writable_code(self):
        """the fault writable_code changes the flags of executable segments and nothing else"""
        header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
        code = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 0, 0, 0)
        data = struct.pack("<IIQQQQQQ", 1, 6, 0, 0, 0, 0, 0, 0)
        changed = image.writable_code(header + code + data)
        self.assertEqual(changed, header + struct.pack("<II", 1, 7) + code[8:] + data)
        with self.assertRaises(image.ImageError):
            image.writable_code(header + data + data)
        with self.assertRaises(image.ImageError):
            image.writable_code(b"not an ELF file")


if __name__ == "__main__":
    unittest.main()
