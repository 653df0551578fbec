"""The image that users boot: kernel, init and boot archive of one build folder, in out/."""

from pathlib import Path

from imagegen.cli.support import paths
from imagegen.cli.support.errors import CommandError
from imagegen.iso.iso import make_iso
from imagegen.manifest.boot import CHECK, INTERFACES, boot_archive, programs, stripped

KERNEL = "microkernel/kernel.elf"
INIT = "servers/init/init.elf"
MANIFEST = paths.ROOT / "servers/manifest.toml"


def targets() -> list[str]:
    """The build targets that the image needs."""
    return [KERNEL, INIT, CHECK, INTERFACES, *(_target(f"{name}.elf") for name in programs(MANIFEST))]


def system_archive(build: Path) -> bytes:
    """The boot archive of the default system. Errors: CommandError."""
    return boot_archive(MANIFEST, build, lambda name: build / _target(name))


def system_iso(build: Path, output: Path = paths.OUT / "capos.iso", kernel_arguments: str = "") -> Path:
    """Makes `output` from a build folder in which targets() are built. Errors: CommandError."""
    output.parent.mkdir(parents=True, exist_ok=True)
    archive, init = paths.OUT / "archive.tar", paths.OUT / "init.elf"
    archive.write_bytes(system_archive(build))
    init.write_bytes(stripped(build / INIT))
    try:
        make_iso(output, build / KERNEL, [("init", init), ("archive", archive)], kernel_arguments)
    except ValueError as error:
        raise CommandError(str(error), "use other kernel arguments") from error
    return output


def _target(program: str) -> str:
    """NAME.elf is built in servers/NAME or drivers/NAME."""
    name = program.removesuffix(".elf")
    folder = next((folder for folder in ("servers", "drivers") if (paths.ROOT / folder / name).is_dir()), None)
    if folder is None:
        raise CommandError(f"{MANIFEST}: bin/{name}: there is neither servers/{name} nor drivers/{name}", "mend the manifest")
    return f"{folder}/{name}/{program}"
