"""What the tables of a readable manifest may say: each key, what its value has to be, and how it stands in the message.

A check is a function from a value to the one in the message; it raises Mistake with what is wrong with the value. The messages
of Cap'n Proto's JSON form are dictionaries with camelCase keys (idl/manifest.capnp).
"""

import re
from collections.abc import Callable
from typing import Any

Check = Callable[[Any], Any]
_UNITS = {"KiB": 1, "MiB": 1 << 10, "GiB": 1 << 20}


class Mistake(Exception):
    """What is wrong with a value, and the keys below it that lead there."""

    def __init__(self, what: str, path: tuple[str, ...] = ()):
        super().__init__(what)
        self.path = path

    def below(self, key: str) -> "Mistake":
        return Mistake(str(self), (key, *self.path))


def text(value):
    if not isinstance(value, str):
        raise Mistake("is not a text")
    if "\0" in value:
        raise Mistake("contains a NUL character")
    return value


def flag(value):
    if not isinstance(value, bool):
        raise Mistake("is not true or false")
    return value


def number(high: int) -> Check:
    def check(value):
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= high:
            raise Mistake(f"is not a whole number from 0 to {high}")
        return value

    return check


def memory(high: int) -> Check:
    """In KiB, from a text such as "64 KiB"."""

    def check(value):
        match = re.fullmatch(r"(\d+) ?(KiB|MiB|GiB)", value) if isinstance(value, str) else None
        if not match:
            raise Mistake('is not a size such as "64 KiB" or "2 MiB"')
        kib = int(match[1]) * _UNITS[match[2]]
        if kib > high:
            raise Mistake(f"is more than {high} KiB")
        return kib

    return check


def one_of(**words) -> Check:
    """A word of the text form for an enumerant of the schema."""

    def check(value):
        if not isinstance(value, str) or value not in words:
            raise Mistake(f"is none of {', '.join(words)}")
        return words[value]

    return check


def list_of(check: Check) -> Check:
    def check_all(value):
        if not isinstance(value, list):
            raise Mistake("is not a list")
        return [_at(str(index), check, item) for index, item in enumerate(value)]

    return check_all


def table(keys: dict[str, tuple[str, Check]], required: tuple[str, ...] = ()) -> Check:
    """Keys of the text form, each with its field of the schema."""

    def check(value):
        if not isinstance(value, dict):
            raise Mistake("is not a table")
        for key in value:
            if key not in keys:
                raise Mistake(f"is not a key here; these are: {', '.join(keys)}", (key,))
        if lacking := [key for key in required if key not in value]:
            raise Mistake(f"lacks the key '{lacking[0]}'")
        return {keys[key][0]: _at(key, keys[key][1], item) for key, item in value.items()}

    return check


def named(check: Callable[[str, Any], dict]) -> Check:
    """A table whose keys are names: the list of what check(name, value) makes."""

    def check_all(value):
        if not isinstance(value, dict):
            raise Mistake("is not a table of names")
        return [_at(name, lambda item, name=name: check(name, item), item) for name, item in value.items()]

    return check_all


def _at(key: str, check: Check, value):
    try:
        return check(value)
    except Mistake as mistake:
        raise mistake.below(key) from None
