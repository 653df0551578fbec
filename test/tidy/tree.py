"""The files that the checks look at: those of the repository, without what git ignores; a few invented ones in a self-test."""

import dataclasses
import subprocess
from pathlib import Path

CODE = (".cc", ".h", ".c", ".S", ".py", ".capnp", ".build", ".ini", ".toml", ".ld")
CXX = (".cc", ".h")


@dataclasses.dataclass(frozen=True)
class File:
    path: str  # from the root of the tree
    data: bytes

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", "replace")

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    def has_suffix(self, suffixes: tuple[str, ...]) -> bool:
        return self.path.endswith(suffixes)

    def under(self, *folders: str) -> bool:
        return any(self.path == folder or self.path.startswith(folder + "/") for folder in folders)


@dataclasses.dataclass(frozen=True)
class Tree:
    files: tuple[File, ...]
    kernel: str = ""  # the disassembly of the kernel, where a check asks for it

    def code(self, suffixes: tuple[str, ...] = CODE) -> list[File]:
        return [file for file in self.files if file.has_suffix(suffixes)]

    def top_folders(self) -> list[str]:
        return sorted({file.path.split("/")[0] for file in self.files if "/" in file.path})

    def file(self, path: str) -> File | None:
        return next((file for file in self.files if file.path == path), None)


def of_repository(root: Path) -> tuple[File, ...]:
    """Every file that is in git or could be added. Raises CalledProcessError where there is no repository."""
    listing = subprocess.run(["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                             check=True, capture_output=True).stdout
    paths = sorted(set(listing.decode().split("\0")) - {""})
    return tuple(File(path, (root / path).read_bytes()) for path in paths if (root / path).is_file())


def invented(files: dict[str, str | bytes], kernel: str = "") -> Tree:
    return Tree(tuple(File(path, data.encode() if isinstance(data, str) else data) for path, data in files.items()), kernel)
