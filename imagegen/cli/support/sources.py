"""Debian source packages: fetched by apt-get, verified here, unpacked into third_party/src.

A file lies in third_party/downloads under its own name only after its SHA-256 was found right; until then it is in
third_party/partial, which is emptied before every fetch. So an interrupted or wrong download is never used. Unpacking goes to a
temporary folder too, which is renamed when complete; .pin in it tells for which pin it was made.
"""

import hashlib
import os
import shutil
from pathlib import Path

from imagegen.cli.support import paths
from imagegen.cli.support.errors import CommandError
from imagegen.cli.support.pins import Pins, Source
from imagegen.cli.support.process import run_logged

DOWNLOADS = paths.THIRD_PARTY / "downloads"
PARTIAL = paths.THIRD_PARTY / "partial"
SOURCES = paths.THIRD_PARTY / "src"
_APT = paths.THIRD_PARTY / "apt"
_SUITES = ("", "-updates", "-security", "/updates")


def folder(name: str) -> Path:
    return SOURCES / name


def ready(source: Source) -> bool:
    stamp = folder(source.name) / ".pin"
    return stamp.is_file() and stamp.read_text() == source.digest()


def fetch_and_unpack(pins: Pins, wanted: list[Source]) -> None:
    """Errors: CommandError when something cannot be fetched, is wrong or cannot be unpacked."""
    missing = [source for source in wanted if not _downloaded(source)]
    if missing:
        apt = _private_apt(pins.suite)
        for source in missing:
            _fetch(apt, source)
        shutil.rmtree(_APT)
    for source in wanted:
        _unpack(source)


def _downloaded(source: Source) -> bool:
    return all((DOWNLOADS / name).is_file() and _sha256(DOWNLOADS / name) == wanted for name, wanted in source.files.items())


