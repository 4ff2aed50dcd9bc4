"""What Kubernetes' messages are made of, as collected from its `.proto` files."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import orjson

MESSAGES = Path(__file__).parent / "data" / "messages.json"
"""For each message its fields by number: `name type`."""

_TYPE = re.compile(r"(?P<shape>\[\]|map\[string\])?(?P<element>\S+)")


@dataclass(frozen=True, slots=True)
class MessageField:
    """One field of a message.

    Args:
        name: As in JSON; empty if the message's fields stand in its place there.
        element: A scalar type, or the name of a message.
        is_list: Whether it holds any number of those.
        is_map: Whether it holds them by text.
    """

    name: str
    element: str
    is_list: bool = False
    is_map: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the field that an entry of the data file says."""
        name, _, type_ = text.partition(" ")
        found = _TYPE.fullmatch(type_)
        if found is None:
            raise ValueError(f"{text!r} is no field of a message")
        shape = found["shape"]
        return cls(name, found["element"], shape == "[]", shape == "map[string]")


Message = Mapping[int, MessageField]


@cache
def find_message(name: str) -> Message | None:
    """Return a message by the name that its OpenAPI definition has; None if it is not known."""
    fields = _entries().get(name)
    if fields is None:
        return None
    return {int(number): MessageField.parse(text) for number, text in fields.items()}


@cache
def _entries() -> Mapping[str, Mapping[str, str]]:
    found: Mapping[str, Mapping[str, str]] = orjson.loads(MESSAGES.read_bytes())
    return found
