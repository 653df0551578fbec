"""./capos test adds up honestly: whatever a runner does, a failure is a failure and the last line says so."""

import argparse
import contextlib
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

_ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(_ROOT))

from imagegen.cli import test as verb  # noqa: E402

_RUNNER = '''
import json, sys
report = sys.argv[sys.argv.index("--json") + 1]
tests = {tests}
if tests is not None:
    open(report, "w").write(json.dumps(tests))
sys.exit({status})
'''


def _test(name: str, result: str) -> dict:
    return {"name": name, "requirements": [], "kind": "x", "result": result, "seconds": 0.1, "message": "why\nmore"}


class Verb(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_verb(self, runners: dict, *options: str) -> tuple[int, str, dict]:
        """`runners`: name -> (results or None, exit status). Gives status, output and the JSON document."""
        groups = []
        for name, (tests, status) in runners.items():
            (self.folder / f"{name}.py").write_text(_RUNNER.format(tests=repr(tests), status=status))
            groups.append(verb._Group(name, str(self.folder / f"{name}.py"), "tests"))
        output, report = io.StringIO(), self.folder / "report.json"
        parser = argparse.ArgumentParser()
        with mock.patch.object(verb, "_GROUPS", tuple(groups)), \
                mock.patch.object(verb, "ensure_built", lambda *_: self.folder), \
                contextlib.redirect_stdout(output), contextlib.redirect_stderr(io.StringIO()):
            verb.add_arguments(parser)
            status = verb.run(parser.parse_args([*options, "--json", str(report)]))
        return status, output.getvalue(), json.loads(report.read_text()) if report.exists() else {}

    def test_success(self):
        """all passed: status 0, the last line counts, the JSON has the documented shape"""
        status, output, document = self.run_verb({"one": ([_test("a", "passed"), _test("b", "passed")], 0)})
        self.assertEqual((status, output.splitlines()[-1]), (0, "2 passed, 0 failed, 0 skipped"))
        self.assertEqual((document["passed"], document["failed"], document["skipped"]), (2, 0, 0))
        self.assertLessEqual({"name", "requirements", "kind", "result", "seconds"}, set(document["tests"][0]))

    def test_failure(self):
        """a failure: status 1, named at the end with how to run it again"""
        status, output, _ = self.run_verb({"one": ([_test("it's", "failed")], 1), "two": ([_test("b", "passed")], 0)})
        self.assertEqual((status, output.splitlines()[-1]), (1, "1 passed, 1 failed, 0 skipped"))
        self.assertIn("again: ./capos test --one --filter 'it'\\''s'", output)

    def test_no_tests(self):
        """no tests at all is a failure"""
        status, output, _ = self.run_verb({"one": ([], 0)})
        self.assertEqual((status, output.splitlines()[-1]), (1, "0 passed, 0 failed, 0 skipped"))

    def test_broken_runners(self):
        """[R31] a runner that cannot work, dies, or contradicts its own report is a failure"""
        good = [_test("a", "passed")]
        for tests, status in ((None, 0), (None, 2), (good, 2), (good, 1), (good, -9), ([_test("a", "failed")], 0)):
            with self.subTest(tests=tests, status=status):
                code = f"__import__('os').kill(__import__('os').getpid(), {-status})" if status < 0 else status
                result, output, document = self.run_verb({"one": (tests, code), "two": (good, 0)})
                self.assertEqual(result, 1)
                self.assertIn("one: the runner does its work", output)
                self.assertGreater(document["failed"], 0)

    def test_budget(self):
        """a tier that takes a quarter longer than its budget fails"""
        with mock.patch.dict(verb._TIERS, {"ci": 1e-9}):
            status, output, _ = self.run_verb({"one": ([_test("a", "passed")], 0)})
        self.assertEqual((status, output.splitlines()[-1]), (1, "1 passed, 1 failed, 0 skipped"))

    def test_groups(self):
        """only the kinds named run; a number of CPUs is a matter of systems"""
        runners = {"host": ([_test("a", "passed")], 0), "system": ([_test("b", "passed")], 0)}
        self.assertEqual(self.run_verb(runners, "--host")[2]["passed"], 1)
        self.assertEqual([t["name"] for t in self.run_verb(runners, "--cpus", "2")[2]["tests"]], ["b"])


if __name__ == "__main__":
    unittest.main()
