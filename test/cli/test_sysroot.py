"""The target's C and C++ library, tried on the host: a program linked as target programs are, its personality asks Linux."""

import subprocess
import tempfile
import unittest
from pathlib import Path

from tree import ROOT

_SYSROOT = ROOT / "third_party/sysroot"
_RUNTIME = Path("/usr/lib/llvm-19/lib/clang/19/lib/linux")
_TARGET = ["--target=x86_64-linux-musl", "-O2", "-fno-pie", "-nostdlibinc", "-Wall", "-Wextra", "-Werror"]


class SysrootTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="capos-sysroot-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def do(self, *command) -> str:
        ended = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        return ended.stdout

    def test_program(self):
        """a C++ program made with the target's libraries runs: containers, text, threads, thread-local data"""
        here = Path(__file__).parent / "sysroot"
        objects = [self.folder / "personality.o", self.folder / "program.o"]
        self.do("clang-19", *_TARGET, "-c", here / "linux_personality.c", "-o", objects[0])
        headers = ["-nostdinc++", "-isystem", _SYSROOT / "include/c++/v1", "-isystem", _SYSROOT / "include"]
        self.do("clang++-19", *_TARGET, "-std=c++23", "-fno-exceptions", "-fno-rtti", *headers, "-c", here / "program.cc", "-o",
                objects[1])
        library = _SYSROOT / "lib"
        self.do("clang-19", "--target=x86_64-linux-musl", "-fuse-ld=lld", "-nostdlib", "-static",
                "-Wl,--gc-sections,--eh-frame-hdr,--no-dependent-libraries", library / "crt1.o", library / "crti.o",
                _RUNTIME / "clang_rt.crtbegin-x86_64.o",
                *objects, library / "core/libc++.a", library / "libc.a", _RUNTIME / "libclang_rt.builtins-x86_64.a",
                _RUNTIME / "clang_rt.crtend-x86_64.o", library / "crtn.o", "-o", self.folder / "program")
        self.assertEqual(self.do(self.folder / "program"), "all good\n")

    def test_undefined(self):
        """musl leaves exactly the four functions of the personality undefined"""
        listing = self.do("llvm-nm-19", "--undefined-only", _SYSROOT / "lib/libc.a")
        names = {line.split()[-1] for line in listing.splitlines() if " U capos_" in line}
        self.assertEqual(names, {"capos_syscall", "capos_set_thread_pointer", "capos_create_thread", "capos_exit_and_unmap"})

    def test_frame_pointers(self):
        """functions of the C library keep the frame pointer, which crash records walk"""
        listing = self.do("llvm-objdump-19", "-d", "--no-show-raw-insn", "--disassemble-symbols=puts,qsort_r,vfprintf",
                          _SYSROOT / "lib/libc.a")
        self.assertGreaterEqual(listing.count("movq\t%rsp, %rbp"), 3)

    def test_paths(self):
        """the libraries do not depend on where the tree lies"""
        for name in ("libc.a", "core/libc++.a"):
            self.assertFalse(str(ROOT).encode() in (_SYSROOT / "lib" / name).read_bytes(), name)


if __name__ == "__main__":
    unittest.main()
