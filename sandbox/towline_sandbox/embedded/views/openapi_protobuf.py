"""OpenAPI v2 as protobuf: kubectl reads no other form of it.

The messages are those of https://github.com/google/gnostic-models, file openapiv2/OpenAPIv2.proto;
only what `openapi_v2` writes is here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import orjson

from towline_sandbox.embedded.protobuf.wire import write_bytes, write_number

PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""How it is called in an answer."""
ASKED_FOR = (PROTOBUF, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
"""How callers ask for it."""


class _Scalar(Enum):
    TEXT = auto()
    FLAG = auto()
    TEXTS = auto()
    ANYTHING = auto()  # written as YAML, of which JSON is a part
    ANYTHINGS = auto()


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of a message.

    Args:
        number: Its number.
        holds: What it holds: a scalar, or the name of a message.
        is_list: Whether there may be several.
        wrapped: Numbers of the fields around what it holds, from the outside.
    """

    number: int
    holds: _Scalar | str
    is_list: bool = False
    wrapped: tuple[int, ...] = ()


_EXTENSION = "x-"

_MESSAGES: Mapping[str, Mapping[str, _Field]] = {
    "Document": {
        "swagger": _Field(1, _Scalar.TEXT),
        "info": _Field(2, "Info"),
        "paths": _Field(8, "Paths"),
        "definitions": _Field(9, "Schemas"),
    },
    "Info": {"title": _Field(1, _Scalar.TEXT), "version": _Field(2, _Scalar.TEXT)},
    "PathItem": {"patch": _Field(8, "Operation")},
    "Operation": {
        "parameters": _Field(8, "Query", is_list=True, wrapped=(1, 2, 3)),
        "responses": _Field(9, "Responses"),
        _EXTENSION: _Field(13, _Scalar.ANYTHING),
    },
    "Query": {
        "in": _Field(2, _Scalar.TEXT),
        "name": _Field(4, _Scalar.TEXT),
        "type": _Field(6, _Scalar.TEXT),
        "uniqueItems": _Field(20, _Scalar.FLAG),
    },
    "Response": {"description": _Field(1, _Scalar.TEXT)},
    "Schema": {
        "$ref": _Field(1, _Scalar.TEXT),
        "format": _Field(2, _Scalar.TEXT),
        "description": _Field(4, _Scalar.TEXT),
        "required": _Field(19, _Scalar.TEXTS),
        "enum": _Field(20, _Scalar.ANYTHINGS),
        "additionalProperties": _Field(21, "Schema", wrapped=(1,)),
        "type": _Field(22, _Scalar.TEXT, wrapped=(1,)),
        "items": _Field(23, "Schema", wrapped=(1,)),
        "properties": _Field(25, "Schemas"),
        _EXTENSION: _Field(31, _Scalar.ANYTHING),
    },
}
# Messages of any names: the number of their fields, around the message of what has the name, and
# what that is.
_NAMED: Mapping[str, tuple[int, str, tuple[int, ...]]] = {
    "Paths": (2, "PathItem", ()),
    "Schemas": (1, "Schema", ()),
    "Responses": (1, "Response", (1,)),
}


def as_protobuf(swagger: Mapping[str, Any]) -> bytes:
    """Return a document of OpenAPI v2 in the form that kubectl reads."""
    return _message("Document", swagger)


def _message(name: str, found: Mapping[str, Any]) -> bytes:
    if name in _NAMED:
        return _named(name, found)
    fields = _MESSAGES[name]
    written = bytearray()
    for key, value in found.items():
        if key.startswith(_EXTENSION):
            named = write_bytes(1, key.encode()) + write_bytes(2, _anything(value))
            written += write_bytes(fields[_EXTENSION].number, named)
            continue
        field = fields[key]
        for item in value if field.is_list else (value,):
            written += _field(field, item)
    return bytes(written)


def _named(name: str, found: Mapping[str, Any]) -> bytes:
    number, what, wrapped = _NAMED[name]
    written = bytearray()
    for key, value in found.items():
        content = _message(what, value)
        for around in reversed(wrapped):
            content = write_bytes(around, content)
        written += write_bytes(number, write_bytes(1, key.encode()) + write_bytes(2, content))
    return bytes(written)


def _field(field: _Field, value: Any) -> bytes:
    match field.holds:
        case str(message):
            content = _message(message, value)
        case _Scalar.FLAG:
            return write_number(field.number, int(value))
        case _Scalar.TEXTS:
            return b"".join(write_bytes(field.number, text.encode()) for text in value)
        case _Scalar.ANYTHINGS:
            return b"".join(write_bytes(field.number, _anything(item)) for item in value)
        case _:
            content = value.encode()
    for around in reversed(field.wrapped):
        content = write_bytes(around, content)
    return write_bytes(field.number, content)


def _anything(value: Any) -> bytes:
    return write_bytes(2, orjson.dumps(value))
