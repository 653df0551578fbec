"""Where the build put its programs: Meson's own list of targets, by name."""

import json
from pathlib import Path


class TargetError(Exception):
    """The build has no such program, or has not made it."""


class Targets:
    def __init__(self, build: Path):
        listing = build / "meson-info" / "intro-targets.json"
        try:
            targets = json.loads(listing.read_text())
        except (OSError, ValueError) as error:
            raise TargetError(f"{listing} cannot be read: {error}") from error
        self._files = {target["name"]: Path(target["filename"][0]) for target in targets}
        self._programs = [target["name"] for target in targets if target["type"] == "executable"]

    def starting_with(self, prefix: str) -> list[Path]:
        """The programs whose names start so, by name."""
        return [self.file(name) for name in sorted(self._programs) if name.startswith(prefix)]

    def file(self, name: str) -> Path:
        path = self._files.get(name)
        if path is None:
            raise TargetError(f"the build has no target named '{name}'")
        if not path.is_file():
            raise TargetError(f"'{name}' is not built: {path.name} is missing")
        return path
