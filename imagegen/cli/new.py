"""./capos new server NAME: a server with its interface and a test, which compile and pass as they are."""

import re

from imagegen.cli.support import paths
from imagegen.cli.support.errors import CommandError
from imagegen.cli.support.process import capture, say

HELP = "makes a new server: interface, program and test, ready to build"

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_NAME_MAX = 24
_SERVER = {  # template: where it goes
    "interface.capnp.in": "idl/{name}.capnp",
    "object.h.in": "servers/{name}/{name}.h",
    "main.cc.in": "servers/{name}/main.cc",
    "meson.build.in": "servers/{name}/meson.build",
    "test.cc.in": "servers/{name}/{name}_test.cc",
}
# Lists that get a line: file, the line that ends the list, the new line.
_LISTS = [
    ("idl/meson.build", "]  # served_schemas", "  '{name}',"),
    ("servers/meson.build", "# ./capos new adds above", "subdir('{name}')"),
    ("test/sim/meson.build", ")  # server_tests", "  '../../servers/{name}/{name}_test.cc',"),
]
_MANIFEST = """
[service.{name}]
binary = "bin/{name}"
priority = 12
limits = {{ memory = "2 MiB", objects = 64, nodes = 64 }}
serves = {{ {name} = "{Name}" }}
"""


def add_arguments(parser) -> None:
    parser.add_argument("kind", choices=["server"])
    parser.add_argument("name", help="lower case, words joined by _: word_count")


def run(args) -> int:
    name = args.name
    if not _NAME.fullmatch(name) or len(name) > _NAME_MAX:
        raise CommandError(f"{name!r} is no name for a server", f"lower-case words joined by _, at most {_NAME_MAX} letters")
    values = {"name": name, "Name": "".join(word.capitalize() for word in name.split("_")), "file_id": _new_id(),
              "interface_id": _new_id()}
    files = {paths.ROOT / place.format(**values): template for template, place in _SERVER.items()}
    for file in files:
        if file.exists() or file.parent.name == name and file.parent.exists():
            raise CommandError(f"{file.relative_to(paths.ROOT)} is there already", "choose another name")
    lists = [_with_line(paths.ROOT / file, end, line.format(**values)) for file, end, line in _LISTS]

    templates = paths.ROOT / "imagegen/scaffold/server"
    for file, template in files.items():
        file.parent.mkdir(exist_ok=True)
        file.write_text((templates / template).read_text().format(**values))
    for file, text in lists:
        file.write_text(text)
    with open(paths.ROOT / "servers/manifest.toml", "a") as manifest:
        manifest.write(_MANIFEST.format(**values))
    for file in files:
        say(f"made {file.relative_to(paths.ROOT)}")
    say("next: say in the interface what it is for, ./capos build, ./capos test --sim --filter " + name)
    return 0


def _with_line(file, end: str, line: str):
    """The file's text with `line` in front of the line that ends its list."""
    lines = file.read_text().splitlines()
    place = next((at for at, text in enumerate(lines) if text.endswith(end)), None)
    if place is None:
        raise CommandError(f"{file.relative_to(paths.ROOT)} has no line that ends with {end!r}",
                           "put it back where the list ends")
    return file, "\n".join(lines[:place] + [line] + lines[place:]) + "\n"


def _new_id() -> str:
    return capture(["capnp", "id"]).strip().removeprefix("@")
