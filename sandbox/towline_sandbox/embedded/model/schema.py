"""The shape of a kind's objects: OpenAPI v3 with the `x-kubernetes-…` words.

Built-in and custom kinds have their shapes in the same form, so decoding, pruning, defaulting,
patching and field ownership are written once.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import Any

_REFERENCE_PREFIX = "#/components/schemas/"

Node = Mapping[str, Any]
"""One schema as JSON."""


class ListType(StrEnum):
    """How a list is owned and merged by server-side apply (`x-kubernetes-list-type`)."""

    ATOMIC = "atomic"
    SET = "set"
    MAP = "map"


class Schema:
    """One node of a schema, with its references followed.

    Children are made when first asked for, so shapes that contain themselves (a CRD's own schema)
    are no trouble.

    Args:
        node: The schema as JSON.
        definitions: What `$ref` may name, by the name after `#/components/schemas/`.
    """

    def __init__(self, node: Node, *, definitions: Mapping[str, Node] | None = None) -> None:
        self._definitions = definitions or {}
        self.node: Node = self._resolve(node)

    def __repr__(self) -> str:
        """Show the type, not the whole tree."""
        return f"<Schema {self.type or 'of anything'}>"

    @cached_property
    def type(self) -> str:
        """`object`, `array`, `string`, `integer`, `number`, `boolean`, or empty for anything."""
        found: str = self.node.get("type", "")
        if not found and ("properties" in self.node or "additionalProperties" in self.node):
            return "object"
        return found

    @cached_property
    def properties(self) -> Mapping[str, "Schema"]:
        """Named fields of an object."""
        return {
            name: Schema(node, definitions=self._definitions)
            for name, node in self.node.get("properties", {}).items()
        }

    @cached_property
    def additional(self) -> "Schema | None":
        """Shape of the values of a map (`additionalProperties`); None if it is no map."""
        found = self.node.get("additionalProperties")
        if found is None or found is False:
            return None
        return Schema({} if found is True else found, definitions=self._definitions)

    @cached_property
    def items(self) -> "Schema | None":
        """Shape of a list's items; None if it is no list."""
        found = self.node.get("items")
        return None if found is None else Schema(found, definitions=self._definitions)

    @cached_property
    def list_type(self) -> ListType:
        """How the list is owned and merged."""
        return ListType(self.node.get("x-kubernetes-list-type", "atomic"))

    @cached_property
    def list_map_keys(self) -> tuple[str, ...]:
        """Fields that tell the items of a `map` list apart."""
        return tuple(self.node.get("x-kubernetes-list-map-keys", ()))

    @cached_property
    def is_atomic(self) -> bool:
        """Whether the value is owned and replaced as a whole: a scalar, an atomic list or map."""
        match self.type:
            case "object":
                return self.node.get("x-kubernetes-map-type") == "atomic"
            case "array":
                return self.list_type is ListType.ATOMIC
            case "":
                return not self.preserves_unknown
            case _:
                return True

    @cached_property
    def merge_key(self) -> str | None:
        """Field by which a strategic merge patch pairs the items of a list."""
        return self.node.get("x-kubernetes-patch-merge-key")

    @cached_property
    def patch_strategies(self) -> frozenset[str]:
        """`merge`, `replace`, `retainKeys`: how a strategic merge patch treats the value."""
        return frozenset(self.node.get("x-kubernetes-patch-strategy", "").split(",")) - {""}

    @cached_property
    def required(self) -> tuple[str, ...]:
        """Fields that an object has to have."""
        return tuple(self.node.get("required", ()))

    @cached_property
    def preserves_unknown(self) -> bool:
        """Whether fields that the schema does not name are kept."""
        return bool(self.node.get("x-kubernetes-preserve-unknown-fields", False))

    @cached_property
    def is_int_or_string(self) -> bool:
        """Whether both an integer and a string will do."""
        return bool(
            self.node.get("x-kubernetes-int-or-string", False)
            or self.node.get("format") == "int-or-string"
        )

    @cached_property
    def embeds_resource(self) -> bool:
        """Whether the value is a whole Kubernetes object with metadata of its own."""
        return bool(self.node.get("x-kubernetes-embedded-resource", False))

    def child(self, key: str) -> "Schema | None":
        """Return the shape of one field or map value; None if the schema does not know it."""
        return self.properties.get(key) or self.additional

    def _resolve(self, node: Node) -> Node:
        # `allOf` with a single reference is how OpenAPI v3 puts a default or words beside a `$ref`.
        merged: dict[str, Any] = {}
        for part in node.get("allOf", ()):
            if "$ref" in part:
                merged.update(self._resolve(part))
        if "$ref" in node:
            name = node["$ref"].removeprefix(_REFERENCE_PREFIX)
            merged.update(self._resolve(self._definitions[name]))
        if not merged:
            return node
        return {**merged, **{k: v for k, v in node.items() if k not in ("$ref", "allOf")}}


ANYTHING = Schema({"x-kubernetes-preserve-unknown-fields": True})
"""The shape of what has none."""
