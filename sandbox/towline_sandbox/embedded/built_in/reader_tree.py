"""Makes the readers of a kind out of what was collected about it."""

import threading
from functools import cache
from typing import Any

from towline_sandbox.embedded.built_in.data_files import definitions, go_types
from towline_sandbox.embedded.built_in.scalars import (
    Anything,
    Base64,
    Flag,
    Instant,
    Integer,
    IntOrText,
    Number,
    Quantity,
    Text,
)
from towline_sandbox.embedded.built_in.structures import Field, List, Map, OneOf, Reader, Struct
from towline_sandbox.embedded.built_in.timestamps import Precision
from towline_sandbox.embedded.model.schema import Node

_REFERENCE = "#/components/schemas/"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
_CRD = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1"

# Definitions whose Go types read themselves, so that OpenAPI tells next to nothing.
_OWN_READERS: dict[str, Reader] = {
    f"{_META}.Time": Instant(Precision.SECONDS),
    f"{_META}.MicroTime": Instant(Precision.MICROSECONDS),
    f"{_META}.FieldsV1": Anything(),
    "io.k8s.apimachinery.pkg.api.resource.Quantity": Quantity(),
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": IntOrText(),
    "io.k8s.apimachinery.pkg.runtime.RawExtension": Anything(),
    f"{_CRD}.JSON": Anything(),
}
_PROPS = f"{_CRD}.JSONSchemaProps"
_TYPE_META = {"apiVersion": "string,omitempty", "kind": "string,omitempty"}


_MAKING = threading.RLock()
"""Held while readers are made: planes live in threads, and a struct may need itself half made."""


def reader_of(definition: str) -> Reader:
    """Return the reader of what an OpenAPI definition describes."""
    with _MAKING:
        return _reader_of(definition)


@cache
def _reader_of(definition: str) -> Reader:
    own = _OWN_READERS.get(definition) or _schema_union(definition)
    if own is not None:
        return own
    return _Structs.reader(definition)


def empty_fields(definition: str, *names: str) -> dict[str, Any]:
    """Return those of the named fields that are written even if there is nothing in them."""
    with _MAKING:
        written = _Structs.reader(definition).written
    return {name: about.empty for name, about in written if name in names}


def _schema_union(definition: str) -> Reader | None:
    # In a CRD's schema, some words take a schema or something simpler.
    match definition.removeprefix(f"{_CRD}."):
        case "JSONSchemaPropsOrBool":
            parts = {"object": reader_of(_PROPS), "bool": Flag()}
            return OneOf(parts, "boolean or JSON schema expected")
        case "JSONSchemaPropsOrArray":
            props = reader_of(_PROPS)
            parts = {"object": props, "array": List(props, "[]v1.JSONSchemaProps")}
            return OneOf(parts, "boolean or JSON schema expected")
        case "JSONSchemaPropsOrStringArray":
            parts = {"object": reader_of(_PROPS), "array": List(Text(), "[]string")}
            return OneOf(parts, "boolean or JSON schema expected")
        case _:
            return None


class _Structs:
    """The structs made so far; one may need itself before it is complete."""

    _made: dict[str, Struct] = {}  # noqa: RUF012  # shared on purpose: shapes never change

    @classmethod
    def reader(cls, definition: str) -> Struct:
        made = cls._made.get(definition)
        if made is None:
            *_, package, name = definition.split(".")
            made = cls._made[definition] = Struct(name, f"{package}.{name}")
            made.complete(_fields(definition))
        return made


def _fields(definition: str) -> dict[str, Field]:
    in_go = {**_TYPE_META, **go_types().get(definition, {})}
    return {
        name: _field(name, node, in_go.get(name, ""))
        for name, node in definitions()[definition].get("properties", {}).items()
    }


def _field(name: str, node: Node, in_go: str) -> Field:
    # In messages, Go calls a byte by its other name.
    go_type, *options = in_go.replace("[]byte", "[]uint8").split(",")
    embedded = next((o.removeprefix("inline=") for o in options if o.startswith("inline=")), "")
    reader = _reader(node, go_type.removeprefix("*"))
    is_pointer = go_type.startswith("*")
    has_nothing = isinstance(reader, Struct | Instant | Quantity | IntOrText)
    written = "omitempty" not in options or (has_nothing and not is_pointer)
    return Field(
        reader=reader,
        path=f"{embedded}.{name}" if embedded else name,
        is_pointer=is_pointer,
        keeps_empty=is_pointer or written,
        written_empty=written and "omitzero" not in options and bool(in_go),
    )


def _reader(node: Node, go_type: str) -> Reader:
    for part in (node, *node.get("allOf", ())):
        if "$ref" in part:
            return reader_of(part["$ref"].removeprefix(_REFERENCE))
    kind: str = node.get("type", "")
    match kind, node.get("format"):
        case "string", "byte":
            return Base64()
        case "string", _:
            return Text(go_type or "string")
        case "boolean", _:
            return Flag(go_type or "bool")
        case "integer", "int32":
            return Integer(32, go_type or "int32")
        case "integer", _:
            return Integer(64, go_type or "int64")
        case "number", _:
            return Number(go_type or "float64")
        case "array", _:
            return _list(node["items"], go_type)
        case "object", _ if "additionalProperties" in node:
            return _map(node["additionalProperties"], go_type)
        case _:
            return Anything()


def _list(items: Any, go_type: str) -> List:
    item_type = go_type.removeprefix("[]") if go_type.startswith("[]") else ""
    return List(_reader(items, item_type.removeprefix("*")), go_type or "[]string")


def _map(values: Any, go_type: str) -> Map:
    value_type = go_type.partition("]")[2] if go_type.startswith("map[") else ""
    reader = _reader(values, value_type)
    if isinstance(reader, Base64):
        reader = Base64(empty="")
    return Map(reader, go_type or "map[string]string")
