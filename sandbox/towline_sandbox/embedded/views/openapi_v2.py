"""OpenAPI v2, for kubectl: it validates Lists by it, and kinds that it does not know.

One document of all kinds. It says how objects look, and which ones can be patched with validation
of their fields; other paths are only in OpenAPI v3.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.model.schema import Node
from towline_sandbox.embedded.views.openapi_paths import collection_path
from towline_sandbox.embedded.views.openapi_schemas import REFERENCE, SchemaNames, schemas_of

Json = dict[str, Any]

_GROUP_VERSION_KIND = "x-kubernetes-group-version-kind"
_DEFINITIONS = "#/definitions/"
_INT_OR_STRING = {"format": "int-or-string", "type": "string"}
# What both versions spell alike, and whoever validates by this document looks at.
_KEPT = (
    *("type", "format", "required", "enum", "description"),
    *(_GROUP_VERSION_KIND, "x-kubernetes-patch-merge-key", "x-kubernetes-patch-strategy"),
)


def swagger_of(
    kinds: Iterable[Kind], *, names: SchemaNames, definitions: Mapping[str, Node], version: str
) -> Json:
    """Return the document of all these kinds.

    Args:
        kinds: What is served.
        names: What their schemas are called.
        definitions: Schemas of the built-in kinds, by name.
        version: What the server calls itself.
    """
    kinds = tuple(kinds)
    schemas = schemas_of(kinds, names=names, definitions=definitions)
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": version},
        "paths": {
            f"{collection_path(kind)}/{{name}}": _patching(kind)
            for kind in kinds
            if "patch" in kind.verbs
        },
        "definitions": {name: _converted(schema) for name, schema in schemas.items()},
    }


def _patching(kind: Kind) -> Json:
    parameter = {"in": "query", "name": "fieldValidation", "type": "string", "uniqueItems": True}
    identity = {**kind.group_version._asdict(), "kind": kind.resource.kind}
    return {
        "patch": {
            "parameters": [parameter],
            "responses": {"200": {"description": "OK"}},
            _GROUP_VERSION_KIND: identity,
        }
    }


def _converted(node: Node) -> Json:
    """Return a schema as version 2 has it, which knows neither null nor alternatives."""
    match node:
        case {"$ref": str(target)} | {"allOf": [{"$ref": str(target)}]}:
            return {"$ref": _DEFINITIONS + target.removeprefix(REFERENCE)}
        case {"format": "int-or-string"} | {"x-kubernetes-int-or-string": True}:
            return dict(_INT_OR_STRING)
        case {"nullable": True}:
            return {}
        case {"oneOf": [{"type": str(first)}, *_]} if "type" not in node:
            return {"type": first}  # a quantity, which is written as a string
    converted: Json = {key: node[key] for key in _KEPT if key in node}
    if node.get("x-kubernetes-preserve-unknown-fields"):
        converted.pop("type", None)
        return converted
    if "properties" in node:
        converted["properties"] = {
            name: _converted(child) for name, child in node["properties"].items()
        }
    if "items" in node:
        converted["items"] = _converted(node["items"])
    more = node.get("additionalProperties")
    if isinstance(more, Mapping):
        converted["additionalProperties"] = _converted(more)
    return converted
