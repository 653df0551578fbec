"""The readable manifest (TOML; servers/manifest.toml shows the form) to the message that init reads.

Here every key and value is checked by itself. Whether the whole makes sense is decided by the same code as in init
(servers/init/manifest_check.h), once the boot archive is there.
"""

import json
import re
import subprocess
import tomllib
from pathlib import Path

from imagegen.cli.support.errors import CommandError
from imagegen.cli.support.process import start
from imagegen.manifest.tables import Mistake, flag, list_of, memory, named, number, one_of, table, text

VERSION = 1
_SCHEMA = Path(__file__).resolve().parents[2] / "idl/manifest.capnp"
_U8, _U16, _U32 = (number((1 << bits) - 1) for bits in (8, 16, 32))
_KIB32, _KIB64 = memory((1 << 32) - 1), memory((1 << 40) - 1)


class Interfaces:
    """Ids of interfaces by name, from the description that idl/codegen writes."""

    def __init__(self, description: Path):
        files = json.loads(description.read_text())["files"]
        self._ids = {one["name"]: one["id"] for file in files for one in file["interfaces"]}

    def check(self, value) -> str:
        """As decimal digits: a number of JSON has 53 bits."""
        if text(value) not in self._ids:
            raise Mistake(f"names no interface: idl/ has none called {value}")
        return str(int(self._ids[value], 16))


def compile_manifest(source: Path, interfaces: Interfaces) -> bytes:
    """Errors: CommandError that names file, line and key."""
    written = source.read_text(encoding="utf-8")
    try:
        fields = _manifest(interfaces)(tomllib.loads(written))
    except tomllib.TOMLDecodeError as error:
        raise CommandError(f"{source}: {error}", "mend the manifest; it is a TOML file") from error
    except Mistake as mistake:
        where = f"{source}:{_line(written, mistake.path)}: {'.'.join(mistake.path) or 'the manifest'}"
        raise CommandError(f"{where} {mistake}", "mend the manifest") from mistake
    return _encode(fields | {"version": VERSION})


def _manifest(interfaces: Interfaces):
    def endpoint(name: str, value) -> dict:
        return {"name": name, "interface": value, "interfaceId": interfaces.check(value)}

    service = {
        "binary": ("binary", text),
        "arguments": ("arguments", list_of(text)),
        "environment": ("environment", list_of(text)),
        "priority": ("priority", _U8),
        "limits": ("limits", table({"memory": ("memoryKib", _KIB64), "objects": ("objects", _U32), "nodes": ("nodes", _U32)},
                                   required=("memory", "objects", "nodes"))),
        "ring": ("ring", table({
            "region": ("regionKib", _KIB32), "submissions": ("submissions", _U16), "completions": ("completions", _U16),
            "stack": ("stackKib", _KIB32), "slots": ("slots", _U32)})),
        "serves": ("endpoints", named(endpoint)),
        "grants": ("grants", named(lambda name, value: _grant(name, value, interfaces))),
        "restart": ("restart", table({
            "on": ("on", one_of(any_end="anyEnd", crash="crash", never="never")), "times": ("times", _U32),
            "window_s": ("windowS", _U32), "needs": ("needs", list_of(text))})),
        "required": ("required", flag),
        "manual": ("manual", flag),
        "ready_ms": ("readyMs", _U32),
        "stop_ms": ("stopMs", _U32),
        "ping": ("noPing", lambda value: not flag(value)),
        "stop_after": ("stopAfter", list_of(text)),
        "inspect": ("inspectNever", lambda value: one_of(never=True, supervisor=False)(value)),
        "state": ("stateKib", _KIB32),
    }
    one_service = table(service, required=("binary", "priority", "limits"))
    return table({
        "name": ("name", text),
        "profile": ("profile", one_of(release="release", development="development")),
        "dma": ("dma", one_of(isolated="isolated", unprotected="unprotected")),
        "speculation": ("speculation", one_of(safe="safe", unsafe="unsafe")),
        "memory": ("memoryKib", _KIB64),
        "service": ("services", named(lambda name, value: {"name": name} | one_service(value))),
    }, required=("name", "memory", "service"))


def _grant(name: str, value, interfaces: Interfaces) -> dict:
    """A grant is "SERVICE.ENDPOINT", or a table with the key that says where it comes from."""
    if isinstance(value, str):
        return {"name": name, "source": "endpoint"} | _endpoint(value)
    sources = {
        "from": ("endpoint", table({"from": ("from", _endpoint), "interface": ("interfaceId", interfaces.check),
                                    "weak": ("weak", flag)})),
        "kernel": ("kernel", table({"kernel": ("object", one_of(power="power", platform="platform", profile="profile",
                                                                ports="ports", interrupt="interrupt")),
                                    "first": ("first", _U32), "count": ("count", _U32)})),
        "init": ("supervisor", table({"init": ("source", one_of(supervisor="supervisor", archive="archive"))})),
        "file": ("file", table({"file": ("file", text)})),
    }
    chosen = [key for key in sources if key in value] if isinstance(value, dict) else []
    if len(chosen) != 1:
        raise Mistake(f'is neither "SERVICE.ENDPOINT" nor a table with one of {", ".join(sources)}')
    source, check = sources[chosen[0]]
    fields = check(value)
    return {"name": name, "source": source} | fields.pop("from", {}) | fields


def _endpoint(value) -> dict:
    service, dot, endpoint = text(value).partition(".")
    if not dot or not service or not endpoint:
        raise Mistake('is not "SERVICE.ENDPOINT"')
    return {"service": service, "endpoint": endpoint}


def _line(written: str, path: tuple[str, ...]) -> int:
    """The line where the last of the keys stands that can be found, each behind the one before it."""
    lines = written.splitlines()
    at = 0
    for key in path:
        word = re.compile(rf"(?<![\w-])[\"']?{re.escape(key)}[\"']?(?![\w-])")
        at = next((number for number in range(at, len(lines)) if word.search(lines[number].partition("#")[0])), at)
    return at + 1


def _encode(fields: dict) -> bytes:
    """The message, of a single segment without segment table."""
    child = start(["capnp", "convert", "json:flat", _SCHEMA, "Manifest"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                  stderr=subprocess.PIPE)
    message, complaint = child.communicate(json.dumps(fields, ensure_ascii=False).encode())
    if child.returncode != 0 or not message:
        raise CommandError(f"capnp cannot encode the manifest:\n{complaint.decode(errors='replace').strip()}",
                           "./capos setup installs it; its version is in imagegen/third_party.toml")
    return message
