"""The compiler of manifests, with the real schema compiler."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from tree import ROOT

sys.path.insert(0, str(ROOT))

from imagegen.cli.support.errors import CommandError  # noqa: E402
from imagegen.iso.archive import make_archive  # noqa: E402
from imagegen.manifest.compiler import Interfaces, compile_manifest  # noqa: E402

_CONSOLE = 0xB39012C09AC51EC5  # has no exact double
_GOOD = """\
name = "small"
memory = "128 MiB"
dma = "unprotected"

[service.uart]
binary = "bin/uart"
priority = 24
required = true
limits = { memory = "512 KiB", objects = 64, nodes = 65 }
serves = { console = "Console" }
grants.ports = { kernel = "ports", first = 0x3f8, count = 8 }

[service.shell]
binary = "bin/shell"
arguments = ["a\\"b\\\\ä"]
priority = 10
limits = { memory = "2 MiB", objects = 64, nodes = 64 }
restart = { on = "crash", times = 3, needs = ["uart"] }
ping = false
inspect = "never"

[service.shell.grants]
console = "uart.console"
again = { from = "uart.console", interface = "Console", weak = true }
supervisor = { init = "supervisor" }
font = { file = "font" }
"""


class ManifestTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="capos-manifest-")
        self.addCleanup(folder.cleanup)
        self.source = Path(folder.name) / "manifest.toml"
        description = Path(folder.name) / "interfaces.json"
        one = {"interfaces": [{"name": "Console", "id": hex(_CONSOLE)}]}
        description.write_text(json.dumps({"files": [one]}))
        self.interfaces = Interfaces(description)

    def compile(self, text: str) -> bytes:
        self.source.write_text(text)
        return compile_manifest(self.source, self.interfaces)

    def read(self, text: str) -> dict:
        shown = subprocess.run(["capnp", "convert", "flat:json", ROOT / "idl/manifest.capnp", "Manifest"], check=True,
                               input=self.compile(text), stdout=subprocess.PIPE)
        return json.loads(shown.stdout)

    def refused(self, old: str, new: str, complaint: str) -> None:
        self.assertIn(old, _GOOD)
        with self.assertRaises(CommandError) as caught:
            self.compile(_GOOD.replace(old, new))
        self.assertEqual(str(caught.exception).partition("\n")[0], f"{self.source}:{complaint}")

    def test_fields(self):
        """what a manifest says arrives in the message"""
        manifest = self.read(_GOOD)
        self.assertEqual((manifest["version"], manifest["name"], manifest["memoryKib"], manifest["dma"]),
                         (1, "small", "131072", "unprotected"))
        uart, shell = manifest["services"]
        self.assertEqual((uart["name"], uart["binary"], uart["priority"], uart["required"]), ("uart", "bin/uart", 24, True))
        self.assertEqual(uart["limits"], {"memoryKib": "512", "objects": 64, "nodes": 65})
        self.assertEqual(uart["endpoints"], [{"name": "console", "interface": "Console", "interfaceId": str(_CONSOLE)}])
        ports, = uart["grants"]
        self.assertEqual([ports[key] for key in ("name", "source", "object", "first", "count")],
                         ["ports", "kernel", "ports", 1016, 8])
        self.assertEqual(shell["arguments"], ['a"b\\ä'])
        self.assertEqual([shell["restart"][key] for key in ("on", "times", "needs")], ["crash", 3, ["uart"]])
        self.assertEqual((shell["noPing"], shell["inspectNever"], uart["noPing"]), (True, True, False))
        console, again, supervisor, font = shell["grants"]
        self.assertEqual([console[key] for key in ("source", "service", "endpoint", "weak")],
                         ["endpoint", "uart", "console", False])
        self.assertEqual((again["weak"], again["interfaceId"]), (True, str(_CONSOLE)))
        self.assertEqual((supervisor["source"], font["source"], font["file"]), ("supervisor", "file", "font"))

    def test_same_bytes(self):
        """the same text makes the same message, in whole words"""
        first = self.compile(_GOOD)
        self.assertEqual(first, self.compile(_GOOD))
        self.assertEqual(len(first) % 8, 0)

    def test_unknown_keys(self):
        """a key that does not exist is named with its line"""
        self.refused("required = true", "requierd = true", "8: service.uart.requierd is not a key here; these are: binary, "
                     "arguments, environment, priority, limits, ring, serves, grants, restart, required, manual, ready_ms, "
                     "stop_ms, ping, stop_after, inspect, state")
        self.refused("times = 3", "tries = 3", "18: service.shell.restart.tries is not a key here; these are: on, times, "
                     "window_s, needs")

    def test_values(self):
        """a value that cannot be is named with its line and what it should be"""
        for old, new, complaint in (
                ("priority = 10", "priority = 256", "16: service.shell.priority is not a whole number from 0 to 255"),
                ("priority = 10", "priority = true", "16: service.shell.priority is not a whole number from 0 to 255"),
                ('"2 MiB"', '"2 MB"', '17: service.shell.limits.memory is not a size such as "64 KiB" or "2 MiB"'),
                ('"128 MiB"', "128", '2: memory is not a size such as "64 KiB" or "2 MiB"'),
                ('dma = "unprotected"', 'dma = "yes"', "3: dma is none of isolated, unprotected"),
                ('"bin/shell"', "1", "14: service.shell.binary is not a text"),
                ('"bin/shell"', '"bin\\u0000"', "14: service.shell.binary contains a NUL character"),
                ('console = "Console"', 'console = "Consol"',
                 "10: service.uart.serves.console names no interface: idl/ has none called Consol"),
                ('"uart.console"\nagain', '"uart"\nagain', '23: service.shell.grants.console is not "SERVICE.ENDPOINT"'),
                ('{ file = "font" }', '{ fiel = "font" }', '26: service.shell.grants.font is neither "SERVICE.ENDPOINT" nor a '
                 "table with one of from, kernel, init, file"),
                ('kernel = "ports"', 'kernel = "port"', "11: service.uart.grants.ports.kernel is none of power, platform, "
                 "profile, ports, interrupt"),
                ('["uart"]', '["uart", 3]', "18: service.shell.restart.needs.1 is not a text"),
                ("ping = false", "ping = 0", "19: service.shell.ping is not true or false")):
            with self.subTest(new=new):
                self.refused(old, new, complaint)

    def test_lacking_keys(self):
        """a table that lacks what it needs is named"""
        self.refused("priority = 10\n", "", "13: service.shell lacks the key 'priority'")
        self.refused(", objects = 64, nodes = 64", ", objects = 64", "17: service.shell.limits lacks the key 'nodes'")
        self.refused('name = "small"\n', "", "1: the manifest lacks the key 'name'")

    def test_syntax(self):
        """a text that is no TOML is an error with its line"""
        with self.assertRaisesRegex(CommandError, "manifest.toml: .*at line 2"):
            self.compile("name = \"x\"\nmemory ==\n")

    def test_long_archive_name(self):
        """[R04] a name in the boot archive has at most 100 bytes"""
        make_archive({"n" * 100: b""})
        with self.assertRaisesRegex(ValueError, "longer than 100 bytes"):
            make_archive({"n" * 101: b""})


if __name__ == "__main__":
    unittest.main()
