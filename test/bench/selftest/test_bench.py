"""The benchmark's own arithmetic: what it reads from logs, and what it prints."""

import struct
import sys
import unittest
from pathlib import Path

_HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(_HERE.parent), str(_HERE.parents[1] / "system"), str(_HERE.parents[1] / "support"), str(_HERE.parents[2])]

import figures  # noqa: E402
import bench  # noqa: E402
import wall  # noqa: E402


class Figures(unittest.TestCase):
    def test_lines(self):
        """figures come from BENCH lines and from the kernel's boot line, other lines give none"""
        values = figures.read([
            "[   0.1] INFO boot: kernel_to_user 9000 ticks, kernel memory 512 KiB",
            "[   0.2] INFO bench: BENCH ipc.enter 118 121.5 1000 instructions",
            "[   0.3] INFO bench: BENCH broken line", "GRUB", "`caps` lists them. Up after 61.005 ms.",
            "machine  500 KiB, 480 KiB free; the kernel keeps 30 KiB"])
        self.assertEqual([(v.name, v.p50, v.p99, v.runs, v.unit) for v in values], [
            ("boot.kernel_to_user", 9000, 9000, 1, "instructions"), ("memory.kernel", 512, 512, 1, "KiB"),
            ("ipc.enter", 118, 121.5, 1000, "instructions"), ("boot.prompt", 61_005_000, 61_005_000, 1, "instructions"),
            ("memory.idle", 50, 50, 1, "KiB")])

    def test_table(self):
        """a missed budget is marked, and the ratio is Linux's figure over ours"""
        rows = [figures.Figure("ipc.enter", "ipc", budget=120, peers={"linux": 326, "sel4": 95}, linux_row="getppid"),
                figures.Figure("ipc.nop", "ipc", budget=250)]
        measured = (("ipc.enter", 163.0), ("ipc.nop", 250.0))
        values = {name: figures.Value(name, p50, p50, 9, "instructions") for name, p50 in measured}
        document = figures.report(rows, values, {})
        over, ok = figures.table(document).splitlines()[1:]
        self.assertIn("over", over)
        self.assertIn("2.0", over)
        self.assertIn("ok", ok)
        self.assertEqual(document["figures"][0]["peers"], {"linux": 326, "sel4": 95})
        self.assertEqual(figures.report(rows, values, {"getppid": 300.0})["figures"][0]["peers"]["linux"], 300.0)

    def test_names(self):
        """a figure is chosen by its name or its first parts, an unknown name is an error"""
        rows = [figures.Figure("ipc.enter"), figures.Figure("ipc.nop"), figures.Figure("ipcx.nop")]
        self.assertEqual([row.name for row in figures.chosen(rows, ["ipc"])], ["ipc.enter", "ipc.nop"])
        self.assertEqual(len(figures.chosen(rows, [])), 3)
        with self.assertRaises(figures.FigureError):
            figures.chosen(rows, ["ip"])

    def test_samples(self):
        """median and 99th percentile are measured values, not averages"""
        value = figures.of_samples("x", [5.0, 1.0, 100.0, 2.0, 3.0], "s")
        self.assertEqual((value.p50, value.p99, value.runs), (3.0, 100.0, 5))

    def test_wall(self):
        """the boot is split at the firmware's last and the kernel's first line"""
        lines = [(1.0, "BdsDxe: starting Boot0001"), (1.5, "[   0.000001] INFO boot: x"), (1.75, "kernel_to_user 5 ticks")]
        self.assertEqual(wall.split(lines, 0.25), {"firmware": 0.25, "grub": 1.25, "kernel": 0.25})
        self.assertEqual(wall.split(lines, None), {"firmware": 1.0, "grub": 0.5, "kernel": 0.25})
        self.assertEqual(wall.split([], None), {})

    def test_image_bytes(self):
        """the kernel's size is what a loader copies: zeroed memory and debug information don't count"""
        header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02", 2, 62, 1, 0, 64, 0, 0, 64, 56, 3, 0, 0, 0)
        sizes = ((1, 100), (1, 20), (4, 7))
        segments = b"".join(struct.pack("<IIQQQQQQ", kind, 0, 0, 0, 0, size, 4096, 0) for kind, size in sizes)
        self.assertEqual(bench.image_bytes(header + segments), 120)


if __name__ == "__main__":
    unittest.main()
