"""Scenario files: what they may say, and the cases that one expands to.

A scenario is a TOML file in scenarios/. A key that is not in the tables below, or a value of another type, is an error that
names file and key: a misspelt `refuse` must not pass as a test that refuses nothing. In an expected line, {cpus} stands for the
case's number of CPUs.
"""

import dataclasses
import itertools
import tomllib
from pathlib import Path

TIERS = ("commit", "ci", "nightly")
EXITS = ("alive", "off", "panic", "timeout")  # or a number: the value that the guest wrote to the exit port
DEFAULT_REFUSE = ("/(?i)panic/", "/\\bERROR\\b/", "/(?i)assertion/")


class ScenarioError(Exception):
    """File, key and what is wrong with it."""


def _text(value) -> str | None:
    return None if isinstance(value, str) and value else "is not a text"


def _flag(value) -> str | None:
    return None if isinstance(value, bool) else "is not true or false"


def _number(low: int, high: int):
    def check(value) -> str | None:
        good = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return None if good else f"is not a whole number from {low} to {high}"

    return check


def _one_of(*words):
    return lambda value: None if value in words and not isinstance(value, bool) else f"is none of {', '.join(words)}"


def _list(check):
    def check_all(value) -> str | None:
        if not isinstance(value, list):
            return "is not a list"
        return next((f"holds {item!r}, which {problem}" for item in value if (problem := check(item))), None)

    return check_all


def _filled(check):
    return lambda value: "is empty" if value == [] else check(value)


def _exit(value) -> str | None:
    if value in EXITS or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 127):
        return None
    return f"is neither {', '.join(EXITS)} nor a number from 0 to 127"


def _table(keys, required=()):
    """A table whose keys all stand in `keys`; its message starts with the key at fault."""

    def check(value) -> str | None:
        if not isinstance(value, dict):
            return "is not a table"
        for key, item in value.items():
            if key not in keys:
                return f"has an unknown key '{key}'"
            if problem := keys[key](item):
                return f"has a key '{key}' that {problem}"
        return next((f"lacks the key '{key}'" for key in required if key not in value), None)

    return check


def _byte_count(value) -> str | None:
    return None if value == "seeded" else _number(0, 1 << 40)(value)


_MATRIX = {
    "tier": _one_of(*TIERS),
    "cpus": _filled(_list(_number(1, 64))),
    "memory": _filled(_list(_number(1, 65536))),
    "firmware": _filled(_list(_one_of("bios", "uefi"))),
    "iommu": _filled(_list(_flag)),
    "deadline": _number(1, 7200),
    "samples": _number(1, 1000),
}
_FAULT = {
    "kind": _one_of("truncate", "replace", "writable_code"),
    "bytes": _byte_count,
    "text": _text,
}
_IMAGE = {
    "init": lambda value: None if isinstance(value, str) else "is not a text",
    "fault": _table(_FAULT, required=("kind",)),
    "archive": _flag,
    "manifest": _text,
    "bad_manifest": _flag,
    "arguments": _list(_text),
}
_SCENARIO = _MATRIX | {
    "name": _text,
    "requirements": _list(_text),
    "devices": _list(_text),
    "image": _table(_IMAGE, required=("init",)),
    "script": _list(_table({"after": _text, "type": _text}, required=("after", "type"))),
    "monitor": _list(_table({"after": _text, "wait": _number(0, 60), "command": _text},
                            required=("after", "command"))),
    "expect": _list(_text),
    "refuse": _list(_text),
    "exit": _exit,
    "tests": _number(1, 100000),
    "canary": _flag,
    "run": _filled(_list(_table(_MATRIX))),
}
_DEFAULTS = {
    "tier": "commit", "cpus": [1], "memory": [512], "firmware": ["bios"], "iommu": [True], "deadline": 120,
    "samples": 1,
    "requirements": [], "devices": [], "script": [], "monitor": [], "expect": [], "refuse": list(DEFAULT_REFUSE),
    "exit": "alive",
    "tests": 0, "canary": False,
}


