"""New servers: what is made, what the lists say then, and names that are refused."""

import unittest

from case import CliCase

LISTS = {"idl/meson.build": "served_schemas = [\n  'console',\n]  # served_schemas\n",
         "servers/meson.build": "subdir('init')\n# ./capos new adds above\n",
         "test/sim/meson.build": "server_tests = files(\n)  # server_tests\n",
         "servers/manifest.toml": 'name = "capOS"\n'}


class NewTest(CliCase):
    def setUp(self) -> None:
        super().setUp()
        for name, text in LISTS.items():
            (self.tree.folder / name).parent.mkdir(parents=True, exist_ok=True)
            self.file(name).write_text(text)
        self.tree.fake("capnp", "print('@0xa123456789abcdef')")

    def file(self, name: str):
        return self.tree.folder / name

    def test_made(self):
        """a new server has its files, and a line in every list"""
        status, output = self.tree.run("new", "server", "word_count")
        self.assertEqual(status, 0, output)
        self.assertIn("interface WordCount @0xa123456789abcdef {", self.file("idl/word_count.capnp").read_text())
        self.assertIn("namespace capos::word_count {", self.file("servers/word_count/word_count.h").read_text())
        for name in ("main.cc", "meson.build", "word_count_test.cc"):
            self.assertNotIn("{name}", self.file(f"servers/word_count/{name}").read_text())
        self.assertIn("  'console',\n  'word_count',\n]", self.file("idl/meson.build").read_text())
        self.assertIn("subdir('word_count')\n#", self.file("servers/meson.build").read_text())
        self.assertIn("word_count_test.cc',\n)", self.file("test/sim/meson.build").read_text())
        self.assertIn('[service.word_count]\nbinary = "bin/word_count"', self.file("servers/manifest.toml").read_text())

    def test_again(self):
        """a second server of the same name is refused, and nothing is written"""
        self.tree.run("new", "server", "word_count")
        before = self.file("servers/manifest.toml").read_text()
        self.assert_error(self.tree.run("new", "server", "word_count"), "is there already")
        self.assertEqual(self.file("servers/manifest.toml").read_text(), before)

    def test_bad_names(self):
        """a name that would not compile is refused"""
        for name in ("Word", "9lives", "a__b", "_a", "word-count", "x" * 25, "../up"):
            with self.subTest(name=name):
                self.assert_error(self.tree.run("new", "server", name), "is no name for a server")

    def test_lost_anchor(self):
        """a list whose end can't be found stops it before anything is written"""
        self.file("servers/meson.build").write_text("subdir('init')\n")
        self.assert_error(self.tree.run("new", "server", "word_count"), "servers/meson.build has no line")
        self.assertFalse(self.file("idl/word_count.capnp").exists())


if __name__ == "__main__":
    unittest.main()
