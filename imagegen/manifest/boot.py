"""The boot archive of a system: its manifest as a message, and every program that the manifest names, without symbols.

The manifest names the file bin/NAME for what Meson builds as NAME.elf. What init would refuse is refused here, by the same
code.
"""

import subprocess
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path

from imagegen.cli.support.errors import CommandError
from imagegen.cli.support.process import start
from imagegen.iso.archive import make_archive
from imagegen.manifest.compiler import Interfaces, compile_manifest

INTERFACES = "idl/include/idl/capos_interfaces.json"
CHECK = "imagegen/manifest/check-archive"


def programs(manifest: Path) -> list[str]:
    """NAME of each bin/NAME that a manifest names. What is wrong with it is told when it is compiled."""
    try:
        services = tomllib.loads(manifest.read_text(encoding="utf-8")).get("service", {}).values()
        binaries = {service.get("binary", "") for service in services}
    except (tomllib.TOMLDecodeError, AttributeError, TypeError):
        return []
    return sorted(binary[4:] for binary in binaries if isinstance(binary, str) and binary.startswith("bin/"))


def boot_archive(manifest: Path, build: Path, program: Callable[[str], Path], check: bool = True) -> bytes:
    """`program` finds NAME.elf. Errors: CommandError with every problem of the manifest; what `program` raises."""
    files = {"manifest": compile_manifest(manifest, Interfaces(build / INTERFACES))}
    for name in programs(manifest):
        files[f"bin/{name}"] = stripped(program(f"{name}.elf"))
    archive = make_archive(files)
    if check:
        _check(manifest, build / CHECK, archive)
    return archive


def stripped(program: Path) -> bytes:
    """A program without symbols and debug information: what it takes to run, and schema tables. Errors: CommandError."""
    with tempfile.TemporaryDirectory(prefix="capos-strip-") as folder:
        output = Path(folder) / program.name
        words = ["llvm-strip-19", "--strip-all", "--keep-section=.capos.schemas", program, "-o", output]
        child = start(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        complaint, _ = child.communicate()
        if child.returncode != 0:
            raise CommandError(f"llvm-strip-19 failed for {program}:\n{complaint.decode(errors='replace').strip()}",
                               "./capos build makes the program anew")
        return output.read_bytes()


def _check(manifest: Path, tool: Path, archive: bytes) -> None:
    with tempfile.NamedTemporaryFile(prefix="capos-archive-") as file:
        file.write(archive)
        file.flush()
        child = start([tool, file.name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        problems, _ = child.communicate()
    if child.returncode != 0:
        raise CommandError(f"{manifest}:\n{problems.decode(errors='replace').strip()}",
                           "mend the manifest; the rules are in servers/init/manifest_check.h")
