"""The boot archive, the third module: a POSIX ustar file that depends on names and contents only.

It is read by runtime/formats/ustar.h.
"""

import io
import tarfile

NAME_BYTES_MAX = 100


def make_archive(files: dict[str, bytes]) -> bytes:
    """`files` (name in the archive: content), packed. Errors: ValueError for a name that is not a plain relative path."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(files, key=str.encode):
            if not name or any(part in ("", ".", "..") for part in name.split("/")):
                raise ValueError(f"{name!r} is not a plain relative path")
            if len(name.encode()) > NAME_BYTES_MAX:
                raise ValueError(f"{name!r} is longer than {NAME_BYTES_MAX} bytes")
            entry = tarfile.TarInfo(name)
            entry.size = len(files[name])
            entry.mode = 0o444
            archive.addfile(entry, io.BytesIO(files[name]))
    return packed.getvalue()
