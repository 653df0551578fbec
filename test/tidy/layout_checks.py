"""Checks of files as such: size, form, README, what must not be in the repository."""

import re

from check import check, lines_like
from tree import CODE, CXX, Tree

_LINES_MAX, _COLUMNS_MAX, _README_LINES_MAX, _KERNEL_LINES_MAX = 600, 128, 20, 12000
_BINARY_BYTES_MAX = 64 * 1024


@check("files have at most 600 lines", fault={"servers/a.cc": "x\n" * 601})
def long_files(tree: Tree):
    for file in tree.code():
        if len(file.lines) > _LINES_MAX:
            yield f"{file.path}: {len(file.lines)} lines; it wants another noun"


@check("lines have at most 128 columns", fault={"servers/a.cc": "int a;" + " " * 123 + "\n"})
def long_lines(tree: Tree):
    for file in tree.code():
        for number, line in enumerate(file.lines, 1):
            if len(line) > _COLUMNS_MAX:
                yield f"{file.path}:{number}: {len(line)} columns"


@check("the microkernel has at most 12,000 lines", fault={f"microkernel/{n}.cc": "x\n" * 500 for n in range(25)})
def kernel_size(tree: Tree):
    files = [file for file in tree.code((".cc", ".h", ".S", ".c")) if file.under("microkernel")]
    lines = sum(len(file.lines) for file in files)
    if lines > _KERNEL_LINES_MAX:
        yield f"microkernel: {lines} lines"


@check("no tabs, no spaces at line ends, and a newline at the end", fault={"servers/a.cc": "\tint a;\n"})
def white_space(tree: Tree):
    ours = [file for file in tree.code() if not file.under("imagegen/recipes/musl")]  # an overlay, in musl's own form
    yield from lines_like(ours, re.compile(r"\t|\s$"))
    for file in ours:
        if file.data and not file.data.endswith(b"\n"):
            yield f"{file.path}: does not end with a newline"


@check("a header opens with its purpose and has #pragma once", fault={"runtime/a.h": "#pragma once\n"})
def header_form(tree: Tree):
    for file in tree.code((".h",)):
        if not file.text.startswith(("// ", "/* ")):
            yield f"{file.path}: does not open with a comment that tells its purpose"
        if "#pragma once" not in file.lines and not file.under("imagegen/recipes/musl"):
            yield f"{file.path}: has no #pragma once"


@check("a Python file opens with its purpose", fault={"imagegen/a.py": "import os\n"})
def python_form(tree: Tree):
    for file in tree.code((".py",)):
        lines = [line for line in file.lines if not line.startswith("#!")]
        if lines and not lines[0].startswith('"""'):
            yield f"{file.path}: does not open with a docstring that tells its purpose"


@check("each top-level folder has a README.md of at most 20 lines", fault={"servers/a.cc": ""})
def readmes(tree: Tree):
    for folder in tree.top_folders():
        if folder.startswith("."):
            continue
        readme = tree.file(f"{folder}/README.md")
        if readme is None:
            yield f"{folder}/README.md is missing"
        elif len(readme.lines) > _README_LINES_MAX:
            yield f"{folder}/README.md: {len(readme.lines)} lines"


@check("no binary files, except small seeds of fuzzers", fault={"servers/a.bin": b"\0\1"})
def binary_files(tree: Tree):
    for file in tree.files:
        seed = file.under("fuzz") and len(file.data) <= _BINARY_BYTES_MAX
        if b"\0" in file.data and not seed:
            yield f"{file.path}: is binary"


_LICENCE = re.compile("SPDX-Licen" + "se-Identifier|Copyright " + r"(\(c\)|©|\d{4})|GNU (Lesser )?General " + "Public",
                      re.IGNORECASE)


@check("no third-party code", fault={"posix/a.c": "/* SPDX-Licen" + "se-Identifier: MIT */\n"})
def third_party(tree: Tree):
    yield from lines_like(tree.code(), _LICENCE)


_PLACES = re.compile(r"/wo" + r"rk/|/home/\w|/ro" + r"ot/|"
                     r"\b(deb|archive|security)\.debian\.o" + r"rg\b|registry\.npmjs|pypi\.o" + "rg")


@check("no paths of one machine and no names of package servers", fault={"imagegen/a.py": '"""A."""\nX = "/ho' + 'me/me/x"\n'})
def places(tree: Tree):
    text = [file for file in tree.files if file.has_suffix((*CODE, ".md", ".sh", ".txt")) or "." not in file.path]
    yield from lines_like(text, _PLACES)


@check("a TO" "DO says why it is there", fault={"servers/a.cc": "// TO" + "DO\n"})
def todo_reason(tree: Tree):
    markers = re.compile(r"\b(FIX" + r"ME|XX" + r"X|HA" + r"CK)\b|\bTO" + r"DO\b(?!.{0,3}: .{20})")
    yield from lines_like(tree.code(), markers)


@check("no code that is switched off", fault={"servers/a.cc": "// call(one, two);\n"})
def dead_code(tree: Tree):
    call = r"(?:[\w:]+(?:\.|->))*[\w:]+\([^)]*\);"
    assignment = r"(?:const |auto |static )*[\w.:<>\[\]*&]+(?: \w+)? = [^;]*;"
    yield from lines_like(tree.code(CXX), re.compile(rf"^\s*//\s*(?:return [^ ]*;|{call}|{assignment})\s*$|^\s*#\s*if 0\b"))
