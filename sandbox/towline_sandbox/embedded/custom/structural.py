"""Structural schemas: the form of OpenAPI that custom kinds have to state their shape in.

First the words of a schema are looked at one by one; only if they are in order, whether the schema
is structural: every field has a type, and conditions (`anyOf` and the like) only narrow down what
is declared outside of them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from towline_sandbox.embedded.custom.decoding import with_defaults
from towline_sandbox.embedded.expressions.patterns import compile_pattern
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.schema import Node, Schema
from towline_sandbox.embedded.model.wording import (
    forbidden_field,
    invalid_value,
    required,
    unsupported,
)

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_NOT_SUPPORTED = (
    *("$ref", "definitions", "dependencies", "patternProperties", "additionalItems", "id"),
)
_BRANCHES = ("anyOf", "oneOf", "allOf")
_LIST_TYPES = ("atomic", "set", "map")
_MAP_TYPES = ("atomic", "granular")
_OF_EVERY_OBJECT = {"apiVersion": "string", "kind": "string", "metadata": "object"}
_OUTSIDE_OF_CONDITIONS = (
    ("default", "must be undefined to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    ("title", "must be empty to be structural"),
    ("type", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
    ("x-kubernetes-validations", "must be empty to be structural"),
)
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]


def schema_causes(node: Node, *, path: str) -> list[Cause]:
    """Return every rule of structural schemas that a schema breaks.

    Args:
        node: The schema of a kind's whole objects.
        path: Where it stands.
    """
    causes = [*_root(node, path), *_words(node, path)]
    return causes or [*_structure(node, path, "at the root"), *_metadata(node, path)]


def _root(node: Node, path: str) -> Iterator[Cause]:
    if not node.get("type"):
        if not _has_unsupported(node):
            yield required(f"{path}.type", "must not be empty at the root")
    elif node["type"] != "object":
        yield invalid_value(f"{path}.type", node["type"], "must be object at the root")
    if node.get("nullable"):
        yield forbidden_field(f"{path}.nullable", "nullable cannot be true at the root")
    if "additionalProperties" in node:
        yield forbidden_field(f"{path}.additionalProperties", "must not be used at the root")


def _has_unsupported(node: Node) -> bool:
    return any(node.get(word) for word in _NOT_SUPPORTED)


def _below(node: Node, path: str) -> Iterator[tuple[Node, str]]:
    """Return the schemas inside a schema, each with its place."""
    for name, child in sorted((node.get("properties") or {}).items()):
        yield child, f"{path}.properties[{name}]"
    items = node.get("items")
    if isinstance(items, Mapping):
        yield items, f"{path}.items"
    additional = node.get("additionalProperties")
    if isinstance(additional, Mapping):
        yield additional, f"{path}.additionalProperties"


def _conditions(node: Node, path: str) -> Iterator[tuple[Node, str]]:
    for word in _BRANCHES:
        for index, branch in enumerate(node.get(word) or ()):
            yield branch, f"{path}.{word}[{index}]"
    if node.get("not"):
        yield node["not"], f"{path}.not"


# The words.


def _words(node: Node, path: str) -> Iterator[Cause]:
    for word in _NOT_SUPPORTED:
        if node.get(word):
            yield forbidden_field(f"{path}.{word}", f"{word} is not supported")
    if node.get("$schema"):
        told = "OpenAPIV3Schema 'schema' is not supported"
        yield invalid_value(path.partition(".openAPIV3Schema")[0] + ".openAPIV3Schema", "", told)
    yield from _type(node, path)
    if node.get("uniqueItems"):
        yield forbidden_field(
            f"{path}.uniqueItems",
            "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
        )
    if "additionalProperties" in node and node.get("properties"):
        yield forbidden_field(
            f"{path}.additionalProperties",
            "additionalProperties and properties are mutual exclusive",
        )
    elif node.get("additionalProperties") is False:
        yield forbidden_field(
            f"{path}.additionalProperties", "additionalProperties cannot be set to false"
        )
    if isinstance(node.get("items"), list):
        yield forbidden_field(f"{path}.items", "items must be a schema object and not an array")
    if node.get("x-kubernetes-preserve-unknown-fields") is False:
        yield invalid_value(
            f"{path}.x-kubernetes-preserve-unknown-fields", False, "must be true or undefined"
        )
    yield from _pattern(node, path)
    yield from _lists(node, path)
    yield from _maps(node, path)
    for child, place in (*_below(node, path), *_conditions(node, path)):
        yield from _words(child, place)


def _type(node: Node, path: str) -> Iterator[Cause]:
    found = node.get("type")
    if found and found not in _TYPES:
        yield unsupported(f"{path}.type", found, _TYPES)
    if found == "null":
        yield forbidden_field(
            f"{path}.type", "type cannot be set to null, use nullable as an alternative"
        )


def _pattern(node: Node, path: str) -> Iterator[Cause]:
    pattern = node.get("pattern")
    if not pattern:
        return
    try:
        compile_pattern(pattern)
    except re.error as error:
        told = _go_complaint(pattern, error)
        yield invalid_value(
            f"{path}.pattern", pattern, f"must be a valid regular expression, but isn't: {told}"
        )


def _go_complaint(pattern: str, error: re.error) -> str:
    if "unterminated character set" in error.msg:
        return f"error parsing regexp: missing closing ]: `{pattern[error.pos or 0 :]}`"
    if "unterminated subpattern" in error.msg:
        return f"error parsing regexp: missing closing ): `{pattern}`"
    return f"error parsing regexp: {error.msg}: `{pattern}`"


def _lists(node: Node, path: str) -> Iterator[Cause]:
    list_type, keys = node.get("x-kubernetes-list-type"), node.get("x-kubernetes-list-map-keys")
    if keys and list_type != "map":
        yield _list_problem(path, list_type)
    if list_type is None:
        return
    if list_type not in _LIST_TYPES:
        yield unsupported(f"{path}.x-kubernetes-list-type", list_type, _LIST_TYPES)
        return
    if node.get("type") != "array":
        yield invalid_value(
            f"{path}.type",
            node.get("type", ""),
            "must be array if x-kubernetes-list-type is specified",
        )
        return
    items = node.get("items")
    if list_type == "atomic" or not isinstance(items, Mapping):
        return
    if items.get("nullable"):
        yield forbidden_field(
            f"{path}.items.nullable", "cannot be nullable when x-kubernetes-list-type is set"
        )
    if list_type == "set":
        yield from _set_items(items, path)
    else:
        yield from _map_items(items, list(keys or ()), path)


def _list_problem(path: str, list_type: str | None) -> Cause:
    field, told = (
        f"{path}.x-kubernetes-list-type",
        "must be map if x-kubernetes-list-map-keys is non-empty",
    )
    return required(field, told) if list_type is None else invalid_value(field, list_type, told)


def _set_items(items: Node, path: str) -> Iterator[Cause]:
    match items.get("type"):
        case "object":
            word = "x-kubernetes-map-type"
        case "array":
            word = "x-kubernetes-list-type"
        case _:
            return
    found = items.get(word)
    # A list in a set is atomic unless it says otherwise, an object has to say it.
    if found != "atomic" and not (found is None and word == "x-kubernetes-list-type"):
        yield invalid_value(
            f"{path}.items.{word}",
            found,
            "must be atomic as item of a list with x-kubernetes-list-type=set",
        )


def _map_items(items: Node, keys: Sequence[str], path: str) -> Iterator[Cause]:
    field = f"{path}.x-kubernetes-list-map-keys"
    if not keys:
        yield required(field, "must not be empty if x-kubernetes-list-type is map")
        return
    if items.get("type") != "object":
        yield invalid_value(
            f"{path}.items.type",
            items.get("type", ""),
            "must be object if parent array's x-kubernetes-list-type is map",
        )
        return
    properties = items.get("properties") or {}
    if any(key not in properties for key in keys):
        yield invalid_value(field, list(keys), "entries must all be names of item properties")
        return
    if len(set(keys)) < len(keys):
        yield invalid_value(field, list(keys), "must not contain duplicate entries")
        return
    for key in keys:
        child, place = properties[key], f"{path}.items.properties[{key}]"
        if child.get("type") in ("array", "object"):
            yield invalid_value(
                f"{place}.type",
                child["type"],
                "must be a scalar type if parent array's x-kubernetes-list-type is map",
            )
        if key not in (items.get("required") or ()) and "default" not in child:
            yield required(
                f"{place}.default",
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be "
                "a required property",
            )


def _maps(node: Node, path: str) -> Iterator[Cause]:
    found = node.get("x-kubernetes-map-type")
    if found is None:
        return
    if found not in _MAP_TYPES:
        yield unsupported(f"{path}.x-kubernetes-map-type", found, _MAP_TYPES)
    elif node.get("type") != "object":
        yield invalid_value(
            f"{path}.type",
            node.get("type", ""),
            "must be object if x-kubernetes-map-type is specified",
        )


# The structure.


def _structure(node: Node, path: str, where: str) -> Iterator[Cause]:
    is_whole = where == "at the root"
    free = node.get("x-kubernetes-int-or-string") or node.get(
        "x-kubernetes-preserve-unknown-fields"
    )
    if not node.get("type") and not free and not is_whole:
        yield required(f"{path}.type", f"must not be empty {where}")
    if node.get("type") == "array" and not node.get("items"):
        if "items" not in node:
            yield required(f"{path}.items", "must be specified")
        else:
            yield required(f"{path}.items.type", "must not be empty for specified array items")
    yield from _embedded(node, path)
    if is_whole or node.get("x-kubernetes-embedded-resource"):
        yield from _object_fields(node, path)
    yield from _default(node, path)
    yield from _unconditional(node, path)
    for child, place in _below(node, path):
        inside_list = place == f"{path}.items"
        if inside_list and not child:
            continue
        below = "for specified array items" if inside_list else "for specified object fields"
        yield from _structure(child, place, below)


def _embedded(node: Node, path: str) -> Iterator[Cause]:
    if not node.get("x-kubernetes-embedded-resource"):
        return
    if not node.get("properties") and not node.get("x-kubernetes-preserve-unknown-fields"):
        yield required(
            f"{path}.properties",
            "must not be empty if x-kubernetes-embedded-resource is true without "
            "x-kubernetes-preserve-unknown-fields",
        )
    if node.get("type") != "object":
        yield invalid_value(
            f"{path}.type",
            node.get("type", ""),
            "must be object if x-kubernetes-embedded-resource is true",
        )


def _object_fields(node: Node, path: str) -> Iterator[Cause]:
    for name, wanted in _OF_EVERY_OBJECT.items():
        child = (node.get("properties") or {}).get(name)
        if child is not None and child.get("type") != wanted:
            place = f"{path}.properties[{name}].type"
            yield invalid_value(place, child.get("type", ""), f"must be {wanted}")


def _metadata(node: Node, path: str) -> Iterator[Cause]:
    metadata = (node.get("properties") or {}).get("metadata")
    if metadata is None or metadata.get("type") != "object":
        return
    place = f"{path}.properties[metadata]"
    properties = metadata.get("properties") or {}
    known = {"name", "generateName"}
    if set(properties) - known or set(metadata) - {"type", "properties", "description"}:
        yield forbidden_field(
            place,
            "must not specify anything other than name and generateName, but metadata is "
            "implicitly specified",
        )
    for name, child in properties.items():
        if "default" in child:
            field = f"{place}.properties[{name}].default"
            yield forbidden_field(field, "must not be set in top-level metadata")


def _default(node: Node, path: str) -> Iterator[Cause]:
    if node.get("default") is None or ".properties[metadata]" in path:
        return
    from towline_sandbox.embedded.custom.validation import ValueCheck

    value, schema = node["default"], Schema(node)
    place = f"{path}.default"
    if _has_more(value, with_defaults(value, schema=schema)):
        yield invalid_value(place, value, "must not have unknown fields")
        return
    for cause in ValueCheck(schema).causes(value):
        yield Cause(cause.reason, cause.message, f"{place}{_dotted(cause.field)}")


def _dotted(field: str) -> str:
    return f".{field}" if field and not field.startswith("[") else field


def _has_more(value: Any, kept: Any) -> bool:
    """Return whether pruning took something away."""
    if isinstance(value, dict):
        return not isinstance(kept, dict) or any(
            key not in kept or _has_more(part, kept[key]) for key, part in value.items()
        )
    if isinstance(value, list) and isinstance(kept, list):
        return any(map(_has_more, value, kept))
    return False


def _unconditional(node: Node, path: str) -> Iterator[Cause]:
    """Name what conditions say that belongs outside of them."""
    if node.get("x-kubernetes-int-or-string"):
        if node.get("anyOf") == _INT_OR_STRING:
            node = {key: value for key, value in node.items() if key != "anyOf"}
        elif (node.get("allOf") or [{}])[0].get("anyOf") == _INT_OR_STRING:
            first, *rest = node["allOf"]
            plain = {key: value for key, value in first.items() if key != "anyOf"}
            node = {**node, "allOf": [plain, *rest]}
    for branch, place in _conditions(node, path):
        yield from _narrows(branch, place)


def _narrows(node: Node, path: str) -> Iterator[Cause]:
    for word, told in _OUTSIDE_OF_CONDITIONS:
        if node.get(word):
            yield forbidden_field(f"{path}.{word}", told)
    for child, place in (*_below(node, path), *_conditions(node, path)):
        yield from _narrows(child, place)
