"""The boot archive, the third module: a POSIX ustar file that depends on names and contents only."""

import tarfile
from pathlib import Path


def make_archive(output: Path, files: dict[str, Path]) -> None:
    """Packs `files` (name in the archive: file). Errors: ValueError for a name that is not a plain relative path."""
    with tarfile.open(output, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(files, key=str.encode):
            if not name or any(part in ("", ".", "..") for part in name.split("/")):
                raise ValueError(f"{name!r} is not a plain relative path")
            entry = tarfile.TarInfo(name)
            entry.size = files[name].stat().st_size
            entry.mode = 0o444
            with open(files[name], "rb") as content:
                archive.addfile(entry, content)
