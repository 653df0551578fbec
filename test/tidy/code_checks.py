"""Checks of the C++ code: what is not used, and who may include whom."""

import re

from check import check, lines_like
from tree import CXX, Tree


@check("headers don't open namespaces", fault={"runtime/a.h": "// A.\n#pragma once\nusing name" + "space std;\n"})
def using_namespace(tree: Tree):
    yield from lines_like(tree.code((".h",)), re.compile(r"^\s*using\s+name" + "space"))


@check("a Result is never opened with .value()", fault={"servers/a.cc": "int a = read().value" + "();\n"})
def value_call(tree: Tree):
    yield from lines_like(tree.code(CXX), re.compile(r"\.value" + r"\(\)"))


@check("[R19] the product has no code of its own for tests", fault={"runtime/a.cc": "#ifdef CAPOS_TEST\n"})
def ifdef_test(tree: Tree):
    product = [file for file in tree.code(CXX) if not file.under("test", "fuzz")]
    yield from lines_like(product, re.compile(r"^\s*#\s*(el)?if.*(TEST|FUZZ)"))


@check("no C++ bit-fields in registers and formats", fault={"runtime/formats/a.cc": "struct A {\n    unsigned b : 3;\n};\n"})
def bit_fields(tree: Tree):
    files = [file for file in tree.code(CXX) if file.under("drivers", "idl/abi", "microkernel/arch", "runtime")]
    yield from lines_like(files, re.compile(r"^\s*(?:[\w:]+\s+)+\w+\s*:\s*\d+\s*;"))


@check("every atomic operation names its order", fault={"runtime/a.cc": "x = flag.load();\n"})
def atomic_order(tree: Tree):
    yield from lines_like(tree.code(CXX), re.compile(r"\.load\(\)|\.(fetch_\w+|exchange)\([^(),]*\)|"
                                                     r"\.compare_exchange_\w+\((?!.*order)"))


@check("no test is hidden or may fail", fault={"test/host/a_test.cc": 'TEST_CASE("x", "[!may' + 'fail]") {}\n'})
def hidden_tests(tree: Tree):
    yield from lines_like(tree.code((".cc",)), re.compile(r"TEST_CASE\(.*\[(\.|!may" + r"fail|!should" + r"fail)"))


# Direction of dependencies (design §2): which folder may name which first component in an #include "...". The build's include
# views enforce the same; this says it in words, and for folders that share a view.
_ALLOWED = (
    ("microkernel/core", {"core", "abi", "formats", "idl"}),
    ("microkernel/arch", {"arch", "core", "abi", "formats", "idl"}),
    ("microkernel", {"boot", "arch", "core", "abi", "formats", "idl"}),
    ("runtime/formats", {"formats", "abi"}),
    ("idl/abi", {"abi"}),
    ("runtime", {"runtime", "formats", "abi", "idl"}),
    ("drivers", {"runtime", "formats", "abi", "idl"}),
    ("servers", {"runtime", "formats", "abi", "idl"}),
    ("posix", {"runtime", "formats", "abi", "idl"}),
)
_INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')


@check("includes follow the direction of dependencies", fault={"microkernel/core/a.cc": '#include "arch/x86_64/machine.h"\n'})
def include_direction(tree: Tree):
    for file in tree.code((".cc", ".h", ".S")):
        allowed = next((names for folder, names in _ALLOWED if file.under(folder)), None)
        if allowed is None:
            continue
        for number, line in enumerate(file.lines, 1):
            found = _INCLUDE.match(line)
            if found and not _may_include(file.path, found[1], allowed):
                yield f"{file.path}:{number}: may not include {found[1]}"


def _may_include(path: str, include: str, allowed: set[str]) -> bool:
    """A name without a folder is a neighbour; a first component is a view; a server's path may be its own folder."""
    first, _, rest = include.partition("/")
    own = "/".join(path.split("/")[:2]) + "/"
    return not rest or first in allowed or (path.startswith(("drivers/", "servers/", "posix/")) and include.startswith(own))


_INSTRUCTION = re.compile(r"\s*[0-9a-f]+:\s")


@check("the kernel has no floating-point and no vector instructions", kernel="ffff: \tmovaps\t%xmm0, (%rdi)\n")
def kernel_registers(tree: Tree):
    """FPU state is saved and restored as a whole; nothing else may touch it: it belongs to the interrupted thread."""
    x87 = r"\tf(?!ninit|xsave|xrstor|wait)[a-z0-9]+\b"
    found = re.compile(rf"%[xyz]?mm\d|%st\b|{x87}")
    yield from (line.strip() for line in tree.kernel.splitlines() if _INSTRUCTION.match(line) and found.search(line))
