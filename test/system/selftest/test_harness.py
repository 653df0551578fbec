"""The harness against a fake emulator: each way in which a guest can disappoint has to be seen, and named."""

import contextlib
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

_HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(_HERE.parent))

import run  # noqa: E402


def _copy_init(output: Path, kernel: Path, modules: list, kernel_arguments: str) -> None:
    """In place of the ISO: what init would be, which is the fake emulator's text."""
    output.write_bytes(dict(modules)["init"].read_bytes())


class Harness(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "meson-info").mkdir()
        (self.folder / "scenarios").mkdir()
        for name in ("kernel.elf", "init"):
            (self.folder / name).write_text("program")
        self._targets(["kernel.elf", "init"])

    def _targets(self, names: list[str]) -> None:
        listing = [{"name": name, "type": "executable", "filename": [str(self.folder / name)]} for name in names]
        (self.folder / "meson-info" / "intro-targets.json").write_text(json.dumps(listing))

    def scenario(self, text: str, play: str = "", name: str = "a") -> None:
        """Writes one scenario file; its guest acts out `play`."""
        image = f'[image]\ninit = "init"\n[image.fault]\nkind = "replace"\ntext = """\n{play}"""\n' if play else ""
        (self.folder / "scenarios" / f"{name}.toml").write_text(f'name = "{name}"\ndeadline = 5\n{text}\n{image}')

    def run_harness(self, *extra: str) -> tuple[int, list[dict], str]:
        """Exit status, results and terminal output."""
        output, report = io.StringIO(), self.folder / "results.json"
        arguments = ["run.py", "--build", str(self.folder), "--json", str(report), "--qemu", str(_HERE / "fake_qemu.py"),
                     "--scenarios", str(self.folder / "scenarios"), "--output", str(self.folder / "output"), *extra]
        with mock.patch.object(sys, "argv", arguments), mock.patch.object(run, "make_iso", _copy_init), \
                contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            status = run.main()
        return status, json.loads(report.read_text()) if report.exists() else [], output.getvalue()

    def failure(self, *extra: str) -> str:
        """The message of the only result, which has to be a failure."""
        status, collected, _ = self.run_harness(*extra)
        self.assertEqual((status, [r["result"] for r in collected]), (1, ["failed"]), collected)
        return collected[0]["message"]

    def passes(self, *extra: str) -> list[dict]:
        status, collected, output = self.run_harness(*extra)
        self.assertEqual((status, {r["result"] for r in collected}), (0, {"passed"}), output)
        return collected

    # --- what a guest does ---

    def test_good(self):
        """a guest that says what is expected, in order, passes and keeps its transcript"""
        self.scenario('requirements = ["R12"]\nexpect = ["first", "/sec.nd/"]', "say first\nsay between\nsay second")
        result, = self.passes()
        self.assertEqual((result["name"], result["kind"]), ("a[bios,1cpu,512M,iommu]", "system"))
        self.assertEqual(result["requirements"], ["R12"])
        self.assertIn("between", (self.folder / "output" / f"{result['name']}.log").read_text())

    def test_order(self):
        """expected lines in the wrong order fail"""
        self.scenario('exit = "off"\nexpect = ["first", "second"]', "say second\nsay first\nexit 33")
        self.assertIn("expected line 2 of 2 is missing: second", self.failure())

    def test_monitor(self):
        """commands go to the emulator's monitor after their lines, and its answers are a part of the transcript"""
        steps = 'monitor = [{after = "up", command = "one"}, {after = "answer to one", command = "two"}]'
        self.scenario(f'{steps}\nexpect = ["up", "monitor: answer to one", "monitor: answer to two"]', "say up")
        self.passes()
        self.scenario(f'{steps}\nexpect = ["up", "monitor: answer to two"]', "say down")
        self.assertIn("expected line 1 of 2 is missing: up", self.failure())

    def test_monitor_gone(self):
        """a monitor that cannot be reached fails the run, and is named"""
        self.scenario('monitor = [{after = "up", command = "one"}]\nexpect = ["up"]', "say up")
        with mock.patch("monitor._SOCKET", "elsewhere"), mock.patch("monitor.options", lambda folder: []):
            self.assertIn("no connection to the emulator's monitor", self.failure())

    def test_deadline(self):
        """a guest that stays silent until its deadline fails, with how to run it again"""
        self.scenario('expect = ["never"]\n[[run]]\ndeadline = 1', "say other")
        message = self.failure("--seed", "7")
        self.assertIn("after 1 s: expected line 1 of 1 is missing: never", message)
        self.assertIn("other", message)
        self.assertIn("--seed 7 --filter 'a[bios,1cpu,512M,iommu]'", message)

    def test_no_exit(self):
        """a guest that was to end and runs on fails"""
        self.scenario('exit = "off"\nexpect = ["done"]\n[[run]]\ndeadline = 1', "say done")
        self.assertIn("still runs", self.failure())

    def test_early_death(self):
        """a guest that was to stay alive and ends fails, even when it said everything"""
        self.scenario('expect = ["hello"]', "say hello\nexit 33")
        self.assertIn("the guest ended early (the guest wrote exit value 0x10)", self.failure())

    def test_emulator_failure(self):
        """an emulator that refuses its command line is told apart from a guest"""
        self.scenario('expect = ["hello"]', "say qemu: no such machine\nexit 1")
        self.assertIn("the emulator failed with status 1", self.failure())

    def test_exit_values(self):
        """orderly end, panic and a value of the guest's own are told apart"""
        for name, status, value in (("off", 33, '"off"'), ("panic", 35, '"panic"'), ("own", 11, "5")):
            self.scenario(f"exit = {value}", f"exit {status}", name)
        self.assertEqual(len(self.passes()), 3)
        self.scenario('exit = "off"', "exit 35", "off")
        status, collected, _ = self.run_harness("--filter", "off[")
        self.assertEqual(status, 1)
        self.assertIn("the guest wrote exit value 0x11", collected[0]["message"])

    def test_whole_deadline(self):
        """'timeout' holds only for a guest that lives through its whole deadline"""
        self.scenario('exit = "timeout"\n[[run]]\ndeadline = 1', "say alive")
        self.passes()
        self.scenario('exit = "timeout"\n[[run]]\ndeadline = 1', "exit 0")
        self.assertIn("switched off", self.failure())

    # --- what must not appear ---

    def test_refused(self):
        """a panic, an error and an assertion are refused without being asked for"""
        for line in ("[   0.1] ERROR init: no", "kernel panic", "Assertion failed"):
            self.scenario('expect = ["hello"]', f"say hello\nsay {line}")
            self.assertIn(f"refused line: {line}", self.failure())

    def test_expected_error(self):
        """an expected error is not refused, a second one is"""
        self.scenario('expect = ["ERROR boot: no init"]', "say ERROR boot: no init")
        self.passes()
        self.scenario('expect = ["ERROR boot: no init"]', "say ERROR boot: no init\nsay ERROR boot: and more")
        self.assertIn("refused line: ERROR boot: and more", self.failure())

    def test_refused_by_name(self):
        """a pattern of the scenario's own replaces the usual ones"""
        self.scenario('expect = ["hello"]\nrefuse = ["/b.d/"]', "say ERROR\nsay hello\nsay bad")
        self.assertIn("refused line: bad", self.failure())

    # --- what is typed ---

    def test_script(self):
        """each line is typed once its prompt is there"""
        self.scenario('script = [{after = "> ", type = "one"}, {after = "> ", type = "two"}]\nexpect = ["got one", "got two"]',
                      "prompt > \nread\nprompt > \nread")
        self.passes()

    def test_script_prompt_missing(self):
        """a prompt that never comes is named"""
        self.scenario('script = [{after = "login:", type = "x"}]\nexpect = ["up"]\n[[run]]\ndeadline = 1', "say up")
        self.assertIn("never showed 'login:'", self.failure())

    # --- checks of the guest's own ---

    def test_checks(self):
        """each TEST line is a result of its own, with the requirement in its name"""
        self.scenario("tests = 2", "say INFO t: TEST [R10] division ends it ok\nsay INFO t: TEST other FAILED: why\n"
                                   "say TEST done 2")
        status, collected, _ = self.run_harness()
        self.assertEqual(status, 1)
        self.assertEqual([(r["name"], r["result"], r["requirements"]) for r in collected], [
            ("a[bios,1cpu,512M,iommu]", "passed", []),
            ("a[bios,1cpu,512M,iommu] [R10] division ends it", "passed", ["R10"]),
            ("a[bios,1cpu,512M,iommu] other", "failed", [])])
        self.assertIn("why", collected[2]["message"])

    def test_checks_unfinished(self):
        """a test program that does not get to its end fails"""
        self.scenario("tests = 1\n[[run]]\ndeadline = 1", "say TEST one ok")
        status, collected, _ = self.run_harness()
        self.assertEqual((status, collected[0]["result"]), (1, "failed"))
        self.assertIn("'TEST done N' is missing after 1 checks", collected[0]["message"])

    def test_checks_lost(self):
        """fewer checks than announced, or than the scenario wants, fail"""
        self.scenario("tests = 1", "say TEST one ok\nsay TEST done 2")
        self.assertIn("announced 2 checks and reported 1", self.run_harness()[1][0]["message"])
        self.scenario("tests = 5", "say TEST one ok\nsay TEST done 1")
        self.assertIn("1 checks ran, at least 5", self.run_harness()[1][0]["message"])

    # --- the canary, and tests that are none ---

    def test_canary(self):
        """a canary passes by failing, and fails by passing"""
        self.scenario('canary = true\nexpect = ["never"]\n[[run]]\ndeadline = 1', "say other")
        self.assertEqual(len(self.passes()), 1)
        self.scenario('canary = true\nexpect = ["other"]', "say other")
        self.assertIn("must fail has passed", self.failure())

    def test_nothing_to_run(self):
        """a folder without scenarios is no success"""
        status, _, output = self.run_harness()
        self.assertEqual(status, 2)
        self.assertIn("no scenario", output)

    def test_missing_tool(self):
        """[R31] a missing emulator is a failure, never a skipped test"""
        self.scenario('expect = ["hello"]', "say hello")
        status, _, output = self.run_harness("--qemu", "no-such-emulator")
        self.assertEqual(status, 2)
        self.assertIn("no-such-emulator is not installed", output)

    def test_missing_program(self):
        """[R31] a program that the build lacks fails the scenario that names it"""
        self.scenario('expect = ["hello"]\n[image]\ninit = "nobody"')
        self.assertIn("no target named 'nobody'", self.failure())

    # --- selection and order ---

    def test_matrix(self):
        """a run expands to all its combinations, a tier holds the smaller ones"""
        self.scenario('expect = ["x"]\n[[run]]\ncpus = [1, 2]\nfirmware = ["bios", "uefi"]\n'
                      '[[run]]\ntier = "nightly"\nmemory = [128]', "say x")
        names = [r["name"] for r in self.run_harness("--list")[1]]
        self.assertEqual(names, ["a[bios,1cpu,512M,iommu]", "a[bios,2cpu,512M,iommu]", "a[uefi,1cpu,512M,iommu]",
                                 "a[uefi,2cpu,512M,iommu]"])
        self.assertEqual(len(self.run_harness("--list", "--tier", "nightly")[1]), 5)
        self.assertEqual(len(self.run_harness("--list", "--cpus", "2")[1]), 2)

    def test_requirement(self):
        """--requirement picks the scenarios that state it"""
        self.scenario('requirements = ["R10"]\nexpect = ["x"]', "say x", "a")
        self.scenario('expect = ["x"]', "say x", "b")
        self.assertEqual([r["name"][0] for r in self.run_harness("--list", "--requirement", "R10")[1]], ["a"])

    # --- images ---

    def test_seeded_truncation(self):
        """a seeded fault is the same for one seed and another for another"""
        (self.folder / "init").write_text("say hello\n" * 1000)
        self.scenario('canary = true\nexpect = ["never"]\n[image]\ninit = "init"\n'
                      'fault = {kind = "truncate", bytes = "seeded"}\n[[run]]\ndeadline = 1')
        sizes = []
        for seed in ("1", "1", "2"):
            self.run_harness("--seed", seed)
            sizes.append(sorted(path.stat().st_size for path in (self.folder / "output" / "images").glob("*.iso")))
        self.assertEqual(sizes[0], sizes[1])
        self.assertEqual(len(sizes[2]), 2)


if __name__ == "__main__":
    unittest.main()
