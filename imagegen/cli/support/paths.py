"""Where things are. Everything that is made lies in a git-ignored folder: third_party, build*, out."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
THIRD_PARTY = ROOT / "third_party"
SYSROOT = THIRD_PARTY / "sysroot"
OUT = ROOT / "out"
LOGS = OUT / "log"

KINDS = {"default": ("build", "debugoptimized"), "debug": ("build-debug", "debug"), "release": ("build-release", "release")}


def build_folder(kind: str = "default") -> Path:
    """The Meson folder of one kind of build. CAPOS_BUILD names another, for work on one tree side by side."""
    return (ROOT / os.environ.get("CAPOS_BUILD", KINDS[kind][0])).resolve()


def build_type(kind: str) -> str:
    return KINDS[kind][1]