def _sha256(file: Path) -> str:
    with open(file, "rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def _fetch(apt: list, source: Source) -> None:
    shutil.rmtree(PARTIAL, ignore_errors=True)
    PARTIAL.mkdir(parents=True)
    DOWNLOADS.mkdir(parents=True, exist_ok=True)
    run_logged([*apt, "--download-only", "source", f"{source.name}={source.version}"],
               f"fetching {source.name} {source.version}", f"setup-fetch-{source.name}", cwd=PARTIAL,
               how_to_go_on="nothing of it is used; check the network and run ./capos setup again")
    for name, wanted in source.files.items():
        file = PARTIAL / name
        if not file.is_file():
            raise CommandError(f"the download of {source.name} {source.version} has no file {name}",
                               "nothing of it is used; run ./capos setup again; if it stays so, third_party.toml is wrong")
        found = _sha256(file)
        if found != wanted:
            size = file.stat().st_size
            shutil.rmtree(PARTIAL)
            raise CommandError(f"{name} ({size} bytes) has SHA-256 {found}, wanted is {wanted}: cut short or changed",
                               "it was deleted; run ./capos setup again; if it stays so, do not use that mirror")
    for name in source.files:
        os.replace(PARTIAL / name, DOWNLOADS / name)
    shutil.rmtree(PARTIAL)


def _unpack(source: Source) -> None:
    SOURCES.mkdir(parents=True, exist_ok=True)
    new = SOURCES / f".{source.name}.new"
    shutil.rmtree(new, ignore_errors=True)
    go_on = "run ./capos setup again"
    if source.unpack == "patched":
        description = next(DOWNLOADS / name for name in source.files if name.endswith(".dsc"))
        run_logged(["dpkg-source", "--no-check", "-x", description, new], f"unpacking {source.name}",
                   f"setup-unpack-{source.name}", how_to_go_on=go_on)
    else:
        archive = next(DOWNLOADS / name for name in source.files if ".orig.tar." in name)
        new.mkdir()
        wanted = [f"*/{name}" for name in source.unpack]
        unwanted = [f"--exclude=*/{name}/{part}" for name in source.unpack for part in ("test", "benchmarks", "docs")]
        options = ["--strip-components=1", "--wildcards", "--no-wildcards-match-slash"]
        run_logged(["tar", "-xf", archive, "-C", new, *options, *unwanted, *wanted], f"unpacking {source.name}",
                   f"setup-unpack-{source.name}", expected="about 10 s", how_to_go_on=go_on)
    (new / ".pin").write_text(source.digest())
    shutil.rmtree(folder(source.name), ignore_errors=True)
    os.replace(new, folder(source.name))


def _private_apt(suite: str) -> list:
    """apt-get with package lists of its own: this machine's Debian servers, source packages only."""
    shutil.rmtree(_APT, ignore_errors=True)
    for name in ("lists/partial", "cache/archives/partial", "sources"):
        (_APT / name).mkdir(parents=True)
    modern, classic = _source_lists(suite)
    if not modern and not classic:
        raise CommandError(f"no Debian server for {suite} is named in /etc/apt/sources.list or /etc/apt/sources.list.d",
                           f"capOS is set up on Debian 12 ({suite}); add its usual entry, then run ./capos setup again")
    (_APT / "sources/debian.sources").write_text("\n\n".join(modern) + "\n")
    (_APT / "sources/debian.list").write_text("\n".join(classic) + "\n")
    options = ["Dir::Etc::sourcelist=/dev/null", f"Dir::Etc::sourceparts={_APT}/sources", f"Dir::State::Lists={_APT}/lists",
               f"Dir::Cache={_APT}/cache", "APT::Sandbox::User=root", "Acquire::Retries=3", "Acquire::Languages=none"]
    apt = ["apt-get", "-q", *(word for option in options for word in ("-o", option))]
    run_logged([*apt, "update"], "reading Debian's lists of source packages", "setup-apt-sources",
               how_to_go_on="check the network and run ./capos setup again")
    return apt


def _source_lists(suite: str) -> tuple[list[str], list[str]]:
    """The machine's entries for Debian itself, turned into entries for sources: (deb822 stanzas, one-line entries)."""
    suites = {suite + ending for ending in _SUITES}
    parts = Path("/etc/apt/sources.list.d")
    files = [Path("/etc/apt/sources.list"), *(sorted(parts.iterdir()) if parts.is_dir() else [])]
    modern, classic = [], []
    for file in files:
        if not file.is_file():
            continue
        text = file.read_text(errors="replace")
        if file.suffix == ".sources":
            modern += [stanza for stanza in map(lambda one: _stanza(one, suites), text.split("\n\n")) if stanza]
        elif file.suffix == ".list":
            classic += [entry for entry in map(lambda one: _entry(one, suites), text.splitlines()) if entry]
    return modern, sorted(set(classic))


def _stanza(text: str, suites: set[str]) -> str:
    fields: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line[0] in " \t":
            fields[name] = fields.get(name, "") + "\n" + line
        else:
            name, _, value = line.partition(":")
            fields[name] = value
    chosen = [word for word in fields.get("Suites", "").split() if word in suites]
    if not chosen or "main" not in fields.get("Components", "").split() or fields.get("Enabled", "yes").strip() == "no":
        return ""
    fields.update({"Types": " deb-src", "Suites": " " + " ".join(chosen), "Components": " main"})
    fields.pop("Architectures", None)
    return "\n".join(f"{key}:{value}" for key, value in fields.items())


def _entry(line: str, suites: set[str]) -> str:
    words = line.split("#", 1)[0].split()
    if not words or words[0] not in ("deb", "deb-src"):
        return ""
    options = []
    if len(words) > 1 and words[1].startswith("["):
        end = next((index for index, word in enumerate(words) if word.endswith("]")), len(words) - 1)
        options, words = words[1:end + 1], [words[0], *words[end + 1:]]
    if len(words) < 4 or words[2] not in suites or "main" not in words[3:]:
        return ""
    return " ".join(["deb-src", *options, words[1], words[2], "main"])
