"""Reads imagegen/third_party.toml, the one list of everything from outside."""

import hashlib
import tomllib
from dataclasses import dataclass

from imagegen.cli.support import paths
from imagegen.cli.support.errors import CommandError

FILE = paths.ROOT / "imagegen/third_party.toml"


@dataclass(frozen=True)
class Source:
    """One Debian source package. `unpack` is "patched", or the folders of the original archive that are wanted."""

    name: str
    version: str
    unpack: str | tuple[str, ...]
    files: dict[str, str]

    def digest(self) -> str:
        return hashlib.sha256(repr((self.name, self.version, self.unpack, sorted(self.files.items()))).encode()).hexdigest()


@dataclass(frozen=True)
class Pins:
    suite: str
    packages: dict[str, str]
    sources: tuple[Source, ...]

    def source(self, name: str) -> Source:
        return next(source for source in self.sources if source.name == name)


def read() -> Pins:
    """Errors: CommandError when the file is not what it should be."""
    try:
        table = tomllib.loads(FILE.read_text(encoding="utf-8"))
        sources = tuple(Source(entry["name"], entry["version"], entry["unpack"] if isinstance(entry["unpack"], str)
                               else tuple(entry["unpack"]), dict(entry["files"])) for entry in table["source"])
        return Pins(table["suite"], dict(table["packages"]), sources)
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise CommandError(f"{FILE.relative_to(paths.ROOT)} cannot be read: {error!r}",
                           "mend it, or take it back from git: git checkout imagegen/third_party.toml") from error
