"""Checks of how we test: nothing is skipped softly, and CI runs what people run."""

import re

from check import check, lines_like
from tree import Tree

_SOFT = re.compile(r"\|\|\s*(true|:|exit 0|return 0)(\s|$)|\bset \+e\b|continue-on-error|"
                   r"skip(If|Unless|Test)\b|unittest\.skip|"
                   r"(?<!! )\b(command -v|which) .*(&&|; then)")


@check("[R31] CI and runners never skip softly", fault={".ci/run": "ninja test || true\n"})
def soft_skips(tree: Tree):
    ours = [file for file in tree.files
            if (file.under(".ci", "capos", "imagegen", "test", "fuzz") and not file.under("test/tidy"))
            and (file.has_suffix((".py", ".sh", ".build")) or "." not in file.path.rsplit("/", 1)[-1])]
    yield from lines_like(ours, _SOFT)


@check("[R31] CI runs ./capos test", fault={".ci/run": "echo ok\n"})
def ci_runs_tests(tree: Tree):
    script = tree.file(".ci/run")
    if script is None:
        yield ".ci/run is missing"
    elif not any(re.match(r"\s*(exec )?\./capos test\b", line) for line in script.lines):
        yield ".ci/run does not call ./capos test"