@dataclasses.dataclass(frozen=True)
class Image:
    """How the ISO is wired. Programs are named as their build targets; an empty name means that the module is missing."""

    init: str
    fault: dict | None
    archive: bool
    manifest: str | None  # in manifests/; none: the system's own, for init
    bad_manifest: bool    # goes into the image although imagegen would refuse it
    arguments: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Case:
    """One run of one guest."""

    scenario: str
    requirements: tuple[str, ...]
    tier: str
    cpus: int
    memory: int  # MiB
    firmware: str
    iommu: bool
    deadline: int  # seconds
    sample: int    # which of several that differ by lot; 0 when there is only one
    devices: tuple[str, ...]
    image: Image
    script: tuple[tuple[str, str], ...]  # (text to wait for, line to type)
    monitor: tuple[tuple[str, int, str], ...]  # (line to wait for, seconds to let pass then, command to the emulator)
    expect: tuple[str, ...]
    refuse: tuple[str, ...]
    exit: str | int
    tests: int  # the program reports at least so many checks on the log; 0: none
    canary: bool

    @property
    def name(self) -> str:
        iommu = "iommu" if self.iommu else "no-iommu"
        sample = f",#{self.sample}" if self.sample else ""
        return f"{self.scenario}[{self.firmware},{self.cpus}cpu,{self.memory}M,{iommu}{sample}]"

    def in_tier(self, tier: str) -> bool:
        """A tier holds the smaller ones."""
        return TIERS.index(self.tier) <= TIERS.index(tier)


def load(path: Path) -> list[Case]:
    """The cases of one file, in the order of its runs. Raises ScenarioError."""
    try:
        data = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path.name}: {error}") from error
    if problem := _table(_SCENARIO, required=("name", "image"))(data):
        raise ScenarioError(f"{path.name}: {problem}")
    if problem := _inconsistent(data):
        raise ScenarioError(f"{path.name}: {problem}")
    cases = [case for run in data.get("run", [{}]) for case in _expand(_DEFAULTS | data | run)]
    names = [case.name for case in cases]
    if doubles := {name for name in names if names.count(name) > 1}:
        raise ScenarioError(f"{path.name}: key 'run' gives {min(doubles)} twice")
    return cases


def _inconsistent(data: dict) -> str | None:
    """What no single key shows: a scenario that could not fail."""
    if data.get("exit", "alive") == "alive" and not data.get("expect") and not data.get("tests"):
        return "key 'expect' is missing: an 'alive' guest is judged by what it says"
    fault = data["image"].get("fault")
    if fault and {"truncate": "bytes", "replace": "text"}.get(fault["kind"], "kind") not in fault:
        return f"key 'fault' of kind {fault['kind']} lacks its size or text"
    return None


def _samples(count: int) -> range:
    return range(0, 1) if count == 1 else range(1, count + 1)


def _expand(data: dict) -> list[Case]:
    image = data["image"]
    wiring = Image(image["init"], image.get("fault"), image.get("archive", True), image.get("manifest"),
                   image.get("bad_manifest", False), tuple(image.get("arguments", ())))
    return [
        Case(
            scenario=data["name"], requirements=tuple(data["requirements"]), tier=data["tier"], cpus=cpus, memory=memory,
            firmware=firmware, iommu=iommu, deadline=data["deadline"], sample=sample, devices=tuple(data["devices"]),
            image=wiring,
            script=tuple((step["after"], step["type"]) for step in data["script"]),
            monitor=tuple((step["after"], step.get("wait", 0), step["command"]) for step in data["monitor"]),
            expect=tuple(line.replace("{cpus}", str(cpus)) for line in data["expect"]),
            refuse=tuple(data["refuse"]), exit=data["exit"], tests=data["tests"], canary=data["canary"],
        )
        for firmware, cpus, memory, iommu, sample in itertools.product(
            data["firmware"], data["cpus"], data["memory"], data["iommu"], _samples(data["samples"]))
    ]
