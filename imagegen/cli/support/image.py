"""The image that users boot: kernel, init and boot archive of one build folder, in out/."""

from pathlib import Path

from imagegen.cli.support import paths
from imagegen.cli.support.errors import CommandError
from imagegen.iso.archive import make_archive
from imagegen.iso.iso import make_iso

KERNEL = "microkernel/kernel.elf"
INIT = "servers/init/init.elf"
TARGETS = (KERNEL, INIT)
# Name in the boot archive: file below the build folder. What init reads comes here when it reads something.
ARCHIVE: dict[str, str] = {}


def system_iso(build: Path, output: Path = paths.OUT / "capos.iso", kernel_arguments: str = "") -> Path:
    """Makes `output` from a build folder in which TARGETS are built. Errors: CommandError."""
    output.parent.mkdir(parents=True, exist_ok=True)
    archive = paths.OUT / "archive.tar"
    archive.write_bytes(make_archive({name: (build / file).read_bytes() for name, file in ARCHIVE.items()}))
    try:
        make_iso(output, build / KERNEL, [("init", build / INIT), ("archive", archive)], kernel_arguments)
    except ValueError as error:
        raise CommandError(str(error), "use other kernel arguments") from error
    return output
