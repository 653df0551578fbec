"""A small tree of its own for a test of ./capos: the real command and imagegen, a pin file with one source, and faked programs.

Nothing here touches the real third_party, build or network. A fake is a Python script in `bin`, which is all of PATH (with the
few real programs named in _REAL); what apt-get does is chosen by the environment variable FAKE_APT.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_REAL = ("env", "sh", "tar", "gzip", "sleep")

CONTENT = b"the original archive\n" * 1000
PINS = f"""
suite = "bookworm"
[packages]
clang-19 = "1"
toy-tool = "1"
[[source]]
name = "musl"
version = "1"
unpack = "patched"
[source.files]
"musl_1.dsc" = "{hashlib.sha256(CONTENT).hexdigest()}"
[[source]]
name = "llvm-toolchain-19"
version = "1"
unpack = "patched"
[source.files]
"llvm-toolchain-19_1.dsc" = "{hashlib.sha256(CONTENT).hexdigest()}"
"""
_DPKG_QUERY = """
import os, sys
for name in sys.argv[4:]:
    if name not in os.environ.get("FAKE_NOT_INSTALLED", "").split():
        print(name, "ii", "1")
"""
_APT_GET = f"""
import os, pathlib, sys, time
mode = os.environ.get("FAKE_APT", "good")
if sys.argv[-1] == "update" or "install" in sys.argv:
    sys.exit(100 if mode == "no network" else 0)
name = sys.argv[-1].split("=")[0]
file = pathlib.Path(name + "_1.dsc")
content = b"the original archive\\n" * 1000
if mode == "broken off":
    file.write_bytes(content[:5000]); print("Connection failed"); sys.exit(100)
if mode == "hangs":
    file.write_bytes(content[:5000]); print("waiting", flush=True); time.sleep(60)
if mode == "wrong name":
    file = pathlib.Path("other.dsc")
try:
    file.write_bytes({{"short": content[:5000], "changed": content.replace(b"o", b"0")}}.get(mode, content))
except OSError as error:
    sys.exit("E: " + error.strerror)
"""
_DPKG_SOURCE = "import pathlib, sys; pathlib.Path(sys.argv[-1]).mkdir()"


class Tree:
    """Use as a context manager."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="capos-cli-"))
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        for name in _REAL:
            (self.bin / name).symlink_to(shutil.which(name) or f"/bin/{name}")
        shutil.copy(ROOT / "capos", self.folder)
        for name in ("imagegen", "fuzz/support"):  # all that the verbs import
            shutil.copytree(ROOT / name, self.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        (self.folder / "imagegen/third_party.toml").write_text(PINS)
        for name, text in (("dpkg-query", _DPKG_QUERY), ("apt-get", _APT_GET), ("dpkg-source", _DPKG_SOURCE)):
            self.fake(name, text)

    def __enter__(self) -> "Tree":
        return self

    def __exit__(self, *_) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def fake(self, name: str, text: str) -> None:
        program = self.bin / name
        program.write_text(f"#!{sys.executable}\n{text}\n")
        program.chmod(0o755)

    def mark_set_up(self) -> None:
        """As if ./capos setup had done everything."""
        code = ("from imagegen.cli.support import pins, sources, sysroot, paths\n"
                "p = pins.read()\n"
                "for s in p.sources:\n"
                "    sources.folder(s.name).mkdir(parents=True); (sources.folder(s.name) / '.pin').write_text(s.digest())\n"
                "paths.SYSROOT.mkdir(); (paths.SYSROOT / '.stamp').write_text(sysroot.digest(p, '1'))\n")
        subprocess.run([sys.executable, "-c", code], cwd=self.folder, check=True)

    def start(self, *arguments: str, environment: dict | None = None, **options) -> subprocess.Popen:
        return subprocess.Popen([sys.executable,
    self.folder / "capos",
    *arguments],
    cwd=self.folder,
    stdin=subprocess.DEVNULL,
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
    env={"PATH": str(self.bin),
    "HOME": str(self.folder),
    "PYTHONDONTWRITEBYTECODE": "1",
    **(environment or {})},
     **options)

    def run(self, *arguments: str, environment: dict | None = None, **options) -> tuple[int, str]:
        """Exit status, and everything that was printed."""
        child = self.start(*arguments, environment=environment, **options)
        try:
            output, _ = child.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            child.kill()
            raise
        return child.returncode, output

    def interrupt_when(self, child: subprocess.Popen, ready, number: int = signal.SIGINT) -> tuple[int, str]:
        """Waits until `ready()`, interrupts as Ctrl-C does, and gives status and output."""
        deadline = time.monotonic() + 20
        while not ready() and time.monotonic() < deadline and child.poll() is None:
            time.sleep(0.02)
        os.kill(child.pid, number)
        output, _ = child.communicate(timeout=20)
        return child.returncode, output

    def downloads(self) -> list[str]:
        folder = self.folder / "third_party/downloads"
        return sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []
